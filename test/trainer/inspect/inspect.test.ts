// What the look at a data set finds: in a made set with faults, and in real pictures with labels moved on purpose.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { describe, expect, it, vi } from 'vitest'
import type { Dataset } from '../../../trainer/data/dataset.ts'
import { random } from '../../../trainer/data/random.ts'
import { inspectDataset } from '../../../trainer/inspect/find-suspects.ts'
import { inspect } from '../../../trainer/inspect/inspect.ts'
import { chromiumPath, launchChromium } from '../../dashboard/browser.ts'
import { black, madeFolder, magenta, openDataset, paint, realData, red, writePicture } from '../data/made-sets.ts'

const [width, height] = [240, 120]

/** A street: a grey road between walls of coarse noise; each picture has another. */
function street(seed: number) {
  const next = random(seed, 3)
  const fields = Array.from({ length: 24 * 12 }, () => [80 + 150 * next(), 60 + 150 * next(), 60 + 120 * next()])
  const isRoad = (x: number, y: number) => y > 40 && Math.abs(x - 90 - 6 * (seed % 7)) < 0.7 * (y - 30)
  const picture = paint(width, height, (x, y) =>
    isRoad(x, y) ? [50, 50, 55] : fields[24 * Math.floor(y / 10) + Math.floor(x / 10)]!,
  )
  return { picture, isRoad }
}

async function makeSet() {
  const dir = await madeFolder()
  const name = (drive: string, i: number) => `${drive}_${String(i).padStart(6, '0')}`
  const write = async (drive: string, i: number, colour: (x: number, y: number, road: boolean) => number[]) => {
    const { picture, isRoad } = street(20 * drive.charCodeAt(0) + i)
    await writePicture(join(dir, `training/image_2/${name(drive, i)}.png`), width, height, picture)
    const label = paint(width, height, (x, y) => colour(x, y, isRoad(x, y)))
    await writePicture(join(dir, `training/gt_image_2/${drive}_road_${String(i).padStart(6, '0')}.png`), width, height, label)
    return { picture, isRoad }
  }
  const right = (_x: number, _y: number, road: boolean) => (road ? magenta : red)
  for (const drive of ['a', 'b']) for (let i = 0; i < 3; i++) await write(drive, i, right)
  await write('a', 3, () => red)
  await write('a', 4, (_, y) => (y < 30 ? black : magenta))
  await write('a', 5, () => black)
  const { isRoad } = street(20 * 97 + 6)
  await write('a', 6, (x, y) => (isRoad(x + 9, y - 6) ? magenta : red))
  // A picture of drive a again in drive b, darker and from a lossy file.
  const again = await sharp(join(dir, 'training/image_2/a_000001.png')).linear(0.8, 0).jpeg({ quality: 50 }).toBuffer()
  await sharp(again).toFile(join(dir, 'training/image_2/b_000003.png'))
  const label = await readFile(join(dir, 'training/gt_image_2/a_road_000001.png'))
  await sharp(label).toFile(join(dir, 'training/gt_image_2/b_road_000003.png'))
  return dir
}

describe('a look at a data set', () => {
  it('names labels that are empty, full, missing or shifted, and pictures on both sides of the split', async () => {
    const dir = await makeSet()
    const data = await openDataset(`kitti:${dir}`, { classes: 'all', valFraction: 0.3, seed: 1, leaveOut: ['b'] })
    const { suspects, faults, shares, ofKnownDrives } = await inspectDataset(data)
    expect(suspects.map(({ kind, split, sample }) => [sample.name, split, kind])).toEqual([
      ['a_000003', 'train', 'no road'],
      ['a_000004', 'train', 'all road'],
      ['a_000005', 'train', 'unlabelled'],
      ['a_000006', 'train', 'shifted'],
      ['b_000003', 'val', 'near-duplicate'],
    ])
    expect(suspects[3]!.about).toBe('fits better 9 px right, 6 px up')
    expect(suspects[4]!.twin!.name).toBe('a_000001')
    expect(faults).toEqual([])
    expect(ofKnownDrives).toBe(0)
    expect(shares.map(({ drive, split, pictures }) => [drive, split, pictures])).toEqual([
      ['a', 'train', 7],
      ['b', 'val', 4],
    ])
    expect(shares[0]!.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12)
    expect(shares[1]!.ignored).toBe(0)
  })

  it('writes a page with pictures, goes on where a label has another size, and ends without an error', async () => {
    const dir = await makeSet()
    const small = paint(30, 15, (_, y) => (y > 6 ? magenta : red))
    await writePicture(join(dir, 'training/gt_image_2/a_road_000000.png'), 30, 15, small)
    const out = join(await madeFolder(), 'look')
    const said: string[] = []
    const print = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line))
    await inspect(['--data', `kitti:${dir}`, '--leave-out', 'b', '--out', out, '--json']).finally(() => print.mockRestore())
    expect(said.join('\n')).toMatch(/training refuses: .*a_road_000000.png: expected 240x120 like its picture/)
    const json = JSON.parse(said.at(-1)!)
    expect(json.suspects).toContainEqual(expect.objectContaining({ kind: 'shifted', name: 'a_000006', split: 'train' }))
    expect(json.faults).toHaveLength(1)
    const page = await readFile(join(out, 'report.html'), 'utf8')
    expect(/Labels that seem shifted: \d+/.exec(page)?.[0]).toBe('Labels that seem shifted: 1')
    expect(page.match(/src="data:image\/jpeg;base64,/g)!.length).toBeGreaterThan(6)
    await expect(inspect(['--data', `kitti:${join(dir, 'nowhere')}`])).rejects.toThrow(/Expected KITTI's road data/)
    await expect(inspect([])).rejects.toThrow(/Expected --data LAYOUT:PATH/)
    if (!chromiumPath) return
    const browser = await launchChromium()
    const phone = await browser.newPage({ viewport: { width: 390, height: 800 } })
    await phone.goto(pathToFileURL(join(out, 'report.html')).href)
    expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390)
    expect(await phone.locator('.facts').textContent()).toMatch(/training pictures11: 7 to train on, 4 to validate on/)
    // A row of the table of classes is one line of text.
    expect((await phone.locator('.shares tr', { hasText: 'train' }).boundingBox())!.height).toBeLessThan(40)
    await browser.close()
  })

  it.skipIf(!realData)('suspects real labels moved by 12 of 480 pixels, and none as they are', async () => {
    const all = await openDataset(`camvid:${realData}/camvid`, { classes: 'all', valFraction: 0.2, seed: 1 })
    const some: Dataset = { ...all, train: all.train.filter((_, i) => i % 12 === 0), val: [], test: [] }
    const moved = (right: number): Dataset => ({
      ...some,
      async readLabel(file) {
        const { width, height, ids } = await all.readLabel(file)
        const place = (at: number) => ((at % width) - right < 0 ? 255 : ids[at - right]!)
        return { width, height, ids: Uint8Array.from(ids, (_, at) => place(at)) }
      },
    })
    const found = async (dataset: Dataset) => (await inspectDataset(dataset)).suspects.filter(({ kind }) => kind === 'shifted')
    expect(await found(moved(0))).toEqual([])
    const shifted = await found(moved(12))
    expect(shifted).toHaveLength(some.train.length)
    for (const { shift } of shifted) expect(480 * shift!.right).toBeCloseTo(-12, -1)
  })
})
