import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { drawOverlay, type OverlayCase } from '../../../trainer/report/overlay.ts'
import { pickCases, pickUncertain, writeOverlays } from '../../../trainer/report/overlays.ts'

const [width, height] = [120, 80]
let dir: string
let picture: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-overlays-'))
  picture = join(dir, 'grey.png')
  await sharp({ create: { width, height, channels: 3, background: '#808080' } })
    .png()
    .toFile(picture)
})
afterEach(() => rm(dir, { recursive: true }))

const ids = (of: (x: number, y: number) => number, w = width, h = height) => ({
  width: w,
  height: h,
  ids: Uint8Array.from({ length: w * h }, (_, i) => of(i % w, Math.floor(i / w))),
})

/** Truth: road from row 40 down, the last column unlabelled. Prediction: road left of column 80, of row 30 and below; the top ten rows unseen. */
const shown = (): OverlayCase => ({
  name: 'drive/frame_01',
  picture,
  prediction: ids((x, y) => (y < 10 ? 255 : y >= 30 && (x < 80 || x === 119) ? 1 : 0)),
  truth: ids((x, y) => (x === 119 ? 255 : y >= 40 ? 1 : 0)),
  road: 1,
  roadIou: 0.5,
})

test('right, wrong, missed and uncounted pixels have their tints, the truth its outline, and the rest stays as it was', async () => {
  const overlay = await drawOverlay(shown())
  const at = (x: number, y: number) => [...overlay.pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)]
  expect(overlay).toMatchObject({ width, height })
  const [grey, dark] = [
    [128, 128, 128],
    [57, 57, 57],
  ]
  expect(at(100, 20)).toEqual(grey)
  expect(at(100, 5)).toEqual(dark)
  expect(at(10, 40)).toEqual([255, 255, 255])
  expect(at(10, 39)).not.toEqual([255, 255, 255])
  const [right, wrong, missed, uncounted] = [at(10, 60), at(10, 35), at(100, 60), at(119, 60)]
  expect(right[1]).toBeGreaterThan(Math.max(right[0]!, right[2]!) + 30)
  expect(wrong[0]).toBeGreaterThan(Math.max(wrong[1]!, wrong[2]!) + 60)
  expect(missed[2]).toBeGreaterThan(Math.max(missed[0]!, missed[1]!) + 60)
  expect(uncounted).not.toEqual(grey)
  expect(Math.max(...uncounted) - Math.min(...uncounted)).toBeLessThan(15)
})

test('a picture that a camera turned by EXIF is drawn upright, as it is trained on', async () => {
  const turned = join(dir, 'turned.jpg')
  const upright = sharp(picture).composite([
    { input: { create: { width, height: 30, channels: 3, background: '#000' } }, top: 0, left: 0 },
  ])
  await sharp(await upright.png().toBuffer())
    .rotate(90)
    .withMetadata({ orientation: 8 })
    .jpeg()
    .toFile(turned)
  const overlay = await drawOverlay({ ...shown(), picture: turned, prediction: ids(() => 0), truth: ids(() => 0) })
  expect(overlay).toMatchObject({ width, height })
  expect(overlay.pixels[0]).toBeLessThan(20)
  expect(overlay.pixels.at(-1)).toBeGreaterThan(100)
})

test('without a label all road has one tint and there is no outline', async () => {
  const { truth: _, ...unlabelled } = shown()
  const { pixels } = await drawOverlay(unlabelled)
  const colours = new Set(Array.from({ length: width * height }, (_, i) => pixels.subarray(3 * i, 3 * i + 3).join()))
  expect(colours.size).toBe(3)
})

