// What setting a device up consists of, in order. `look` says in words what differs, or nothing; `act` changes it; `shown` is
// what a dry run prints. The shell is POSIX and needs nothing that a stock JetPack lacks.
import { createReadStream } from 'node:fs'
import { folderHashScript, folderTar, type Image } from './parts.ts'
import type { Device } from './ssh.ts'

export interface Plan {
  image: Image
  settings: { dir: string; hash: string }
  jetson: boolean
  power: string | undefined
  minutes: number
  http: number
  repository: string | undefined
  runArguments(groups: readonly string[]): string
  script: string
  unit: string
}

export interface Step {
  name: string
  /** What a dry run prints of what it would do. */
  shown: string
  /** What to say where nothing differs. */
  same?: string
  look(device: Device): Promise<string | undefined>
  /** Gives what to say of it; nothing for what `look` said. */
  act(device: Device): Promise<string | undefined>
}

const own = '/etc/roadmask-host'
const kept = '/var/lib/roadmask-host'
const script = '/usr/local/lib/roadmask/roadmask-image'
const unit = '/etc/systemd/system/roadmask.service'
/** Disk that an image needs while it is pulled and unpacked. */
const leastFreeGib = 12

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** Written aside and renamed, so that a cut leaves the old or the new. */
const put = (path: string, mode: string) =>
  `mkdir -p $(dirname ${path}) && cat >${path}.new && chmod ${mode} ${path}.new && sync ${path}.new && mv -f ${path}.new ${path}`

const nameOf = (image: Image) => ('reference' in image ? image.reference : image.id)

/** Runs the image once, as the unit does, with other words behind it. */
const once = (image: string, words: string, more = '') =>
  `set -f; docker run --rm ${more} $(grep -v '^#' ${own}/run-args) ${image} ${words}`

const says = (what: string) => async (device: Device, command: string) =>
  (await device.root(command)) === 'same' ? undefined : what

/** Checks of the device itself; all that is wrong is said at once. */
function machine(plan: Plan): Step {
  const checks = [
    plan.jetson &&
      '[ "$(uname -m)" = aarch64 ] || echo "expected an arm64 processor, found $(uname -m) (--generic takes any Linux)"',
    plan.jetson &&
      '[ -e /etc/nv_tegra_release ] || echo "expected a Jetson with JetPack, found no /etc/nv_tegra_release (--generic takes any Linux)"',
    plan.jetson &&
      `if [ -e /etc/nv_tegra_release ]; then r=$(sed -n 's/^# R\\([0-9]*\\).*/\\1/p' /etc/nv_tegra_release); [ "$r" -ge 35 ] || echo "expected JetPack 5 or later (L4T 35), found L4T $r"; fi`,
    `free=$(df --output=avail -BG / | tail -n 1 | tr -dc 0-9); docker image inspect ${nameOf(plan.image)} >/dev/null 2>&1 || [ "$free" -ge ${leastFreeGib} ] || echo "expected ${leastFreeGib} GiB free on /, found $free"`,
    'command -v bash sha256sum tar systemctl >/dev/null || echo "expected bash, sha256sum, tar and systemctl"',
  ]
  return {
    name: 'device',
    shown: '',
    same: plan.jetson ? 'an arm64 board with JetPack, room on the disk' : 'room on the disk',
    async look(device) {
      const wrong = await device.root(checks.filter(Boolean).join('\n'))
      if (wrong) throw new Error(`Nothing was changed:\n${wrong}`)
      return undefined
    },
    act: async () => undefined,
  }
}

