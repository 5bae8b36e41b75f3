// Convolutions of 3 x 3 by Winograd's minimal filtering, F(4 x 4, 3 x 3) (Lavin and Gray 2015, arXiv:1509.09308): from tiles of
// 6 x 6 values, 36 products make the 16 outputs that take 144 otherwise. Tiles lie plane by plane, [36, tiles, channels]:
// taking them out of a picture and putting them together are gathers of whole rows, each transform is one product with a
// matrix of at most 36 x 36, and the arithmetic is one batched product of 36. Gradients go the same ways back.
import { type Emit, windowOf } from './convolution-product.ts'
import type { Graph, Output } from './graph.ts'

/**
 * The fewest channels, in and out, that it pays for: transforms pass over memory, of which there is as much whatever the
 * products save. On two cores of an EPYC with AVX2, of processor time: VGG16's layer of 256 channels 0.35 to 0.63, forward or a
 * gradient; that of 128 channels 0.51 to 1.40. All wide convolutions of a step 7097 ms directly, 5676 so from 256, 5483 from 128.
 */
export const manyChannels = 128

/**
 * The transforms in one dimension, for the points 0, 1, -1, 1/2, -2 and infinity, whose products lose least (Barabasz et al.
 * 2018, arXiv:1803.10986): 2e-6 of the result's size, where the sum as it stands loses 3e-7. y = outᵀ ((filter g) · (tile d)).
 */
const transforms = {
  tile: [
    [1, -3 / 2, -2, 3 / 2, 1, 0],
    [0, -1, 1 / 2, 5 / 2, 1, 0],
    [0, 1, -5 / 2, 1 / 2, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 1 / 2, -1, -1 / 2, 1, 0],
    [0, 1, -3 / 2, -2, 3 / 2, 1],
  ],
  filter: [
    [1, 0, 0],
    [1 / 3, 1 / 3, 1 / 3],
    [-1 / 3, 1 / 3, -1 / 3],
    [-16 / 15, -8 / 15, -4 / 15],
    [1 / 15, -2 / 15, 4 / 15],
    [0, 0, 1],
  ],
  out: [
    [1, 0, 0, 0],
    [1, 1, 1, 1],
    [1, -1, 1, -1],
    [1, 1 / 2, 1 / 4, 1 / 8],
    [1, -2, 4, -8],
    [0, 0, 0, 1],
  ],
}

/** Of both dimensions at once: the Kronecker product of a matrix with itself, [36, columns²]. */
function both(matrix: number[][]): Float32Array {
  return Float32Array.from(matrix.flatMap((a) => matrix.flatMap((b) => a.flatMap((x) => b.map((y) => x * y)))))
}

/** What the gradients have in common with forward (the transformed picture and filter), and the matrices. */
const made = new WeakMap<Graph, Map<string, Output>>()

const float32 = { type: 'float32' } as const
const int32 = { type: 'int32' } as const
const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

/** Rows of pictures [n, h, w] that tiles of size x size are made of, each 4 beyond the other; outside is the row n h w. */
function tileRows([n, h, w]: number[], tiles: number[], size: number, start: number[], mirrored: boolean): Int32Array {
  const rows: number[] = []
  const place = (at: number) => (mirrored ? size - 1 - at : at)
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++)
      for (let picture = 0; picture < n!; picture++)
        for (let t = 0; t < tiles[0]!; t++)
          for (let u = 0; u < tiles[1]!; u++) {
            const [y, x] = [4 * t + place(i) + start[0]!, 4 * u + place(j) + start[1]!]
            rows.push(y >= 0 && y < h! && x >= 0 && x < w! ? (picture * h! + y) * w! + x : count([n!, h!, w!]))
          }
  return Int32Array.from(rows)
}

/** Rows of tiles, plane by plane, that pictures [n, h, w] are put together of. */
function pictureRows([n, h, w]: number[], tiles: number[], mirrored: boolean): Int32Array {
  const rows: number[] = []
  const place = (at: number) => (mirrored ? 3 - (at % 4) : at % 4)
  for (let picture = 0; picture < n!; picture++)
    for (let y = 0; y < h!; y++)
      for (let x = 0; x < w!; x++) {
        const plane = place(y) * 4 + place(x)
        rows.push(((plane * n! + picture) * tiles[0]! + (y >> 2)) * tiles[1]! + (x >> 2))
      }
  return Int32Array.from(rows)
}

/**
 * Records a convolution of 3 x 3 and step 1, or one of its two gradients, as minimal filtering, where it has many channels
 * (`graph.winogradFrom`) and computes in float32.
 * @param output shape that the op itself would give
 * @returns what stands for its output; undefined where the op is better recorded as it is
 */
