// CONTRACT: the bundle, what the trainer makes and the agent runs: a TensorFlow SavedModel beside a manifest that says
// what the model sees, what it answers, how good it is and what every file must hash to. No TensorFlow in here.
import { createHash } from 'node:crypto'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { z } from 'zod'
import { makeFolder } from './make-folder.ts'

/** The SavedModel, within a bundle. */
export const modelFile = 'model/saved_model.pb'

const Precision = z.enum(['float32', 'bfloat16', 'float16', 'int8'])

/**
 * What the signatures `serve` and `score` are named in bfloat16, where a bundle has them in both: `compute` is `auto` then,
 * and a device that computes bfloat16 itself calls those.
 */
export const inBfloat16 = (signature: string) => `${signature}_bfloat16`

const Input = z.object({
  /** Size of the picture that the model takes, in pixels. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** `crop`: the largest part of the model's shape, from the middle of the camera picture. `letterbox`: all of it, with grey bars. */
  fit: z.enum(['crop', 'letterbox']),
  /** How the picture is scaled. `bilinear`: a triangle filter as wide as the reduction (antialiased), as training did. */
  resizer: z.enum(['bilinear']),
  /** What YUV means where the camera's stream does not say. */
  matrix: z.enum(['bt601', 'bt709']),
  range: z.enum(['full', 'video']),
})

const Looks = z
  .strictObject({
    /** Names of the numbers that make a look, in the order of all lists here. */
    numbers: z.array(z.string()).min(1),
    /** How many pictures they were taken from. */
    pictures: z.int(),
    mean: z.array(z.number()),
    deviation: z.array(z.number().positive()),
    /** Looks of pictures that are unlike each other, so that every training picture is near one of them. */
    examples: z.array(z.array(z.number())).min(1),
    /** So near, in deviations, are 99 % of the training pictures. */
    near: z.number().positive(),
  })
  .refine(({ numbers, mean, deviation, examples }) =>
    [mean, deviation, ...examples].every(({ length }) => length === numbers.length),
  )

