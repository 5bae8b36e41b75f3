import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBundle } from '../../../deploy/bundle.ts'
import { strangeness } from '../../../deploy/picture-look.ts'
import { demoBundle } from '../../../edge-agent/paths.ts'
import { trainingLooks } from '../../../trainer/finish/training-looks.ts'
import { runProgram } from '../../run-program.ts'
import { makeKitti } from '../data/made-sets.ts'

let dir: string
const input = { width: 64, height: 64, fit: 'letterbox', resizer: 'bilinear', matrix: 'bt601', range: 'video' } as const

/** Grey pictures, four times as wide as high. */
const makeGrey = (levels: number[]) =>
  Promise.all(
    levels.map(async (level, i) => {
      const picture = join(dir, `${i}.png`)
      const background = { r: level, g: level, b: level }
      await sharp({ create: { width: 80, height: 20, channels: 3, background } }).toFile(picture)
      return { name: `${i}`, picture, drive: 'um' }
    }),
  )

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

test('training pictures are looked at without the bars around them', async () => {
  const looks = await trainingLooks(await makeGrey([40, 50, 60, 70, 80, 90]), input)
  expect(looks).toMatchObject({ pictures: 6 })
  expect(looks!.mean[0]).toBeCloseTo(65 / 255, 2) // grey bars would make it 112
  expect(looks!.mean[5]).toBe(0) // nor are there edges
  expect(strangeness(looks!, looks!.examples[0]!)).toBe(0)
  expect(await trainingLooks([], input)).toBeUndefined()
})

test('export --looks adds them to a bundle of before, and changes nothing else in it', async () => {
  const bundle = join(dir, 'bundle')
  await cp(demoBundle, bundle, { recursive: true })
  const data = ['--data', `kitti:${await makeKitti({ um: 12 })}`]
  const ran = await runProgram('trainer/export.js', ['--looks', bundle, ...data])
  expect(ran.err).toBe('')
  expect(ran.out).toMatch(/knows the looks of (\d+) of its \1 training pictures/)
  const [before, after] = [await openBundle(demoBundle), await openBundle(bundle)] // which checks every hash
  const { looks: _, ...was } = before.manifest
  const { looks, ...is } = after.manifest
  expect(is).toEqual(was)
  expect(looks!.mean[0]).toBeCloseTo(115 / 255, 2) // red of 24 columns in steps of ten
  expect(await readFile(join(bundle, 'manifest.json'), 'utf8')).toMatch(/"mean": \[ 0\.\d+, /) // a list a line
  const alone = await runProgram('trainer/export.js', ['--looks', bundle])
  expect([alone.code, alone.err.trim()]).toEqual([1, 'Expected --looks DIR and --data LAYOUT:PATH together'])
}, 60_000)