const runtime = ({ jetson }: Plan): Step => {
  const shown = [
    `mkdir -p ${kept} /etc/docker`,
    // The first time, so that the way back is known.
    `[ -e ${kept}/docker.before ] || { if [ -e /etc/docker/daemon.json ]; then cp /etc/docker/daemon.json ${kept}/docker.before; else : >${kept}/docker.before; fi; }`,
    `command -v docker >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq docker.io; }`,
    ...(jetson
      ? [
          `command -v nvidia-ctk >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq nvidia-container-toolkit; }`,
          'nvidia-ctk runtime configure --runtime=docker',
          'systemctl restart docker',
        ]
      : []),
  ].join('\n')
  return {
    name: 'runtime',
    shown,
    same: jetson ? 'Docker with the NVIDIA runtime' : 'Docker',
    look: async (device) =>
      says(jetson ? 'Docker with the NVIDIA runtime is not there' : 'Docker is not there')(
        device,
        `if command -v docker >/dev/null && docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q ${jetson ? 'nvidia' : "'{'"}; then echo same; fi`,
      ),
    async act(device) {
      await device.root(`set -e\n${shown}`)
      return 'installed and set'
    },
  }
}

const image = ({ image }: Plan): Step => ({
  name: 'image',
  shown: 'reference' in image ? `docker pull ${image.reference}` : `docker load   # ${image.file}`,
  same: nameOf(image),
  look: async (device) =>
    says(`${nameOf(image)} is not there`)(device, `docker image inspect ${nameOf(image)} >/dev/null 2>&1 && echo same || true`),
  async act(device) {
    if ('reference' in image) await device.root(`docker pull --quiet ${image.reference}`)
    else await device.root('docker load --quiet', createReadStream(image.file))
    await device.root(
      `docker image inspect ${nameOf(image)} >/dev/null && mkdir -p ${kept} && echo ${nameOf(image)} >>${kept}/images`,
    )
    return `${'reference' in image ? 'pulled' : 'sent'}: ${nameOf(image)}`
  },
})

const settings = ({ settings: { dir, hash }, image }: Plan): Step => ({
  name: 'settings',
  shown: `tar of ${dir} -> /etc/roadmask, which is kept as /etc/roadmask.old`,
  same: '/etc/roadmask',
  look: async (device) =>
    says('/etc/roadmask differs')(device, `[ "$(${folderHashScript('/etc/roadmask')})" = ${hash} ] && echo same || true`),
  async act(device) {
    const uid = (await device.root(`docker run --rm --entrypoint id ${nameOf(image)} -u`)).trim()
    if (!/^\d+$/.test(uid)) throw new Error(`Expected the number of the image's user, found ${uid}`)
    await device.root(
      'rm -rf /etc/roadmask.new && mkdir -m 700 /etc/roadmask.new && tar -x -C /etc/roadmask.new',
      folderTar(dir, uid),
    )
    // A link or a device in the way is none of ours; what was cut off before is taken up here.
    await device.root(`set -e
      chown ${uid} /etc/roadmask.new
      mkdir -p /var/lib/roadmask && chown ${uid}:${uid} /var/lib/roadmask && chmod 700 /var/lib/roadmask
      rm -rf /etc/roadmask.old
      if [ -e /etc/roadmask ]; then mv /etc/roadmask /etc/roadmask.old; fi
      mv /etc/roadmask.new /etc/roadmask
      touch ${kept}/changed`)
    return `from ${dir}; the old ones are in /etc/roadmask.old`
  },
})

