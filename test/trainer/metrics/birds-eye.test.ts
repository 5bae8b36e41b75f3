// KITTI's bird's-eye view. The golden numbers are worked out by numpy from the definition of the benchmark's development kit.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { random } from '../../../trainer/data/random.ts'
import { birdsEyeView, readRoadPlane, toBirdsEye } from '../../../trainer/metrics/birds-eye.ts'
import { measurePredictions } from '../../../trainer/metrics/confidence-pictures.ts'
import { readRoadPlanes, startBirdsEye } from '../../../trainer/metrics/model-birds-eye.ts'
import { startPredicting } from '../../../trainer/metrics/predict.ts'
import { hasPython, python } from '../../python.ts'
import { black, madeFolder, magenta, paint, red, writePicture } from '../data/made-sets.ts'

/** A camera 1.6 m above the road with 720 pixels of focal length, looking ahead; its axes are those of the road. */
const straight = `P0: 1 0 0 0 0 1 0 0 0 0 1 0
P2: 720 0 610 0 0 720 173 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_cam_to_road: 1 0 0 0 0 1 0 -1.6 0 0 1 0
`
/** As a car of the benchmark has it: turned a little on all axes, the right-hand colour camera's offsets. */
const tilted = (
  more: number,
) => `P2: 7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 0.000000e+00 7.215377e+02 1.728540e+02 2.163791e-01 0.000000e+00 0.000000e+00 1.000000e+00 2.745884e-03
R0_rect: 9.999239e-01 9.837760e-03 -7.445048e-03 -9.869795e-03 9.999421e-01 -4.278459e-03 7.402527e-03 4.351614e-03 9.999631e-01

Tr_cam_to_road: 9.999069e-01 1.009436e-02 -9.177411e-03 ${-0.0158 + more} -1.016069e-02 9.999224e-01 -7.209373e-03 ${-1.58 - more} 9.103926e-03 7.301947e-03 9.999319e-01 6.131481e-02
`

const devkit = `
import json, sys
import numpy as np

folder, names = sys.argv[1], json.loads(sys.argv[2])

def plane(file):
    read = dict(line.split(':') for line in open(file) if ':' in line)
    p2, r0, road = (np.array(read[k].split(), 'f8') for k in ('P2', 'R0_rect', 'Tr_cam_to_road'))
    rect, pose = np.eye(4), np.eye(4)
    rect[:3, :3], pose[:3] = r0.reshape(3, 3), road.reshape(3, 4)
    return (p2.reshape(3, 4) @ rect @ np.linalg.inv(pose))[:, [0, 2, 3]]

def lookup(matrix, height, width):
    x = np.arange(-10 + 0.05 / 2, 10, 0.05).astype('f4')
    z = np.arange(46 - 0.05 / 2, 6, -0.05).astype('f4')
    xs, zs = np.meshgrid(x, z)
    u, v, w = matrix @ np.stack([xs.ravel(), zs.ravel(), np.ones(xs.size, 'f4')])
    u, v = u / w, v / w
    inside = (v >= 1) & (u >= 1) & (v <= height) & (u <= width)
    at = np.full(xs.size, -1)
    at[inside] = (v[inside].astype('u4').astype('i8') - 1) * width + u[inside].astype('u4') - 1
    return at

thresholds = np.arange(256) / 255.0
bins = np.concatenate(([-np.inf], thresholds, [np.inf]))
totals = {}
for name in names:
    meta = json.load(open(f'{folder}/{name}.json'))
    shape = (meta['height'], meta['width'])
    truth = np.fromfile(f'{folder}/{name}.truth', 'u1').reshape(-1, 3)
    said = np.fromfile(f'{folder}/{name}.said', meta['type'])
    at = lookup(plane(f'{folder}/calib/{name}.txt'), *shape)
    at.astype('i4').tofile(f'{folder}/{name}.view')
    take = lambda plane: np.where(at < 0, 0, plane[at])
    road, valid, probability = take(truth[:, 2]) > 0, take(truth[:, 0]) > 0, take(said)
    probability = np.clip(probability.astype('f4') / np.iinfo(said.dtype).max, 0., 1.)
    fn = np.cumsum(np.histogram(probability[road & valid], bins)[0])[:256]
    fp = np.flipud(np.cumsum(np.flipud(np.histogram(probability[~road & valid], bins)[0])))[1:257]
    one = np.concatenate([fn, fp, [(road & valid).sum(), (~road & valid).sum()]]).astype('f8')
    for key in (name.split('_')[0], 'urban'):
        totals[key] = totals.get(key, 0) + one

def measures(total):
    fn, fp, positives, negatives = total[:256], total[256:512], total[512], total[513]
    tp = positives - fn
    recall, precision = tp / positives, tp / (tp + fp + 1e-10)
    kept = ~((recall == 0) & (precision == 0))
    ap = np.mean([precision[kept & (recall >= r)].max() for r in np.arange(0, 1.1, 0.1)])
    f = np.where(kept, 2 * precision * recall / (precision + recall + 1e-10), 0)
    i = f.argmax()
    return dict(maxF=f[i], ap=ap, precision=tp[i] / (tp[i] + fp[i]), recall=recall[i], fpr=fp[i] / negatives, fnr=fn[i] / positives)

print(json.dumps({key: measures(total) for key, total in totals.items()}))
`

