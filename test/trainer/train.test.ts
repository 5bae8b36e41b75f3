// The trainer as a person runs it: the whole program, on a small data set in KITTI's layout.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBundle } from '../../deploy/bundle.ts'
import { readLog } from '../../trainer/report/log.ts'
import { readCheckpoint } from '../../trainer/run/checkpoint.ts'
import { type OnOutput, runProgram } from '../run-program.ts'

let dir: string
let kitti: string

/** Pictures of a grey wedge that widens towards the viewer, on green; the wedge is the road. */
async function writePictures(folder: string, count: number) {
  const [width, height] = [96, 48]
  for (const sub of ['training/image_2', 'training/gt_image_2', 'testing/image_2'])
    await mkdir(join(folder, sub), { recursive: true })
  for (let n = 0; n < count; n++) {
    const [pixels, label] = [Buffer.alloc(width * height * 3), Buffer.alloc(width * height * 3)]
    for (let i = 0; i < width * height; i++) {
      const [x, y] = [i % width, Math.floor(i / width)]
      const road = y > 20 && Math.abs(x - 48 - 3 * (n % 5)) < 4 + (y - 20)
      const noise = (i * 31 + n * 17) % 23
      pixels.set(
        road ? [110 + noise, 108 + noise, 112 + noise] : y > 20 ? [40 + noise, 120 + noise, 50] : [150, 180, 230],
        3 * i,
      )
      label.set(road ? [255, 0, 255] : [255, 0, 0], 3 * i)
    }
    const raw = { raw: { width, height, channels: 3 } } as const
    const number = String(n).padStart(6, '0')
    await sharp(pixels, raw)
      .png()
      .toFile(join(folder, `training/image_2/um_${number}.png`))
    await sharp(label, raw)
      .png()
      .toFile(join(folder, `training/gt_image_2/um_road_${number}.png`))
    if (n < 2)
      await sharp(pixels, raw)
        .png()
        .toFile(join(folder, `testing/image_2/um_${number}.png`))
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-train-'))
  kitti = join(dir, 'kitti')
  await writePictures(kitti, 20)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const run = (program: string, args: string[], onOutput?: OnOutput) =>
  runProgram(join('trainer', program), args, { cwd: dir, onOutput })

const small = ['--width', '0.1', '--fc', '16', '--input', '48x24', '--batch', '4', '--preset', 'jetson']

/** Settings that runs of earlier versions did not have. */
const later = [
  'ema',
  'loss',
  'classWeights',
  'schedule',
  'warmUp',
  'optimizer',
  'momentum',
  'patience',
  'minEpochs',
  'tolerance',
  'headEpochs',
  'encoderRate',
]

describe('npm run trainer', () => {
  it('learns the road, writes a run folder, and evaluate measures its bundle the same', async () => {
    const { code, out, err } = await run('train.js', [
      ...small,
      '--epochs',
      '25',
      '--learning-rate',
      '0.01',
      '--data',
      `kitti:${kitti}`,
      '--run',
      'whole',
    ])
    expect(err.replaceAll(/^.*(absl|oneDNN|^I0).*$/gm, '')).not.toMatch(/Error/)
    expect(code).toBe(0)
    expect(out).toMatch(/training pictures +20/)
    expect(out).toMatch(/test pictures +2/)
    const rows = await readLog(join(dir, 'whole/log.csv'))
    expect(rows).toHaveLength(25)
    expect(await readdir(join(dir, 'whole/tensorboard'))).toHaveLength(1)
    expect(rows.at(-1)!.learning_rate).toBeGreaterThan(0)
    const best = Math.max(...rows.map((row) => row.road_iou))
    expect(best).toBeGreaterThan(0.8)

    const { manifest } = await openBundle(join(dir, 'whole/bundle'))
    expect(manifest.measures.road_iou).toBeCloseTo(best, 2)
    expect(manifest.data).toMatchObject([{ name: 'kitti:kitti', pictures: 20 }])
    expect(manifest.input).toMatchObject({ width: 48, height: 24, fit: 'crop' })
    expect(JSON.stringify(manifest)).not.toContain(dir)
    const card = await readFile(join(dir, 'whole/bundle/README.md'), 'utf8')
    expect(card).toMatch(new RegExp(`\\| ${(100 * manifest.measures.road_iou!).toFixed(2)} % \\|`))
    expect(card).toMatch(/^# whole\n.*\| kitti:kitti \| 20 \| .*\|.*On 4 validation pictures.* 4 of them are of drives/s)
    expect(card).not.toMatch(/undefined|NaN|\$\{/)
    for (const plot of ['accuracy.png', 'loss.png', 'augmentation.jpg'])
      expect((await sharp(join(dir, 'whole', plot)).metadata()).width).toBeGreaterThan(1000)
    expect(await readdir(join(dir, 'whole/overlays'))).toEqual(
      expect.arrayContaining(['contact-sheet.jpg', 'test-1-test_um_000000.jpg']),
    )

    const report = await readFile(join(dir, 'whole/report.html'), 'utf8')
    expect(report).toContain(`kept: epoch ${rows.findIndex((row) => row.road_iou === best) + 1}`)
    expect(report).not.toContain(dir)
    const page = ['--report', 'again.html', '--compare', 'whole']
    const evaluated = await run('evaluate.js', ['--bundle', 'whole/bundle', '--data', `kitti:${kitti}`, '--json', ...page])
    expect(evaluated).toMatchObject({ code: 0, err: expect.not.stringContaining('Error') })
    expect(await readFile(join(dir, 'again.html'), 'utf8')).toContain('<span class="quiet">+0.00</span> beside whole')
    const listed = await run('train.js', ['runs', '.'])
    expect(listed.out).toMatch(
      new RegExp(`^run .*\\nwhole +\\d{4}-.* 25/25 +${manifest.measures.road_iou!.toFixed(4)} .*kitti:kitti`),
    )
    const measures = JSON.parse(evaluated.out.trim().split('\n').at(-1)!)
    expect(measures.pictures).toBe(4)
    for (const name of ['road_iou', 'mean_iou', 'pixel_accuracy', 'max_f'])
      expect(measures[name]).toBeCloseTo(manifest.measures[name]!, 6)
  })

  it('evaluate measures confidence pictures beside ground truth, and leaves a bundle out', async () => {
    const truth = join(kitti, 'training/gt_image_2')
    await mkdir(join(dir, 'said'))
    for (const file of await readdir(truth))
      await sharp(join(truth, file))
        .extractChannel('blue')
        .toFile(join(dir, 'said', file))
    const args = ['--predictions', 'said', '--ground-truth', truth, '--json']
    const { code, out } = await run('evaluate.js', args)
    expect(code).toBe(0)
    const { categories } = JSON.parse(out.trim().split('\n').at(-1)!)
    expect(categories.urban).toMatchObject({ pictures: 20, MaxF: 1, AP: 1, PRE: 1, REC: 1, FPR: 0, FNR: 0 })
    expect(categories.um).toEqual(categories.urban)
    await rm(join(dir, 'said/um_road_000003.png'))
    expect(await run('evaluate.js', args)).toMatchObject({
      code: 1,
      err: expect.stringContaining('said/um_road_000003.png is missing\n'),
    })
    expect(await run('evaluate.js', [...args, '--bundle', 'whole/bundle'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('leave --bundle out'),
    })
  })

  it('export writes the bundle of a run again in 16 bits, with what they change; not on other data', async () => {
    // As a run begun by an earlier version has it.
    const path = join(dir, 'whole/settings.json')
    const record = JSON.parse(await readFile(path, 'utf8'))
    const { compute: _, ...settings } = record.settings
    await writeFile(path, JSON.stringify({ ...record, settings }))
    const args = ['--run', 'whole', '--storage', 'float16', '--bundle', 'small']
    expect(await run('export.js', args)).toMatchObject({ code: 0, out: expect.stringMatching(/% of the pixels differ/) })
    const { manifest } = await openBundle(join(dir, 'small'))
    expect(manifest.precision).toMatchObject({ storage: 'float16', compute: 'float32' })
    expect(manifest.precision!.pixels_differing).toBeLessThan(0.01)
    expect((await run('export.js', ['--run', 'whole', '--compute', 'int9'])).err).toBe(
      '--compute: expected auto, float32, bfloat16, float16 or int8, found int9\n',
    )

    const strict = ['--run', 'whole', '--threshold', 'max-f', '--bundle', 'strict']
    expect(await run('export.js', strict)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/road from a probability of 0\.\d{4} on/),
    })
    const { manifest: at } = await openBundle(join(dir, 'strict'))
    expect(at.threshold).toBeCloseTo(at.measures.threshold!, 6)
    // Its road IoU is that of its mask: MaxF as IoU.
    expect(at.measures.road_iou).toBeCloseTo(at.measures.max_f! / (2 - at.measures.max_f!), 4)
    expect(await readFile(join(dir, 'strict/README.md'), 'utf8')).toContain(
      `what has a probability of ${at.threshold!.toFixed(4)} or more`,
    )
    const strictly = await run('evaluate.js', ['--bundle', 'strict', '--data', `kitti:${kitti}`, '--json'])
    expect(JSON.parse(strictly.out.trim().split('\n').at(-1)!).road_iou).toBeCloseTo(at.measures.road_iou!, 6)
    expect((await run('export.js', ['--run', 'whole', '--threshold', '1'])).err).toBe(
      '--threshold: expected a number between 0 and 1, or max-f, found 1\n',
    )
    const spoilt = ['--bundle', 'strict', '--data', `kitti:${kitti}`, '--overlays', 'strict/overlays']
    expect((await run('evaluate.js', spoilt)).err).toMatch(/^strict\/overlays is in the bundle .*strict, which holds the model/)

    await writeFile(path, JSON.stringify({ ...record, data: [{ ...record.data[0], fingerprint: 'another' }] }))
    expect(await run('export.js', args)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is not what whole was begun with/),
    })
  })

  it('learns from a teacher alone, also on pictures without labels, and says what it needs', async () => {
    await mkdir(join(dir, 'unlabelled/drive'), { recursive: true })
    for (const n of [0, 1, 2])
      await copyFile(join(kitti, `training/image_2/um_00000${n}.png`), join(dir, `unlabelled/drive/${n}.png`))
    const data = ['--data', 'pictures:unlabelled', '--data', `kitti:${kitti}`]
    const taught = ['--teacher', 'whole/bundle', '--teacher-share', '1', '--epochs', '20', '--learning-rate', '0.01']
    const { code, out, err } = await run('train.js', [...small, ...data, ...taught, '--run', 'taught'])
    expect(err).not.toMatch(/Expected|Error/)
    expect(code).toBe(0)
    expect(out).toMatch(/pictures:unlabelled\n +training pictures +3 +3 to train on, 0 to validate on/)
    const rows = await readLog(join(dir, 'taught/log.csv'))
    expect(Math.max(...rows.map((row) => row.road_iou))).toBeGreaterThan(0.75)
    expect(await readFile(join(dir, 'taught/bundle/manifest.json'), 'utf8')).not.toContain(dir)
    expect(await readFile(join(dir, 'taught/bundle/README.md'), 'utf8')).toMatch(
      /It was taught by whole, whose data is among these/,
    )

    const alone = await run('train.js', [...small, ...data, '--run', 'alone'])
    expect(alone).toMatchObject({ code: 1, err: expect.stringMatching(/no labels.*--teacher RUN/) })
    const others = ['--data', 'pairs:nothing', '--class-map', '0=grass,1=road,2=sky', '--classes', 'all']
    await mkdir(join(dir, 'nothing/images'), { recursive: true })
    await mkdir(join(dir, 'nothing/masks'), { recursive: true })
    for (const n of [0, 1]) {
      await copyFile(join(kitti, `training/image_2/um_00000${n}.png`), join(dir, `nothing/images/${n}.png`))
      await sharp(Buffer.alloc(96 * 48, n), { raw: { width: 96, height: 48, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(dir, `nothing/masks/${n}.png`))
    }
    const unlike = await run('train.js', [...small, ...others, '--teacher', 'whole', '--run', 'unlike'])
    expect(unlike).toMatchObject({
      code: 1,
      err: expect.stringMatching(/knows grass, road, sky; of whole, score_fr does not fit/),
    })
    expect(await readdir(dir)).not.toEqual(expect.arrayContaining(['unlike']))
  })

  it('stopped by SIGTERM within an epoch and resumed, ends where an uninterrupted run ends', async () => {
    const rule = ['--optimizer', 'sgd', '--schedule', 'poly', '--loss', 'cross-entropy+dice', '--class-weights', 'balanced']
    const settings = [...small, '--batch', '2', '--epochs', '4', '--data', `kitti:${kitti}`, '--dropout', '0.3', ...rule]
    const whole = await run('train.js', [...settings, '--run', 'uninterrupted'])
    expect(whole.code).toBe(0)
    let killed = false
    const stopped = await run('train.js', [...settings, '--run', 'interrupted'], (out, kill) => {
      if (killed || !out.includes('epoch 1/4')) return // so that it comes in time on a machine that is busy
      killed = true
      kill('SIGTERM')
    })
    expect(stopped.code).toBe(130)
    expect(stopped.out).toMatch(/npm run trainer -- --resume interrupted/)
    const within = await readCheckpoint(join(dir, 'interrupted/last.safetensors'))
    expect(within.lossSum).toBeGreaterThan(0)
    expect(within.step).toBeGreaterThan(8 * within.epoch)
    const resumed = await run('train.js', ['--resume', 'interrupted'])
    expect(resumed.code).toBe(0)
    const [a, b] = await Promise.all(
      ['uninterrupted', 'interrupted'].map((name) => readCheckpoint(join(dir, name, 'last.safetensors'))),
    )
    expect(b!.step).toBe(a!.step)
    expect(b!.state).toEqual(a!.state)
    const [rowsA, rowsB] = await Promise.all(
      ['uninterrupted', 'interrupted'].map((name) => readLog(join(dir, name, 'log.csv'))),
    )
    expect(rowsB!.map((row) => row.epoch)).toEqual([1, 2, 3, 4])
    expect(rowsB!.map((row) => row.train_loss)).toEqual(rowsA!.map((row) => row.train_loss))
  })

  it('says that there is no room, keeps what it has, and goes on from there', async () => {
    const begun = await run('train.js', [
      ...small,
      '--width',
      '0.2',
      '--epochs',
      '1',
      '--compare',
      'whole',
      '--data',
      `kitti:${kitti}`,
      '--run',
      'full',
    ])
    expect(begun.code).toBe(0)
    const before = await readCheckpoint(join(dir, 'full/last.safetensors'))
    const { size } = await stat(join(dir, 'full/last.safetensors'))
    // Files may not grow beyond a little less than a checkpoint: the same call fails as on a full disk.
    const program = join(import.meta.dirname, '../../build/trainer/train.js')
    const limited = `ulimit -f ${Math.floor(size / 1024) - 1}; exec node ${program} --resume full --epochs 2`
    const { code, stderr } = await promisify(execFile)('bash', ['-c', limited], { cwd: dir }).then(
      () => ({ code: 0, stderr: '' }),
      (error: { code: number; stderr: string }) => error,
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/No room to write .*--resume/)
    expect(await readCheckpoint(join(dir, 'full/last.safetensors'))).toEqual(before)
    expect(await readdir(join(dir, 'full'))).not.toContain('last.safetensors.tmp')
    const resumed = await run('train.js', ['--resume', 'full', '--epochs', '2'])
    expect(resumed.code).toBe(0)
    expect(await readFile(join(dir, 'full/report.html'), 'utf8')).toContain('beside whole')
    expect((await readCheckpoint(join(dir, 'full/last.safetensors'))).epoch).toBe(2)
  })

  it('keeps no epoch whose weights are no numbers, and says what to do', async () => {
    const rule = ['--learning-rate', '1e38', '--clip-norm', '0', '--warm-up', '0']
    const settings = [...small, '--batch', '20', '--epochs', '2', '--data', `kitti:${kitti}`, ...rule]
    const { code, err } = await run('train.js', [...settings, '--run', 'runaway'])
    expect(code).toBe(1)
    expect(err).toMatch(/grown beyond all numbers in epoch 1\. Lower --learning-rate \(1e\+38\); nothing was kept/)
    expect(await readdir(join(dir, 'runaway'))).not.toContain('last.safetensors')
    const resumed = await run('train.js', ['--resume', 'runaway'])
    expect(resumed).toMatchObject({ code: 1, err: expect.stringMatching(/runaway ended before its first checkpoint/) })
  })

  it('starts from a run with new layers first, stopped and resumed ends as uninterrupted, and from a bundle', async () => {
    const begin = ['--from', 'whole', '--fc', '12', '--head-epochs', '1', '--encoder-rate', '0.5']
    const args = [...begin, '--input', '48x24', '--batch', '4', '--epochs', '3', '--data', `kitti:${kitti}`]
    const whole = await run('train.js', [...args, '--run', 'tuned'])
    expect(whole).toMatchObject({ code: 0, out: expect.stringMatching(/from whole: 17 layers loaded, 3 new/) })
    expect(whole.out).toMatch(/fc6 +\[7, 7, 51, 12\] +new +whole has \[7,7,51,16\]/)
    let killed = false
    const stopped = await run('train.js', [...args, '--run', 'cut'], (out, kill) => {
      if (killed || !out.includes('epoch 2/3')) return
      killed = true
      kill('SIGTERM')
    })
    expect(stopped.code).toBe(130)
    expect(await run('train.js', ['--resume', 'cut'])).toMatchObject({ code: 0 })
    const [a, b] = await Promise.all(['tuned', 'cut'].map((name) => readCheckpoint(join(dir, name, 'last.safetensors'))))
    expect(b!.state).toEqual(a!.state)

    const again = await run('train.js', ['--from', 'whole/bundle', '--data', `kitti:${kitti}`, '--epochs', '1', '--run', 'on'])
    expect(again).toMatchObject({ code: 0, out: expect.stringMatching(/from whole: 20 layers loaded, 0 new/) })
    const [before, after] = await Promise.all(['whole', 'on'].map((name) => openBundle(join(dir, name, 'bundle'))))
    expect(after!.manifest.architecture).toMatchObject({ width: 0.1, fc: 16, batchNorm: false })
    expect(after!.manifest.measures.road_iou).toBeGreaterThan(before!.manifest.measures.road_iou! - 0.03)
    expect(await run('train.js', ['--from', 'whole', '--data', `kitti:${kitti}`, '--head-epochs', '1'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Every layer is loaded from whole and none is new/),
    })
  })

  it('stops early where it is told to, also when it is resumed; and goes on as a run of an earlier version would', async () => {
    const path = join(dir, 'early/settings.json')
    const wanted = ['--epochs', '9', '--patience', '1', '--tolerance', '1', '--min-epochs', '2', '--ema', '0']
    for (const args of [
      [...small, ...wanted, '--data', `kitti:${kitti}`, '--run', 'early'],
      ['--resume', 'early'],
    ]) {
      expect(await run('train.js', args)).toMatchObject({ code: 0, out: expect.stringMatching(/Stopped early after epoch 2:/) })
      expect(await readLog(join(dir, 'early/log.csv'))).toHaveLength(2)
    }
    const record = JSON.parse(await readFile(path, 'utf8'))
    for (const name of later) delete record.settings[name]
    await writeFile(path, JSON.stringify(record))
    const on = await run('train.js', ['--resume', 'early', '--epochs', '3'])
    expect(on).toMatchObject({ code: 0, out: expect.not.stringMatching(/Stopped early/) })
    expect(await readLog(join(dir, 'early/log.csv'))).toHaveLength(3)
  })

  it('learns from pairs with a drive left out, and evaluate measures the bundle on that drive', async () => {
    for (const folder of ['images', 'masks']) await mkdir(join(dir, 'pairs', folder), { recursive: true })
    for (let n = 0; n < 6; n++) {
      const name = `${n < 4 ? 'north' : 'south'}_${n}.png`
      await copyFile(join(kitti, `training/image_2/um_00000${n}.png`), join(dir, 'pairs/images', name))
      await copyFile(join(kitti, `training/gt_image_2/um_road_00000${n}.png`), join(dir, 'pairs/masks', name))
    }
    await writeFile(join(dir, 'classes.txt'), '#ff00ff=road\n#ff0000=other\n')
    const data = ['--data', 'pairs:pairs', '--class-map', 'classes.txt', '--leave-out', 'south']
    const { code, out } = await run('train.js', [...small, ...data, '--epochs', '1', '--run', 'paired'])
    expect(code).toBe(0)
    expect(out).toContain('4 to train on, 2 to validate on (drive south)')
    await rm(join(dir, 'classes.txt'))
    const evaluated = await run('evaluate.js', ['--bundle', 'paired/bundle', '--data', 'pairs:pairs', '--json'])
    const { manifest } = await openBundle(join(dir, 'paired/bundle'))
    const measures = JSON.parse(evaluated.out.trim().split('\n').at(-1)!)
    expect(measures.pictures).toBe(2)
    expect(measures.road_iou).toBeCloseTo(manifest.measures.road_iou!, 6)
  })

  it.each([
    ['an unknown option', ['--epoch', '3'], /--epoch/],
    ['a wrong value', ['--epochs', 'many'], /--epochs/],
    ['a folder without the layout', ['--data', 'kitti:nowhere'], /nowhere/],
    ['a layout it does not know', ['--data', 'cityscapes:x'], /kitti, camvid/],
    ['a drive that is not there', ['--data', 'kitti:kitti', '--leave-out', 'uu'], /drives are um \(20\); found uu/],
    ['a run folder that is taken', [...small, '--data', 'kitti:kitti', '--run', 'taken'], /holds a run already/],
    ['other settings for a run that goes on', ['--resume', 'nowhere', '--input', '64x64'], /leave out --input/],
    ["VGG16's weights at another width", [...small, '--data', 'kitti:kitti', '--vgg16', 'taken/w.h5'], /width 1, found 0.1/],
    [
      "weights that are not VGG16's",
      [...small, '--width', '1', '--data', 'kitti:kitti', '--vgg16', 'taken/settings.json'],
      /Expected weights in taken\/settings\.json/,
    ],
    [
      'to start from nothing',
      ['--from', 'taken/none', '--data', 'kitti:kitti'],
      /expected a run folder .* in taken\/none, found neither/,
    ],
    ['a rate for layers that were not loaded', ['--encoder-rate', '0.1'], /add --from or --vgg16/],
    ['a run that is not there', ['--resume', 'nowhere'], /Expected a run to go on with in nowhere/],
  ])('refuses %s in one sentence, and changes nothing', async (_, args, message) => {
    await mkdir(join(dir, 'taken'), { recursive: true })
    for (const file of ['settings.json', 'last.safetensors']) await writeFile(join(dir, 'taken', file), 'kept')
    const before = (await readdir(dir)).sort()
    const { code, err } = await run('train.js', args)
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/ at .*\.js/)
    expect((await readdir(dir)).sort()).toEqual(before)
    expect(await readFile(join(dir, 'taken/settings.json'), 'utf8')).toBe('kept')
  })

  it('names every bad file of a data set before it trains', async () => {
    const broken = join(dir, 'broken')
    await writePictures(broken, 4)
    await rm(join(broken, 'training/image_2/um_000001.png'))
    await writeFile(join(broken, 'training/gt_image_2/um_road_000002.png'), 'no picture')
    const cut = join(broken, 'training/image_2/um_000003.png')
    await writeFile(cut, (await readFile(cut)).subarray(0, 300))
    const { code, err } = await run('train.js', [...small, '--data', `kitti:${broken}`])
    expect(code).toBe(1)
    expect(err).toMatch(/um_road_000001\.png/)
    expect(err).toMatch(/um_road_000002\.png/)
    expect(err).toMatch(/image_2\/um_000003\.png cannot be read/)
    await rm(broken, { recursive: true })
  })

  it('explains itself', async () => {
    const { code, out } = await run('train.js', ['--help'])
    expect(code).toBe(0)
    for (const option of ['--data', '--epochs', '--preset', '--resume', '--input']) expect(out).toContain(option)
  })
})
