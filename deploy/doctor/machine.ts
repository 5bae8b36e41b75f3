// The machine itself: system, processor, memory, disk, Node and the packages, NVIDIA's parts, cameras.
import { access, constants, readdir, readFile, statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Finding, Part } from './finding.ts'
import { run } from './run.ts'

const read = (path: string) =>
  readFile(path, 'utf8').then(
    (text) => text.replace(/\0/g, '').trim(),
    () => '',
  )

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

export interface MachineFacts {
  product: { version: string; commit: string }
  system: string
  kernel: string
  machine: string
  processor: { name: string; cores: number; features: string[] }
  node: string
  packages: Record<string, string>
  nvidia: { board: string; gpu: string; driver: string; jetpack: string; cuda: string; cudnn: string }
  memory: { totalBytes: number; availableBytes: number }
  disk: { path: string; totalBytes: number; freeBytes: number }
}

/** Looks at everything but the cameras. `repository` is where the product lies. */
export async function examineMachine(repository: string): Promise<Part<MachineFacts>> {
  const [osRelease, cpuinfo, meminfo, nvidia, commit, disk, product] = await Promise.all([
    read('/etc/os-release'),
    read('/proc/cpuinfo'),
    read('/proc/meminfo'),
    findNvidia(repository),
    run('git', ['-C', repository, 'rev-parse', '--short', 'HEAD']),
    statfs(repository),
    read(join(repository, 'package.json')),
  ])
  const facts: MachineFacts = {
    product: { version: (JSON.parse(product) as { version: string }).version, commit: commit.ok ? commit.out.trim() : '' },
    system: /^PRETTY_NAME="?([^"\n]+)/m.exec(osRelease)?.[1] ?? 'unknown Linux',
    kernel: release(),
    machine: arch(),
    processor: {
      name: cpus()[0]?.model.trim() || (nvidia.board && `of ${nvidia.board}`) || arch(),
      cores: availableParallelism(),
      features: interestingFeatures(cpuinfo),
    },
    node: process.version,
    packages: packageVersions(['@tensorflow/tfjs-node-gpu', 'gstreamer-superficial', 'sharp', 'ws', 'mqtt', 'aedes']),
    nvidia,
    memory: { totalBytes: totalmem(), availableBytes: 1024 * Number(/^MemAvailable:\s+(\d+)/m.exec(meminfo)?.[1] ?? 0) },
    disk: { path: repository, totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize },
  }
  return { facts, findings: describe(facts) }
}

/** What of the processor decides TensorFlow's speed. */
function interestingFeatures(cpuinfo: string): string[] {
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' '))
  return ['avx', 'avx2', 'fma', 'avx512f', 'avx512_bf16', 'amx_bf16', 'asimd', 'bf16', 'i8mm', 'sve'].filter((flag) =>
    flags.has(flag),
  )
}

function packageVersions(names: readonly string[]): Record<string, string> {
  const require = createRequire(import.meta.url)
  return Object.fromEntries(
    names.flatMap((name) => {
      for (const dir of require.resolve.paths(name) ?? [])
        try {
          return [[name, (require(join(dir, name, 'package.json')) as { version: string }).version]]
        } catch {
          // Not in this folder; the next one is further up.
        }
      return []
    }),
  )
}

async function findNvidia(repository: string): Promise<MachineFacts['nvidia']> {
  const deps = join(repository, 'node_modules/@tensorflow/tfjs-node-gpu/deps')
  const [model, tegra, gpu, packages, cudaJson, companions] = await Promise.all([
    read('/proc/device-tree/model'),
    read('/etc/nv_tegra_release'),
    run('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'], { timeoutMs: 20_000 }),
    run('dpkg-query', ['-W', 'nvidia-jetpack', 'nvidia-l4t-core', 'libcudnn*']),
    read('/usr/local/cuda/version.json'),
    readdir(deps).catch(() => []),
  ])
  const installed = (name: RegExp) =>
    packages.out
      .split('\n')
      .find((line) => name.test(line))
      ?.split('\t')[1] ?? ''
  // The companions of TensorFlow's CUDA wheel, such as nvidia_cudnn_cu12-9.28.0.42.dist-info.
  const companion = (name: string) => new RegExp(`^${name}-([\\d.]+)\\.dist-info$`)
  const beside = (name: string) => companions.map((entry) => companion(name).exec(entry)?.[1]).find(Boolean)
  const [name = '', driver = ''] = gpu.ok ? (gpu.out.split('\n')[0] ?? '').split(', ') : []
  const l4t = /R(\d+).*REVISION: ([\d.]+)/.exec(tegra)
  return {
    board: /jetson|orin|xavier|tegra/i.test(model) ? model : '',
    gpu: name,
    driver,
    jetpack: installed(/^nvidia-jetpack\t/) || (l4t ? `L4T ${l4t[1]}.${l4t[2]}` : ''),
    cuda: beside('nvidia_cuda_runtime_cu12') ?? /"cuda"[^}]*"version"\s*:\s*"([^"]+)/.exec(cudaJson)?.[1] ?? '',
    cudnn: beside('nvidia_cudnn_cu12') ?? installed(/^libcudnn\d+\t/),
  }
}