describe("the bird's-eye view", () => {
  it('shows a point of the road in the cell where it lies', async () => {
    const dir = await madeFolder()
    await writeFile(join(dir, 'um_000000.txt'), straight)
    const size = { width: 1242, height: 375 }
    const view = birdsEyeView(await readRoadPlane(join(dir, 'um_000000.txt')), size)
    expect(view).toHaveLength(800 * 400)
    // The cell whose centre is 20.025 m ahead and 0.025 m to the right: u = 610 + 720 * 0.025 / 20.025, v = 173 + 720 * 1.6 / 20.025.
    const row = (46 - 20.05) / 0.05
    expect(view[Math.round(row) * 400 + 200]).toBe(
      (Math.trunc(173 + 1152 / 20.025) - 1) * 1242 + Math.trunc(610 + 18 / 20.025) - 1,
    )
    // 6 m ahead the picture ends on the left and right, and below; those cells are outside.
    expect([view[799 * 400], view[799 * 400 + 399]]).toEqual([-1, -1])
    const far = toBirdsEye(new Uint8Array(1242 * 375).fill(7), view, 3)
    expect([far[0], far[799 * 400]]).toEqual([7, 3])
  })

  it.each([
    ['no line for it', /um.txt: expected a line "R0_rect:" of 9 numbers, found none/, straight.replace('R0_rect', 'R0')],
    ['too few numbers', /expected a line "P2:" of 12 numbers, found "P2: 1 2"/, straight.replace(/P2.*/, 'P2: 1 2')],
    ['no inverse', /a matrix without an inverse/, straight.replace(/Tr_cam.*/, `Tr_cam_to_road: ${'0 '.repeat(12)}`)],
  ])('a calibration file with %s is refused', async (_, expected, text) => {
    const file = join(await madeFolder(), 'um.txt')
    await writeFile(file, text)
    await expect(readRoadPlane(file)).rejects.toThrow(expected)
  })

  it("of a model's prediction counts what lies outside its crop as not road", async () => {
    const dir = await madeFolder()
    await mkdir(join(dir, 'calib'))
    await writeFile(join(dir, 'calib/um_000001.txt'), straight)
    const sample = { name: 'um_000001', picture: join(dir, 'image_2/um_000001.png'), drive: 'um' }
    const elsewhere = { name: 'a', picture: join(dir, 'other/image/a.png'), drive: 'a' }
    const planes = await readRoadPlanes([sample, elsewhere])
    expect([...planes.keys()]).toEqual([sample])
    await expect(readRoadPlanes([{ ...sample, picture: join(dir, 'image_2/um_000002.png') }])).rejects.toThrow(
      /um_000002.txt cannot be read/,
    )

    const size = { width: 1242, height: 375 }
    const truth = { ...size, ids: new Uint8Array(1242 * 375).fill(1) }
    const predict = startPredicting({ classes: [{ name: 'other' }, { name: 'road' }], road: 1 })
    for (const [input, recall] of [
      [{ width: 414, height: 125, fit: 'crop' }, 1],
      [{ width: 100, height: 125, fit: 'crop' }, 0],
    ] as const) {
      const measuring = startBirdsEye(planes, 1)
      const predicted = predict(size, new Float32Array(input.width * input.height).fill(0.75), input)
      measuring.add(sample, truth, predicted)
      measuring.add(elsewhere, truth, predicted)
      const measured = measuring.compute()
      expect([...measured.keys()]).toEqual(['um', 'urban'])
      const { pictures, fnr, maxF } = measured.get('urban')!
      expect(pictures).toBe(1)
      if (recall === 1) expect([maxF, fnr]).toEqual([1, 0])
      // At threshold 0 all cells are road, so that the crop shows in the threshold above.
      else expect(measured.get('um')!.threshold).toBe(0)
    }
  })

  it.skipIf(!hasPython)('gives the numbers of the development kit, by numpy, to 1e-6', async () => {
    const dir = await madeFolder()
    await mkdir(join(dir, 'calib'))
    const next = random(5, 11)
    const pictures = [
      ['um_000000', 1242, 375, 255],
      ['um_000007', 1241, 376, 255],
      ['uu_000003', 1238, 374, 65_535],
    ] as const
    for (const [i, [name, width, height, largest]] of pictures.entries()) {
      await writeFile(join(dir, `calib/${name}.txt`), tilted(i / 30))
      const road = paint(width, height, (x, y) => {
        const side = Math.abs(x - 610 - 20 * i) / Math.max(1, y - 170)
        return next() < 0.02 ? black : side < 1.4 && y > 180 ? magenta : red
      })
      const said = Array.from({ length: width * height }, (_, at) =>
        Math.floor(largest * (road[3 * at + 2]! > 0 ? next() ** 0.4 : next() ** 1.5)),
      )
      const values = largest === 255 ? Uint8Array.from(said) : Uint16Array.from(said)
      const file = name.replace('_', '_road_')
      await writePicture(join(dir, `gt/${file}.png`), width, height, road)
      await writePicture(join(dir, `said/${file}.png`), width, height, values)
      await writeFile(join(dir, `${name}.truth`), road)
      await writeFile(join(dir, `${name}.said`), values)
      await writeFile(join(dir, `${name}.json`), JSON.stringify({ width, height, type: largest === 255 ? 'u1' : '<u2' }))
    }
    await writeFile(join(dir, 'devkit.py'), devkit)
    const names = JSON.stringify(pictures.map(([name]) => name))
    const { stdout } = await promisify(execFile)(python, [join(dir, 'devkit.py'), dir, names])
    const golden = JSON.parse(stdout) as Record<string, Record<string, number>>

    for (const [name, width, height] of pictures) {
      const view = birdsEyeView(await readRoadPlane(join(dir, `calib/${name}.txt`)), { width, height })
      const theirs = await readFile(join(dir, `${name}.view`))
      expect(Buffer.compare(Buffer.from(view.buffer), theirs), name).toBe(0)
      expect(view.some((pixel) => pixel < 0)).toBe(true)
    }
    const { perspective, birdsEye } = await measurePredictions(join(dir, 'said'), join(dir, 'gt'), join(dir, 'calib'))
    expect(Object.keys(golden)).toEqual(['um', 'urban', 'uu'])
    for (const [category, measures] of Object.entries(golden))
      for (const [name, value] of Object.entries(measures))
        expect(Math.abs(birdsEye!.get(category)![name as 'maxF'] - value), `${name} of ${category}`).toBeLessThan(1e-6)
    expect(Math.abs(perspective.get('um')!.maxF - golden.um!.maxF!)).toBeGreaterThan(1e-4)
  })
})
