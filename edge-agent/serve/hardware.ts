// How warm the machine is and how busy a Jetson's GPU, as the kernel tells under /sys.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Hardware {
  /** Degrees Celsius by the name of the place, such as `cpu-thermal`. */
  temperatures: Record<string, number>
  /** 0 to 1; undefined where the kernel does not tell. */
  gpuLoad: number | undefined
}

/** Names of Jetson's GPUs: TX2, Xavier, Orin, and device trees from JetPack 6 on. */
const gpus = /(^|\.)(gp10b|gv11b|ga10b|gpu)$/

const list = (folder: string) => readdir(folder).catch(() => [])
/** A file's one line; undefined where it is not there, as that of a zone whose sensor is off. */
const read = (...path: string[]) =>
  readFile(join(...path), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )

/** `root`: where sysfs is. */
export async function readHardware(root = '/sys'): Promise<Hardware> {
  const temperatures: Record<string, number> = {}
  const thermal = join(root, 'class/thermal')
  for (const zone of (await list(thermal)).filter((name) => name.startsWith('thermal_zone')).sort()) {
    const [type, milli] = await Promise.all([read(thermal, zone, 'type'), read(thermal, zone, 'temp')])
    // Two zones may have the same type, as two sticks of memory do.
    if (milli && Number.isFinite(Number(milli)))
      temperatures[type && !(type in temperatures) ? type : zone] = Number(milli) / 1000
  }
  const devices = join(root, 'class/devfreq')
  const places = (await list(devices)).filter((name) => gpus.test(name)).map((name) => join(devices, name, 'device/load'))
  for (const place of [...places, join(root, 'devices/gpu.0/load'), join(root, 'devices/platform/gpu.0/load')]) {
    const permille = await read(place)
    if (permille && Number.isFinite(Number(permille))) return { temperatures, gpuLoad: Number(permille) / 1000 }
  }
  return { temperatures, gpuLoad: undefined }
}
