// What a replay plays, as cameras that end: a video is one; pictures are one for each form they come in, since a pipeline
// fits one size; a recording is its pictures, camera by camera. Frames are numbered and timed here where the stream does not.
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import { pictureForm } from '../../deploy/fit-picture.ts'
import { readRecording } from '../record/recording.ts'
import { CameraConfig } from '../settings/config.ts'

export interface Clip {
  camera: CameraConfig
  /** Of pictures: what each is called, its number in the whole replay, and its time. */
  pictures?: { name: string; number: number; capturedMicros: number }[]
}

const Image = z.object({ frame_id: z.string(), data: z.string() })

interface Picture {
  path: string
  name: string
  camera: string
  capturedMicros: number
}

/** Opens a video, a folder of pictures or a recording (.mcap). `work`: folder for what has to lie on the disk meanwhile. */
export async function openClips(input: string, work: string): Promise<Clip[]> {
  const found = await stat(input).catch((cause: unknown) => {
    throw new Error(`Expected a video, a folder of pictures or a recording (.mcap), but ${input} cannot be read`, { cause })
  })
  if (found.isDirectory()) return clipsOf(await picturesIn(resolve(input)), work)
  if (input.endsWith('.mcap')) return clipsOf(await recordedPictures(input, work), work)
  return [{ camera: CameraConfig.parse({ name: 'replay', source: `file:${resolve(input)}`, loop: false }) }]
}

/** The pictures of a folder and those below it, in the order of their names. */
async function picturesIn(dir: string): Promise<Picture[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => !entry.isDirectory() && /^[^.].*\.(png|jpe?g)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
  if (paths.length === 0) throw new Error(`Expected pictures (.jpg, .png) in ${dir}, found none`)
  const named = paths.map((path) => ({ path, name: relative(dir, path).split(sep).join('/') }))
  named.sort((a, b) => (a.name < b.name ? -1 : 1))
  return named.map((picture, i) => ({ ...picture, camera: 'replay', capturedMicros: i * 1_000_000 }))
}

/** The pictures of a recording, in the order they were taken, written to `work`. */
async function recordedPictures(file: string, work: string): Promise<Picture[]> {
  const pictures: Picture[] = []
  for await (const { topic, micros, json } of readRecording(file)) {
    if (!topic.endsWith('/picture')) continue
    const { frame_id: camera, data } = Image.parse(json)
    const path = join(work, `recorded-${pictures.length}.jpg`)
    await writeFile(path, Buffer.from(data, 'base64'))
    pictures.push({ path, name: `${camera}/${micros}`, camera, capturedMicros: micros })
  }
  if (pictures.length === 0)
    throw new Error(`${basename(file)} has no pictures to replay: they are recorded with "record: { pictures: true }"`)
  return pictures.sort((a, b) => a.capturedMicros - b.capturedMicros || (a.name < b.name ? -1 : 1))
}

async function clipsOf(pictures: readonly Picture[], work: string): Promise<Clip[]> {
  const groups = new Map<string, (Picture & { number: number })[]>()
  for (const [i, picture] of pictures.entries()) {
    const form = `${picture.camera} ${await pictureForm(picture.path)}`
    const group = groups.get(form) ?? []
    group.push({ ...picture, number: i + 1 })
    groups.set(form, group)
  }
  return Promise.all([...groups].map(([form, group], i) => clipOf(form, group, join(work, `pictures-${i}`))))
}

/** One camera that shows pictures of one form, by links that are numbered without a gap. */
async function clipOf(form: string, pictures: (Picture & { number: number })[], dir: string): Promise<Clip> {
  await mkdir(dir)
  await Promise.all(pictures.map(({ path }, i) => symlink(path, join(dir, `${i}`))))
  const png = form.includes(' png ')
  const source =
    `gst:multifilesrc location="${dir}/%d" stop-index=${pictures.length - 1} caps="image/${png ? 'png' : 'jpeg'},framerate=1/1"` +
    ` ! ${png ? 'pngdec' : 'jpegdec'} ! videoflip video-direction=auto` // auto: as the EXIF data says
  const name = pictures[0]!.camera
  return {
    camera: CameraConfig.parse({ name, source }),
    pictures: pictures.map(({ name, number, capturedMicros }) => ({ name, number, capturedMicros })),
  }
}