/** Files of ours, each compared and written for itself. */
function service(plan: Plan): Step {
  const files = async (device: Device): Promise<[path: string, mode: string, content: string][]> => {
    const groups = await device.root('for g in video render; do getent group $g | cut -d : -f 3; done')
    const environment = [
      `ROADMASK_READY=http://127.0.0.1:${plan.http}/readyz`,
      plan.repository && `ROADMASK_REPOSITORY=${plan.repository}`,
    ]
    return [
      [script, '755', plan.script],
      [unit, '644', plan.unit],
      [`${own}/run-args`, '644', plan.runArguments(groups.split('\n').filter(Boolean))],
      [`${own}/host.env`, '644', `${environment.filter(Boolean).join('\n')}\n`],
    ]
  }
  const different = async (device: Device) => {
    const all = await files(device)
    const found = await Promise.all(
      all.map(([path, , content]) =>
        device.root(`cmp -s - ${path} && echo same || true`, content).then((answer) => answer === 'same'),
      ),
    )
    return all.filter((_, i) => !found[i])
  }
  return {
    name: 'service',
    shown: `write ${script}, ${unit}, ${own}/run-args, ${own}/host.env\nsystemctl daemon-reload`,
    same: 'roadmask.service and its files',
    async look(device) {
      const paths = (await different(device)).map(([path]) => path)
      return paths.length ? `${paths.join(', ')} differ` : undefined
    },
    async act(device) {
      const wrong = await different(device)
      for (const [path, mode, content] of wrong) await device.root(put(path, mode), content)
      await device.root(`mkdir -p ${kept} && touch ${kept}/changed && systemctl daemon-reload`)
      return `wrote ${wrong.map(([path]) => path).join(', ')}`
    },
  }
}

const check = ({ image }: Plan): Step => ({
  name: 'check',
  shown: once(nameOf(image), 'check /etc/roadmask/agent.yaml'),
  same: 'the settings were checked when they came',
  look: async (device) =>
    says('the agent has not looked at its settings')(device, `[ -e ${kept}/changed ] || [ ! -e ${kept}/current ] || echo same`),
  async act(device) {
    await device.root(once(nameOf(image), 'check /etc/roadmask/agent.yaml'))
    return "the agent's own check of them found nothing wrong"
  },
})

const power = (mode: string): Step => ({
  name: 'power',
  shown: `nvpmodel -m ${mode}`,
  same: `mode ${mode}`,
  async look(device) {
    const now = await device.root('nvpmodel -q | tail -n 1')
    return now === mode ? undefined : `mode ${now}`
  },
  async act(device) {
    await device.root(`mkdir -p ${kept} && [ -e ${kept}/power.before ] || nvpmodel -q | tail -n 1 >${kept}/power.before`)
    // Some modes need a restart, which nvpmodel asks about and which is left to whoever is there.
    const said = await device.root(`echo no | nvpmodel -m ${mode} 2>&1; nvpmodel -q | tail -n 1`)
    if (said.split('\n').at(-1) !== mode)
      throw new Error(`nvpmodel did not take mode ${mode}; if it wants a restart, do it and run this again: ${said}`)
    return `mode ${mode}`
  },
})

const acceptance = ({ image, minutes }: Plan): Step => {
  const folder = '/var/lib/roadmask/accept'
  const run = once(nameOf(image), `accept --minutes ${minutes} --out ${folder}`)
  return {
    name: 'acceptance',
    shown: `systemctl stop roadmask.service\n${run}`,
    same: 'this image was accepted here before, see accept.json',
    look: async (device) =>
      says(`takes the device for ${minutes} minutes`)(
        device,
        `[ "$(cat ${kept}/accepted 2>/dev/null)" = ${quote(nameOf(image))} ] && echo same || true`,
      ),
    async act(device) {
      // The agent would share the GPU with it; the last step starts it.
      await device.root('systemctl stop roadmask.service 2>/dev/null || true')
      const said = await device.root(`rm -rf ${folder}; ${run}`)
      await device.root(`echo ${quote(nameOf(image))} >${kept}/accepted`)
      return said.split('\n').find((line) => /failed/.test(line)) ?? 'nothing failed'
    },
  }
}

