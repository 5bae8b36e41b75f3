// What Linux tells of heat, clocks and memory below /sys and /proc, on a Jetson and elsewhere. What a machine does not tell is
// left out. A folder in the place of / lets tests play another machine.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One look at the machine. */
export interface Sample {
  /** Since the load began. */
  seconds: number
  /** By thermal zone, degrees Celsius. */
  temperatures: Record<string, number>
  /** By `cpu0` … and by the name of the GPU's device, MHz. */
  clocks_mhz: Record<string, number>
  /** How busy the GPU was, 0 to 100. */
  gpu_percent?: number
  /** Power taken by rail, in watts. */
  watts: Record<string, number>
  memory_available_mb: number
}

export interface Sensors {
  /** Temperatures at which Linux begins to slow the machine down, and at which it switches it off, by zone. */
  limits: Record<string, { passive?: number; critical?: number }>
  /** The highest clocks there are, MHz. */
  highest_mhz: Record<string, number>
  sample(seconds: number): Sample
  /** Times that each cause has slowed the machine down since it started. */
  throttled(): Record<string, number>
}

const list = (dir: string, name: RegExp) =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((entry) => name.test(entry))
        .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    : []

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return '' // not there, or a sensor that is switched off, which Linux answers with an error
  }
}

/** The number in a file times `scale`; undefined where there is none. */
function number(path: string, scale: number): number | undefined {
  const found = text(path)
  return found !== '' && Number.isFinite(Number(found)) ? Number(found) * scale : undefined
}

const defined = (entries: (readonly [string, number | undefined])[]) =>
  Object.fromEntries(entries.filter((entry): entry is [string, number] => entry[1] !== undefined))

/** The GPU's devfreq device of Tegra's chips: 17000000.ga10b, 57000000.gpu, 17000000.gv11b. */
const gpu = /(ga10b|gv11b|gp10b|gpu)$/

export function openSensors(root = '/'): Sensors {
  const sys = join(root, 'sys')
  const zones = list(join(sys, 'class/thermal'), /^thermal_zone\d+$/).map((zone) => {
    const dir = join(sys, 'class/thermal', zone)
    return { dir, name: text(join(dir, 'type')) || zone }
  })
  const cpus = list(join(sys, 'devices/system/cpu'), /^cpu\d+$/)
    .map((name) => ({ name, dir: join(sys, 'devices/system/cpu', name, 'cpufreq') }))
    .filter(({ dir }) => existsSync(dir))
  const gpus = list(join(sys, 'class/devfreq'), gpu).map((name) => ({
    name: name.replace(/^.*\./, ''),
    dir: join(sys, 'class/devfreq', name),
  }))
  const monitors = list(join(sys, 'class/hwmon'), /^hwmon\d+$/).map((name) => join(sys, 'class/hwmon', name))
  const rails = monitors.flatMap((dir) =>
    list(dir, /^in\d+_label$/).map((label) => ({ dir, name: text(join(dir, label)), at: /\d+/.exec(label)![0] })),
  )

  const limits = Object.fromEntries(
    zones.map(({ dir, name }) => {
      const points = list(dir, /^trip_point_\d+_type$/).map((file) => ({
        type: text(join(dir, file)),
        at: number(join(dir, file.replace('type', 'temp')), 0.001),
      }))
      const lowest = (type: string) => {
        const found = points.flatMap((point) => (point.type === type && point.at !== undefined ? [point.at] : []))
        return found.length ? Math.min(...found) : undefined
      }
      return [name, defined([['passive', lowest('passive')] as const, ['critical', lowest('critical')] as const])]
    }),
  )
  return {
    limits,
    highest_mhz: defined([
      ...cpus.map(({ name, dir }) => [name, number(join(dir, 'cpuinfo_max_freq'), 1e-3)] as const),
      ...gpus.map(({ name, dir }) => [name, number(join(dir, 'max_freq'), 1e-6)] as const),
    ]),
    sample(seconds) {
      const busy = gpus.map(({ dir }) => number(join(dir, 'device/load'), 0.1)).find((load) => load !== undefined)
      const available = /^MemAvailable:\s+(\d+)/m.exec(text(join(root, 'proc/meminfo')))?.[1]
      return {
        seconds,
        temperatures: defined(zones.map(({ dir, name }) => [name, number(join(dir, 'temp'), 1e-3)] as const)),
        clocks_mhz: defined([
          ...cpus.map(({ name, dir }) => [name, number(join(dir, 'scaling_cur_freq'), 1e-3)] as const),
          ...gpus.map(({ name, dir }) => [name, number(join(dir, 'cur_freq'), 1e-6)] as const),
        ]),
        ...(busy !== undefined && { gpu_percent: busy }),
        watts: defined(
          rails.map(({ dir, name, at }) => {
            const [volts, amperes] = [number(join(dir, `in${at}_input`), 1e-3), number(join(dir, `curr${at}_input`), 1e-3)]
            return [name, volts !== undefined && amperes !== undefined ? volts * amperes : undefined] as const
          }),
        ),
        memory_available_mb: (1024 * Number(available ?? Number.NaN)) / 1e6,
      }
    },
    throttled: () =>
      defined([
        // Over-current alarms of a Jetson's power supervision, and the heat alarms of x86-64's cores.
        ...monitors.flatMap((dir) =>
          list(dir, /^oc\d+_event_cnt$/).map((file) => [file.replace('_event_cnt', ''), number(join(dir, file), 1)] as const),
        ),
        ...list(join(sys, 'devices/system/cpu'), /^cpu\d+$/).map(
          (cpu) => [cpu, number(join(sys, 'devices/system/cpu', cpu, 'thermal_throttle/core_throttle_count'), 1)] as const,
        ),
      ]),
  }
}
