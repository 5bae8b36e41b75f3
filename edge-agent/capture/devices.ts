// The cameras that the kernel knows: V4L2's devices, as sysfs lists them.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Device {
  /** As in `v4l2:PATH`. */
  path: string
  /** The driver's name of it, such as "HD Pro Webcam C920". */
  name: string
}

/** In the order of their numbers. `classes`: where sysfs lists them. */
export async function findDevices(classes = '/sys/class/video4linux'): Promise<Device[]> {
  const names = (await readdir(classes).catch(() => [])).filter((name) => /^video\d+$/.test(name))
  const told = await Promise.all(
    names.map(async (name) => {
      const read = (file: string) =>
        readFile(join(classes, name, file), 'utf8').then(
          (text) => text.trim(),
          () => '',
        )
      return {
        path: `/dev/${name}`,
        number: Number(name.slice('video'.length)),
        name: await read('name'),
        index: await read('index'),
      }
    }),
  )
  // The first node of a camera gives pictures; those behind it tell of them (metadata), or give the same.
  return told
    .filter(({ index }) => index === '0' || index === '')
    .sort((a, b) => a.number - b.number)
    .map(({ path, name }) => ({ path, name }))
}