const running = ({ image, http }: Plan): Step => ({
  name: 'agent',
  shown: `echo ${nameOf(image)} >${kept}/current\nsystemctl enable roadmask.service\nsystemctl restart roadmask.service\nwait for http://127.0.0.1:${http}/readyz`,
  same: 'runs',
  look: async (device) =>
    says('does not run as it should')(
      device,
      `[ ! -e ${kept}/changed ] && [ "$(cat ${kept}/current 2>/dev/null)" = ${nameOf(image)} ] && systemctl is-enabled --quiet roadmask.service && systemctl is-active --quiet roadmask.service && echo same || true`,
    ),
  async act(device) {
    await device.root(`mkdir -p ${kept} && rm -f ${kept}/trial && ${put(`${kept}/current`, '644')}`, `${nameOf(image)}\n`)
    await device.root('systemctl enable --quiet roadmask.service && systemctl restart roadmask.service')
    const ready = `set -a; . ${own}/host.env
      for i in $(seq 300); do ${script} ready && exit; sleep 1; done
      echo "it was not ready within 5 minutes: $(docker logs --tail 3 roadmask 2>&1)"; exit 1`
    await device.root(ready)
    await device.root(`rm -f ${kept}/changed`)
    return `runs ${nameOf(image)} and is ready`
  },
})

/** The way back; each step is there only where something is left. */
const undoSteps: Step[] = [
  {
    name: 'agent',
    shown: 'systemctl disable --now roadmask.service',
    same: 'there is none',
    look: async (device) => says('runs, or would at the next start')(device, `[ -e ${unit} ] || echo same`),
    async act(device) {
      await device.root(
        `systemctl disable --now --quiet roadmask.service; docker rm --force roadmask >/dev/null 2>&1; rm -f ${unit} && systemctl daemon-reload`,
      )
      return 'stopped and disabled'
    },
  },
  {
    name: 'power',
    shown: `nvpmodel -m "$(cat ${kept}/power.before)"`,
    same: 'was not changed',
    look: async (device) => says('was changed')(device, `[ -e ${kept}/power.before ] || echo same`),
    act: async (device) =>
      `mode ${await device.root(`mode=$(cat ${kept}/power.before) && echo no | nvpmodel -m "$mode" >/dev/null && rm ${kept}/power.before && echo "$mode"`)}, as before`,
  },
  {
    name: 'runtime',
    shown: `${kept}/docker.before -> /etc/docker/daemon.json; systemctl restart docker`,
    same: 'was not changed',
    look: async (device) => says('was changed')(device, `[ -e ${kept}/docker.before ] || echo same`),
    async act(device) {
      await device.root(`set -e
        if [ -s ${kept}/docker.before ]; then cp ${kept}/docker.before /etc/docker/daemon.json; else rm -f /etc/docker/daemon.json; fi
        rm ${kept}/docker.before
        systemctl restart docker`)
      return "Docker's settings are as before; packages stay"
    },
  },
  {
    name: 'files',
    shown: `docker image rm   # the agent's\nrm -rf ${own} ${kept} /etc/roadmask /etc/roadmask.old ${script}`,
    same: 'there are none',
    look: async (device) =>
      says('settings, image and our own files are there')(
        device,
        `[ -e ${own} ] || [ -e ${kept} ] || [ -e ${script} ] || [ -e /etc/roadmask ] || echo same`,
      ),
    async act(device) {
      await device.root(`cat ${kept}/images ${kept}/current ${kept}/previous 2>/dev/null | sort -u | while read -r i; do docker image rm --force "$i" >/dev/null 2>&1; done
        rm -rf ${own} ${kept} /etc/roadmask /etc/roadmask.old /etc/roadmask.new $(dirname ${script})`)
      return 'taken away; /var/lib/roadmask, which holds what the agent recorded, stays'
    },
  },
]

export const steps = {
  forth: (plan: Plan): Step[] => [
    machine(plan),
    runtime(plan),
    image(plan),
    settings(plan),
    service(plan),
    check(plan),
    ...(plan.power === undefined ? [] : [power(plan.power)]),
    ...(plan.minutes > 0 ? [acceptance(plan)] : []),
    running(plan),
  ],
  undo: () => undoSteps,
  async report(device: Device): Promise<{ json: string; html: string }> {
    const read = (name: string) => device.root(`cat /var/lib/roadmask/accept/${name} 2>/dev/null || true`)
    return { json: await read('accept.json'), html: await read('accept.html') }
  },
}
