// Augmentation on pictures that show their label: road is red (200, 0, 0), the rest black, so that a pixel tells its class.
import * as tf from '@tensorflow/tfjs-node-gpu'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ignore } from '../../../trainer/data/dataset.ts'
import { random } from '../../../trainer/data/random.ts'
import { Graph } from '../../../trainer/graph/graph.ts'
import { record, toOutput, toTensor } from '../../../trainer/graph/recorder.ts'
import { openSession } from '../../../trainer/graph/session.ts'
import { type Augmentation, augment, augmentations } from '../../../trainer/model/augment.ts'
import { compress } from '../../../trainer/model/augment-jpeg.ts'
import { changeView, type ViewDraws } from '../../../trainer/model/augment-view.ts'

const viewDraws = ['flip', 'scale', 'across', 'down', 'aspect', 'rotation', 'tilt', 'pan'] as const
const [n, h, w] = [8, 24, 32]
const { none, plain, strong } = augmentations
const road = (x: number, y: number) => x >= 4 && x < 14 && y >= 12 && y < 20
const labelBytes = Int32Array.from({ length: n * h * w }, (_, i) => (road(i % w, Math.floor(i / w) % h) ? 1 : 0))
const pictureBytes = Int32Array.from({ length: n * h * w * 3 }, (_, i) => (i % 3 === 0 ? 200 * labelBytes[(i / 3) | 0]! : 0))

let [pictures, labels]: tf.Tensor[] = []
beforeAll(() => {
  pictures = tf.tensor(pictureBytes, [n, h, w, 3], 'int32')
  labels = tf.tensor(labelBytes, [n, h, w], 'int32')
})
afterAll(() => tf.dispose([pictures!, labels!]))

interface Changed {
  pictures: Float32Array
  labels: Int32Array
}

function change(strength: Augmentation, seed: [number, number] = [1, 1], of = pictures!): Changed {
  return tf.tidy(() => {
    const made = augment(of, labels!, tf.tensor1d(seed, 'int32'), strength)
    return { pictures: made.pictures.dataSync<'float32'>(), labels: made.labels.dataSync<'int32'>() }
  })
}

/** Picture `i` of a batch. */
const part = <T extends Float32Array | Int32Array>(values: T, i: number) =>
  values.subarray((i * values.length) / n, ((i + 1) * values.length) / n) as T

/** The first and last column and row of class 1, and the share of it. */
function extent(ids: Int32Array) {
  const at = [...ids.keys()].filter((i) => ids[i] === 1)
  const [columns, rows] = [at.map((i) => i % w), at.map((i) => Math.floor(i / w))]
  return { left: Math.min(...columns), right: Math.max(...columns), top: Math.min(...rows), bottom: Math.max(...rows) }
}