test('overlays are written at the pictures’ own size with a strip below, with a contact sheet of all', async () => {
  const out = join(dir, 'overlays')
  const { truth: _, ...unlabelled } = shown()
  const paths = await writeOverlays(
    out,
    [
      { name: 'best', title: 'Best', cases: [shown(), shown(), shown(), shown()] },
      { name: 'worst', title: 'Worst', cases: [] },
      { name: 'test', title: 'Test pictures', cases: [{ ...unlabelled, name: 'a/../<b> & "c"' }] },
    ],
    { title: 'Road on validation pictures', subtitle: 'a run' },
  )
  const names = [
    'best-1-drive_frame_01.jpg',
    'best-2-drive_frame_01.jpg',
    'best-3-drive_frame_01.jpg',
    'best-4-drive_frame_01.jpg',
  ]
  expect(paths).toEqual([...names, 'test-1-a_.._b_c_.jpg', 'contact-sheet.jpg'].map((name) => join(out, name)))
  expect((await readdir(out)).length).toBe(6)

  const overlay = await sharp(paths[0]).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  expect(overlay.info).toMatchObject({ width, height: height + 22 })
  // The strip is dark and has light words on it.
  const strip = overlay.data.subarray(3 * width * height)
  expect(Math.min(...strip)).toBeLessThan(50)
  expect(Math.max(...strip)).toBeGreaterThan(150)

  // Three rows of tiles (four best ones, one test picture) under two headings.
  const sheet = await sharp(paths.at(-1)).metadata()
  expect(sheet).toMatchObject({ format: 'jpeg', width: 1524, height: 122 + 2 * 46 + 3 * (320 + 30) + 3 * 14 + 28 - 14 })
  const { channels } = await sharp(paths.at(-1)).stats()
  expect(Math.min(...channels.map(({ stdev }) => stdev))).toBeGreaterThan(20)
})

test('overlays from before go away, other files stay', async () => {
  const out = join(dir, 'overlays')
  const heading = { title: 't', subtitle: 's' }
  await writeOverlays(out, [{ name: 'best', title: 'Best', cases: [shown(), shown()] }], heading)
  await writeFile(join(out, 'best-of-all.jpg'), 'mine')
  await writeFile(join(out, 'worst-1-x.jpg'), 'mine')
  await writeOverlays(out, [{ name: 'best', title: 'Best', cases: [{ ...shown(), name: 'other' }] }], heading)
  expect((await readdir(out)).sort()).toEqual(['best-1-other.jpg', 'best-of-all.jpg', 'contact-sheet.jpg', 'worst-1-x.jpg'])
})

test('a prediction of another size and a picture that cannot be read are named, and nothing is written', async () => {
  const out = join(dir, 'overlays')
  await writeFile(join(dir, 'broken.png'), 'no picture')
  const heading = { title: 't', subtitle: 's' }
  const write = (wrong: OverlayCase) => writeOverlays(out, [{ name: 'best', title: 'Best', cases: [shown(), wrong] }], heading)
  await expect(write({ ...shown(), prediction: ids(() => 0, 60, 40) })).rejects.toThrow(
    "drive/frame_01: expected a prediction of the picture's size, 120 x 80, found 60 x 40",
  )
  await expect(write({ ...shown(), truth: ids(() => 0, 60, 40) })).rejects.toThrow('expected a label of')
  await expect(write({ ...shown(), picture: join(dir, 'broken.png') })).rejects.toThrow('broken.png cannot be read')
  await expect(readFile(join(out, 'contact-sheet.jpg'))).rejects.toThrow('ENOENT')
})

test('best, middling and worst are picked by road IoU, none twice, pictures without road never', () => {
  const pictures = [0.5, 0.9, Number.NaN, 0.1, 0.7, 0.8, 0.3, 0.6, 0.2, 0.4, 0.95, 0.05].map((road_iou) => ({ road_iou }))
  const values = (each: number, from = pictures) =>
    Object.values(pickCases(from, each)).map((list) => list.map(({ road_iou }) => road_iou))
  expect(values(3)).toEqual([
    [0.95, 0.9, 0.8],
    [0.6, 0.5, 0.4],
    [0.05, 0.1, 0.2],
  ])
  expect(values(1)).toEqual([[0.95], [0.5], [0.05]])
  expect(values(3, pictures.slice(0, 2))).toEqual([[0.9], [], [0.5]])
  expect(values(3, pictures.slice(0, 1))).toEqual([[0.5], [], []])
  expect(values(3, [])).toEqual([[], [], []])
})

test('of the pictures not shown yet the least certain are picked, the least certain first', () => {
  const pictures = [0.1, 0.4, 0.2, 0.3, 0.05].map((uncertainty) => ({ uncertainty }))
  const uncertain = pickUncertain(pictures, [pictures[1]!], 2)
  expect(uncertain).toEqual([{ uncertainty: 0.3 }, { uncertainty: 0.2 }])
})

test('of neighbouring uncertain pictures one is picked', () => {
  // 24 pictures in the order of their drive, the least certain in the middle and a second, lower peak at 20.
  const pictures = Array.from({ length: 24 }, (_, i) => ({ uncertainty: 1 / (1 + Math.abs(i - 12)) + (i === 20 ? 0.2 : 0) }))
  const uncertain = pickUncertain(pictures, [], 2)
  expect(uncertain.map((one) => pictures.indexOf(one))).toEqual([12, 20])
})