export const Manifest = z
  .strictObject({
    format: z.literal('roadmask-bundle'),
    version: z.literal(1),
    /** Names this very model: run name and date. */
    name: z.string().min(1),
    created: z.iso.datetime(),
    architecture: z.strictObject({
      net: z.enum(['fcn32s', 'fcn16s', 'fcn8s']),
      encoder: z.literal('vgg16'),
      width: z.number(),
      fc: z.int(),
      batchNorm: z.boolean(),
      parameters: z.int(),
    }),
    input: Input,
    /** By class id. */
    classes: z.array(z.strictObject({ name: z.string(), colour: z.string().regex(/^#[0-9a-f]{6}$/) })).min(2),
    /** The class id that is road. */
    road: z.int(),
    /** The probability from which a pixel is road in a mask; absent where it is the more probable class that counts. */
    threshold: z.number().gt(0).lt(1).optional(),
    /** Measures on validation pictures, 0 to 1, at the labels' own resolution. */
    measures: z.record(z.string(), z.number()),
    /** What weights are stored in and convolutions computed in; absent for float32 in both. */
    precision: z
      .strictObject({
        storage: Precision,
        compute: Precision.or(z.literal('auto')),
        /** Beside the same network all in float32, on the validation pictures: pixels whose class differs, and what changed. */
        pixels_differing: z.number(),
        road_iou_change: z.number().optional(),
        mean_iou_change: z.number().optional(),
      })
      .optional(),
    /** What its training pictures look like, by deploy/picture-look.ts; absent in bundles of before. */
    looks: Looks.optional(),
    /** What it was trained on, and under which licence. */
    data: z.array(
      z.strictObject({ name: z.string(), pictures: z.int(), fingerprint: z.string(), licence: z.string().optional() }),
    ),
    /** Commit of the trainer, and the settings of the run. */
    commit: z.string(),
    settings: z.record(z.string(), z.unknown()),
    /** Every other file of the bundle. */
    files: z.record(z.string(), z.strictObject({ bytes: z.int(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
  })
  .refine(({ road, classes }) => (classes.length === 2 ? road === 1 : road >= 0 && road < classes.length), {
    path: ['road'],
    message: 'expected the id of one of the classes, 1 where there are two',
  })
  .refine(({ files }) => modelFile in files, { path: ['files'], message: `expected ${modelFile} among them` })

export type Manifest = z.infer<typeof Manifest>
export type ModelInput = z.infer<typeof Input>

export interface Bundle {
  dir: string
  manifest: Manifest
}

/** Within a bundle. */
export const manifestFile = 'manifest.json'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A list of numbers on one line. */
const textOf = (manifest: Manifest) =>
  JSON.stringify(manifest, null, 2).replace(/\[[-\d\s.,e]+\]/g, (list) => list.replace(/\s+/g, ' '))

/**
 * Writes a bundle: the files under their relative paths, and a manifest with their sizes and hashes.
 * It appears under `dir` as a whole or not at all; a bundle that was there before is replaced. Throws where something else
 * is there.
 */
export async function writeBundle(
  dir: string,
  manifest: Omit<Manifest, 'files' | 'format' | 'version'>,
  files: Record<string, Uint8Array>,
): Promise<Bundle> {
  await expectReplaceable(dir)
  const made = `${dir}.${process.pid}.tmp`
  await rm(made, { recursive: true, force: true })
  const listed: Manifest['files'] = {}
  for (const [path, bytes] of Object.entries(files)) listed[path] = { bytes: bytes.length, sha256: sha256(bytes) }
  const whole = Manifest.parse({ format: 'roadmask-bundle', version: 1, ...manifest, files: listed })
  try {
    for (const [path, bytes] of Object.entries(files)) {
      await makeFolder(dirname(join(made, path)))
      await writeFile(join(made, path), bytes)
    }
    await writeFile(join(made, manifestFile), `${textOf(whole)}\n`)
    const before = `${made}.before` // moved, since removing takes longer, and until then there would be none
    await rename(dir, before).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await rename(made, dir).catch(async (error: unknown) => {
      await rename(before, dir).catch(() => {})
      throw error
    })
    await rm(before, { recursive: true, force: true })
  } catch (error) {
    await rm(made, { recursive: true, force: true })
    throw error
  }
  return { dir, manifest: whole }
}

/** Throws where `dir` is there and is neither empty nor a bundle: nothing that belongs to somebody is replaced. */
export async function expectReplaceable(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new Error(`Expected a folder for the bundle at ${dir}, found something else (${error.code})`, { cause: error })
  })
  if (entries.length === 0) return
  const text = await readFile(join(dir, manifestFile), 'utf8').catch(() => '')
  if (!text.includes('"roadmask-bundle"'))
    throw new Error(
      `${dir} holds ${entries.slice(0, 3).join(', ')}${entries.length > 3 ? ' …' : ''} and is no bundle; name a new folder for the bundle`,
    )
}

/** Whether a path that a manifest lists stays within the bundle. */
export const isInside = (file: string) => !file.split(/[\\/]/).includes('..') && !file.startsWith(sep)

/** Opens a bundle and checks it whole: the manifest by its schema, every file by its hash. Throws with what is wrong and where. */
export async function openBundle(dir: string): Promise<Bundle> {
  const path = join(dir, manifestFile)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(
      `Expected a bundle in ${dir}, but ${path} cannot be read. A bundle is the folder "bundle" of a training run.`,
      { cause },
    )
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path} is not JSON; copy the bundle again`, { cause })
  }
  const parsed = Manifest.safeParse(json)
  if (!parsed.success) throw new Error(`${path} is not a bundle manifest of version 1:\n${z.prettifyError(parsed.error)}`)
  for (const [file, expected] of Object.entries(parsed.data.files)) {
    if (!isInside(file)) throw new Error(`${path} names ${file}, which is outside the bundle`)
    const bytes = await readFile(join(dir, file)).catch((cause: unknown) => {
      throw new Error(`The bundle ${dir} lacks ${file}; copy it again`, { cause })
    })
    const found = sha256(bytes)
    if (bytes.length !== expected.bytes || found !== expected.sha256)
      throw new Error(
        `${join(dir, file)} is not what the manifest says: expected ${expected.bytes} bytes with sha256 ${expected.sha256}, found ${bytes.length} with ${found}. Copy the bundle again.`,
      )
  }
  return { dir, manifest: parsed.data }
}

/**
 * The part of a camera picture that the model sees, in camera pixels. A letterbox reaches beyond the picture, so its
 * x or y may be negative. Rounded to whole pixels; for `crop`, x and y are even, as chroma-subsampled video needs.
 */
export function modelRegion(
  camera: { width: number; height: number },
  input: Pick<ModelInput, 'width' | 'height' | 'fit'>,
): { x: number; y: number; width: number; height: number } {
  const wider = camera.width * input.height > camera.height * input.width
  const useHeight = input.fit === 'crop' ? wider : !wider
  const width = useHeight ? (camera.height * input.width) / input.height : camera.width
  const height = useHeight ? camera.height : (camera.width * input.height) / input.width
  if (input.fit === 'letterbox')
    return {
      x: Math.round((camera.width - width) / 2),
      y: Math.round((camera.height - height) / 2),
      width: Math.round(width),
      height: Math.round(height),
    }
  const x = 2 * Math.round((camera.width - width) / 4)
  const y = 2 * Math.round((camera.height - height) / 4)
  return { x, y, width: camera.width - 2 * x, height: camera.height - 2 * y }
}