export function winograd(
  graph: Graph,
  emit: Emit,
  op: string,
  inputs: readonly Output[],
  attrs: Parameters<Emit>[2],
  output: readonly number[],
): Output | undefined {
  const window = windowOf(op, inputs, attrs, output)
  if (!window || graph.compute !== 'float32' || graph.dynamicBatch) return undefined
  const [height, width, from, to] = window.filter as [number, number, number, number]
  if (height !== 3 || width !== 3 || Math.min(from, to) < graph.winogradFrom) return undefined

  const known = made.get(graph) ?? new Map<string, Output>()
  made.set(graph, known)
  const once = (key: string, make: () => Output) => {
    const output = known.get(key) ?? make()
    known.set(key, output)
    return output
  }
  const numbers = (values: Int32Array) => graph.constant(values, [values.length], 'int32')
  const zero = () => graph.constant(new Int32Array(1), [], 'int32')
  const matrix = (name: keyof typeof transforms) =>
    once(name, () => {
      const values = both(transforms[name])
      return graph.constant(values, [36, values.length / 36], 'float32')
    })
  const reshape = (x: Output, shape: readonly number[]) =>
    emit('Reshape', [x, numbers(Int32Array.from(shape))], { T: float32, Tshape: int32 })
  const gather = (x: Output, key: string, rows: () => Int32Array) =>
    emit('GatherV2', [x, once(key, () => numbers(rows())), zero()], {
      Tparams: float32,
      Tindices: int32,
      Taxis: int32,
      batch_dims: { int: 0 },
    })
  /** Planes [p, rows, columns] through a transform: [36, rows, columns], or back. */
  const transformed = (name: keyof typeof transforms, x: Output, back: boolean, shape: number[]) => {
    const flat = reshape(x, [x.shape[0]!, count(x.shape) / x.shape[0]!])
    const product = { T: float32, transpose_a: { bool: back }, transpose_b: { bool: false } }
    return reshape(emit('MatMul', [matrix(name), flat], product), shape)
  }
  const products = (a: Output, b: Output, transposed: { a?: true; b?: true } = {}) =>
    emit('BatchMatMulV2', [a, b], {
      T: float32,
      adj_x: { bool: transposed.a === true },
      adj_y: { bool: transposed.b === true },
    })

  /** Tiles of a picture [n, h, w, c] in planes, [size², tiles, c]. */
  const tilesOf = (x: Output, tiles: number[], size: number, start: number[], mirrored = false) => {
    const [shape, channels] = [x.shape.slice(0, 3), x.shape[3]!]
    const rows = once(`${x.ref} rows`, () => {
      const outside = graph.constant(new Float32Array(channels), [1, channels], 'float32')
      const parts = [reshape(x, [count(shape), channels]), outside, zero()]
      return emit('ConcatV2', parts, { N: { int: 2 }, T: float32, Tidx: int32 })
    })
    const key = `tiles ${[shape, tiles, size, start, mirrored]}`
    const gathered = gather(rows, key, () => tileRows(shape, tiles, size, start, mirrored))
    return reshape(gathered, [size * size, shape[0]! * count(tiles), channels])
  }
  /** [36, tiles, c] to the picture of the op's output. */
  const pictureOf = (planes: Output, tiles: number[], mirrored = false) => {
    const [shape, channels] = [output.slice(0, 3), output[3]!]
    const values = transformed('out', planes, true, [16 * planes.shape[1]!, channels])
    const key = `picture ${[shape, tiles, mirrored]}`
    return reshape(
      gather(values, key, () => pictureRows(shape, tiles, mirrored)),
      output,
    )
  }
  const inTiles = (x: Output, tiles: number[], start: number[], mirrored = false) => {
    const planes = tilesOf(x, tiles, 6, start, mirrored)
    return transformed('tile', planes, false, [36, planes.shape[1]!, planes.shape[2]!])
  }
  const tilesFor = (shape: readonly number[]) => shape.slice(1, 3).map((size) => Math.ceil(size / 4))

  const before = window.before.map((size) => -size)
  const picture = (x: Output) => {
    const tiles = tilesFor(window.out)
    return once(`${x.ref} in tiles ${tiles} ${before}`, () => inTiles(x, tiles, before))
  }
  const filter = (w: Output) =>
    once(`${w.ref} transformed`, () => transformed('filter', reshape(w, [9, from * to]), false, [36, from, to]))

  if (op === 'Conv2D') return pictureOf(products(picture(inputs[0]!), filter(inputs[1]!)), tilesFor(output))
  if (op === 'Conv2DBackpropInput') {
    // The same with the filter turned round, which is the same as tiles and outputs turned round.
    const tiles = tilesFor(output)
    const start = window.before.map((size) => size - 2)
    return pictureOf(products(inTiles(inputs[2]!, tiles, start, true), filter(inputs[1]!), { b: true }), tiles, true)
  }
  const tiles = tilesFor(window.out)
  const gradient = tilesOf(inputs[2]!, tiles, 4, [0, 0])
  const planes = transformed('out', gradient, false, [36, gradient.shape[1]!, to])
  const product = products(picture(inputs[0]!), planes, { a: true })
  return transformed('filter', product, true, output as number[])
}