describe('augmentation', () => {
  it('changes nothing without settings', () => {
    const made = change(none)
    expect(made.pictures).toEqual(Float32Array.from(pictureBytes))
    expect(made.labels).toEqual(labelBytes)
  })

  it('mirrors picture and label alike, every other picture on the average, to the bit', () => {
    let mirrored = 0
    for (let step = 1; step <= 25; step++) {
      const made = change({ ...none, flip: true }, [1, step])
      for (let i = 0; i < n; i++) {
        const { left, right, top, bottom } = extent(part(made.labels, i))
        expect([top, bottom]).toEqual([12, 19])
        const flipped = left !== 4
        expect([left, right]).toEqual(flipped ? [w - 14, w - 5] : [4, 13])
        if (flipped) mirrored++
      }
      expect(made.pictures.filter((_, i) => i % 3 === 0)).toEqual(Float32Array.from(made.labels, (id) => 200 * id))
    }
    expect(mirrored).toBeGreaterThan(75)
    expect(mirrored).toBeLessThan(125)
  })

  it('zooms picture and label together, within a pixel, over the whole field', () => {
    const sizes: number[] = []
    for (let step = 1; step <= 12; step++) {
      const made = change({ ...none, flip: true, field: [0.8, 1.5] }, [1, step])
      for (let i = 0; i < n; i++) {
        const [picture, ids] = [part(made.pictures, i), part(made.labels, i)]
        sizes.push((extent(ids).right - extent(ids).left + 1) / 10)
        for (const [at, id] of ids.entries()) {
          const red = picture[3 * at]!
          if (id === ignore) expect([...picture.subarray(3 * at, 3 * at + 3)]).toEqual([128, 128, 128])
          // Nearest neighbour is on the side that bilinear gives more weight in both directions, so at least a quarter.
          else if (id === 1) expect(red).toBeGreaterThanOrEqual(200 * 0.25 - 0.01)
          else expect(red).toBeLessThanOrEqual(200 * 0.75 + 0.01)
        }
      }
    }
    expect(Math.min(...sizes)).toBeLessThan(0.8)
    expect(Math.max(...sizes)).toBeGreaterThan(1.1)
  })

  it('shows grey that counts nowhere around a picture that is zoomed out, and none in one that is zoomed in', () => {
    const out = change({ ...none, field: [1.5, 1.5] })
    for (let i = 0; i < n; i++) {
      const ignored = part(out.labels, i).filter((id) => id === ignore).length
      expect(ignored / (h * w)).toBeGreaterThan(0.5)
      expect(ignored / (h * w)).toBeLessThan(0.62)
    }
    // The pictures lie in different places.
    expect(new Set(Array.from({ length: n }, (_, i) => extent(part(out.labels, i)).left)).size).toBeGreaterThan(3)
    expect(change({ ...none, field: [0.6, 0.6] }).labels).not.toContain(ignore)
  })

  it('keeps brightness and contrast within their bounds, spread over them', () => {
    const ramp = tf.tensor([78, 128, 178], [1, 1, 1, 3]).tile([n, h, w, 1])
    const seen: [middle: number, slope: number][] = []
    for (let step = 1; step <= 25; step++) {
      const made = change({ ...plain, flip: false }, [1, step], ramp)
      expect(made.labels).toEqual(labelBytes)
      for (let i = 0; i < n; i++) {
        const [low, middle, high] = [...part(made.pictures, i)] as [number, number, number]
        seen.push([middle, (high - low) / 100])
      }
    }
    const [middles, slopes] = [seen.map(([middle]) => middle), seen.map(([, slope]) => slope)]
    expect(Math.min(...middles)).toBeGreaterThan(128 - 26)
    expect(Math.max(...middles)).toBeLessThan(128 + 26)
    expect(Math.max(...middles) - Math.min(...middles)).toBeGreaterThan(40)
    expect(Math.min(...slopes)).toBeGreaterThan(0.799)
    expect(Math.max(...slopes)).toBeLessThan(1.201)
    expect(Math.max(...slopes) - Math.min(...slopes)).toBeGreaterThan(0.3)
    ramp.dispose()
  })

  it('changes saturation and hue of colours, not of greys, nor their luminance', () => {
    const luminance = (rgb: ArrayLike<number>) => 0.213 * rgb[0]! + 0.715 * rgb[1]! + 0.072 * rgb[2]!
    const colour = [120, 100, 90]
    const painted = tf.tensor([...colour, 77, 77, 77], [1, 1, 2, 3]).tile([n, h, w / 2, 1])
    const made = change({ ...none, saturation: 0.4, hue: 15 }, [1, 1], painted)
    const reds = new Set<number>()
    for (let i = 0; i < n; i++) {
      const picture = part(made.pictures, i)
      for (let c = 3; c < 6; c++) expect(picture[c]).toBeCloseTo(77, 3)
      expect(Math.abs(luminance(picture) - luminance(colour))).toBeLessThan(0.05)
      reds.add(picture[0]!)
    }
    expect(reds.size).toBe(n)
    expect(made.labels).toEqual(labelBytes)
    painted.dispose()
  })

  it('turns and tilts picture and label together, and only about the middle', () => {
    for (const view of [{ rotation: 20 }, { perspective: 0.2 }, { aspect: 0.3 }]) {
      const apart: number[] = []
      for (let step = 1; step <= 6; step++) {
        const made = change({ ...none, ...view }, [1, step])
        for (let i = 0; i < n; i++) {
          const [picture, ids] = [part(made.pictures, i), part(made.labels, i)]
          for (const [at, id] of ids.entries()) {
            if (id === 1) expect(picture[3 * at]).toBeGreaterThanOrEqual(200 * 0.2)
            else if (id === 0) expect(picture[3 * at]).toBeLessThanOrEqual(200 * 0.8)
          }
          apart.push(ids.filter((id, at) => id !== labelBytes[at]).length)
        }
      }
      expect(Math.max(...apart)).toBeGreaterThan(20)
      expect(new Set(apart).size).toBeGreaterThan(10)
    }
    const ids = change({ ...none, rotation: 20, perspective: 0.2 }, [1, 2]).labels
    const middle = (h / 2) * w + w / 2
    for (let i = 0; i < n; i++) expect(part(ids, i)[middle]).toBe(labelBytes[middle])
  })

  it('turns by the angle that was drawn', () => {
    // A quarter turn and nothing else: a row becomes a column. The draw of rotation is replaced by its bound.
    const quarter = changeView(
      tf.tensor(
        Float32Array.from({ length: 25 * 3 }, (_, i) => Math.floor(i / 3 / 5) * 10),
        [1, 5, 5, 3],
      ),
      tf.tensor(
        Int32Array.from({ length: 25 }, (_, i) => Math.floor(i / 5)),
        [1, 5, 5],
        'int32',
      ),
      { ...none, rotation: 180 },
      Object.fromEntries(viewDraws.map((name) => [name, tf.tensor1d([0.75])])) as ViewDraws,
    )
    expect([...quarter.labels.dataSync().subarray(0, 5)]).toEqual([0, 1, 2, 3, 4])
    expect(quarter.pictures.dataSync()[3 * 4]).toBeCloseTo(40, 3)
  })

  it('keeps the mean of noise and blur, black and white of gamma, and the side that a shade leaves alone', () => {
    const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length
    const grey = tf.fill([n, h, w, 3], 100)
    const noisy = change({ ...none, noise: 20 }, [1, 1], grey).pictures
    expect(mean(noisy)).toBeGreaterThan(99)
    expect(mean(noisy)).toBeLessThan(101)
    expect(Math.max(...noisy)).toBeGreaterThan(120)
    expect(Math.max(...change({ ...none, blur: 1 }, [1, 1], grey).pictures.map((value) => Math.abs(value - 100)))).toBeLessThan(
      1e-3,
    )
    const shaded = change({ ...none, shade: 0.5 }, [1, 1], grey).pictures
    expect(Math.min(...shaded)).toBeLessThan(80)
    expect(Math.max(...shaded)).toBeGreaterThan(120)
    expect(shaded.filter((value) => Math.abs(value - 100) < 2).length / shaded.length).toBeGreaterThan(0.2)
    const ends = tf.tensor([0, 128, 255], [1, 1, 1, 3]).tile([n, h, w, 1])
    const bent = change({ ...none, gamma: 0.5 }, [1, 1], ends).pictures
    expect(new Set(bent.filter((_, i) => i % 3 === 0))).toEqual(new Set([0]))
    expect(Math.min(...bent.filter((_, i) => i % 3 === 2))).toBeCloseTo(255, 3)
    expect(new Set(bent.filter((_, i) => i % 3 === 1)).size).toBe(n)
    const warm = change({ ...none, temperature: 0.1 }, [1, 1], grey).pictures
    expect(new Set(warm.filter((_, i) => i % 3 === 0)).size).toBe(n)
    expect(Math.max(...warm.filter((_, i) => i % 3 === 1).map((value) => Math.abs(value - 100)))).toBeLessThan(1e-3)
    tf.dispose([grey, ends])
  })

  it('compresses as libjpeg does, also where blocks do not come out even, and each picture by its own quality', async () => {
    const [height, width] = [44, 53]
    const next = random(3, 1)
    // Colours that drift, edges, and some noise.
    const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
      return (x > y ? 140 : 60) + 40 * Math.sin((x + 2 * y) / 4 + (i % 3)) + 30 * next()
    })
    const qualities = [15, 50, 90]
    const raw = { width, height, channels: 3 } as const
    const made = tf.tidy(() => {
      const batch = tf.tile(tf.tensor4d(pixels, [1, height, width, 3]), [3, 1, 1, 1])
      return compress(batch, tf.tensor1d(qualities)).clipByValue(0, 255).dataSync()
    })
    const apart = (a: ArrayLike<number>, b: ArrayLike<number>) => {
      let sum = 0
      // The last blocks are filled up in another way.
      for (let y = 0; y < 40; y++) for (let i = 3 * width * y; i < 3 * (width * y + 48); i++) sum += Math.abs(a[i]! - b[i]!)
      return sum / (40 * 48 * 3)
    }
    for (const [i, quality] of qualities.entries()) {
      const jpeg = await sharp(pixels, { raw }).jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer()
      const theirs = await sharp(jpeg).raw().toBuffer()
      const ours = made.subarray(i * pixels.length, (i + 1) * pixels.length)
      expect(apart(theirs, pixels)).toBeGreaterThan(5)
      // Theirs is rounded to whole levels on the way, of Y, Cb and Cr twice.
      expect(apart(ours, theirs) / apart(theirs, pixels)).toBeLessThan(0.35)
    }
  })

  it('stays within 0 and 255', () => {
    const made = change({ ...none, brightness: 1, contrast: 1, saturation: 1, hue: 180 })
    expect(Math.min(...made.pictures)).toBe(0)
    expect(Math.max(...made.pictures)).toBeLessThanOrEqual(255)
  })

  it('is the same for the same seed and step, another for others, and differs within a batch', () => {
    const once = change(strong, [3, 7])
    expect(change(strong, [3, 7])).toEqual(once)
    for (const seed of [
      [3, 8],
      [4, 7],
      [7, 3],
    ] as [number, number][])
      expect(change(strong, seed).pictures).not.toEqual(once.pictures)
    expect(new Set(Array.from({ length: n }, (_, i) => part(once.pictures, i).join())).size).toBe(n)
  })

  it.each(Object.keys(augmentations) as (keyof typeof augmentations)[])(
    'gives in a recorded graph, from bytes, what it gives eagerly: %s',
    async (name) => {
      const graph = new Graph()
      record(graph, () => {
        const inputs = {
          pictures: graph.placeholder('pictures', [n, h, w, 3], 'uint8'),
          labels: graph.placeholder('labels', [n, h, w], 'uint8'),
          seed: graph.placeholder('seed', [2], 'int32'),
        }
        const seed = toTensor(inputs.seed) as tf.Tensor1D
        const made = augment(toTensor(inputs.pictures), toTensor(inputs.labels), seed, augmentations[name])
        graph.sign('augment', inputs, { pictures: toOutput(made.pictures), labels: toOutput(made.labels) })
      })
      const session = await openSession(graph)
      const eager = change(augmentations[name], [5, 9])
      const made = session.call('augment', {
        pictures: tf.tensor(Uint8Array.from(pictureBytes), [n, h, w, 3], 'bool'),
        labels: tf.tensor(Uint8Array.from(labelBytes), [n, h, w], 'bool'),
        seed: tf.tensor1d([5, 9], 'int32'),
      })
      session.close()
      const values = made.pictures!.dataSync()
      expect(Math.max(...values.map((value, i) => Math.abs(value - eager.pictures[i]!)))).toBeLessThan(1e-3)
      const differing = made.labels!.dataSync().filter((id, i) => id !== eager.labels[i]).length
      expect(differing / labelBytes.length).toBeLessThan(1e-3)
    },
  )

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors
    change(strong)
    expect(tf.memory().numTensors).toBe(before)
  })
})