function describe(facts: MachineFacts): Finding[] {
  const { memory, disk, nvidia, processor } = facts
  const machine = (name: string, text: string, state: Finding['state'] = 'ok', advice?: string): Finding => ({
    section: 'Machine',
    name,
    state,
    text,
    ...(advice ? { advice } : {}),
  })
  const versions = (name: string, text: string): Finding => ({ section: 'Versions', name, state: 'ok', text })
  const [major = 0, minor = 0] = facts.node.slice(1).split('.').map(Number)
  const nodeFits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12)
  const nvidiaParts = [
    nvidia.board || nvidia.gpu,
    nvidia.driver && `driver ${nvidia.driver}`,
    nvidia.jetpack && `JetPack ${nvidia.jetpack}`,
    nvidia.cuda && `CUDA ${nvidia.cuda}`,
    nvidia.cudnn && `cuDNN ${nvidia.cudnn}`,
  ].filter(Boolean)
  return [
    machine('system', `${facts.system}, Linux ${facts.kernel} on ${facts.machine}`),
    machine('processor', [`${processor.cores} x ${processor.name}`, ...processor.features].join(' ')),
    memory.availableBytes < 700 * 2 ** 20
      ? machine(
          'memory',
          `${gib(memory.availableBytes)} free of ${gib(memory.totalBytes)}`,
          'problem',
          'The agent with one camera needs about 0.7 GiB. End other programs, or add swap.',
        )
      : machine('memory', `${gib(memory.availableBytes)} free of ${gib(memory.totalBytes)}`),
    disk.freeBytes < 2 ** 30
      ? machine(
          'disk',
          `${gib(disk.freeBytes)} free of ${gib(disk.totalBytes)} in ${disk.path}`,
          disk.freeBytes < 100 * 2 ** 20 ? 'problem' : 'note',
          'Free some space: training runs and new bundles are kept there.',
        )
      : machine('disk', `${gib(disk.freeBytes)} free of ${gib(disk.totalBytes)} in ${disk.path}`),
    machine('NVIDIA', nvidiaParts.join(', ') || 'none', 'ok'),
    versions(
      'Roadmask',
      [facts.product.version, facts.product.commit && `commit ${facts.product.commit}`].filter(Boolean).join(', '),
    ),
    nodeFits
      ? versions('Node', facts.node)
      : {
          ...versions('Node', facts.node),
          state: 'problem',
          advice: 'Expected Node 20 (from 20.19) or 22 (from 22.12). Get one from https://nodejs.org/en/download',
        },
    versions(
      'packages',
      Object.entries(facts.packages)
        .map(([name, version]) => `${name.split('/').at(-1)} ${version}`)
        .join(', '),
    ),
  ]
}

export interface CameraFacts {
  device: string
  name: string
  readable: boolean
}

/** Video devices, as Linux lists them. A camera may have several; the first is the one that gives pictures. */
export async function examineCameras(): Promise<Part<CameraFacts[]>> {
  const names = (await readdir('/dev').catch(() => [])).filter((name) => /^video\d+$/.test(name)).sort()
  const facts = await Promise.all(
    names.map(async (name) => ({
      device: `/dev/${name}`,
      name: await read(`/sys/class/video4linux/${name}/name`),
      readable: await access(`/dev/${name}`, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      ),
    })),
  )
  const findings = facts.map(({ device, name, readable }): Finding => {
    const line = { section: 'Cameras', name: device, text: name || 'video device' }
    return readable
      ? { ...line, state: 'ok' }
      : { ...line, state: 'note', advice: 'This user may not open it: sudo usermod -aG video "$USER", then sign in again.' }
  })
  if (!findings.length)
    findings.push({
      section: 'Cameras',
      name: 'devices',
      state: 'ok',
      text: 'no /dev/video*; network cameras and videos need none',
    })
  return { facts, findings }
}
