// What the machine can do at most: large matrix products in the types that the network computes with.
import * as tf from '@tensorflow/tfjs-node-gpu'
import { Graph, type Output } from '../graph/graph.ts'
import { openSession } from '../graph/session.ts'

const size = 4096
/** One after the other in a call, so that casts count for little. */
const products = 4
const tries = 3

/** The fastest of a few tries, in operations (multiplications and additions) a second: float32, bfloat16. */
export async function matrixProducts(): Promise<number[]> {
  const rates: number[] = []
  for (const type of ['float32', 'bfloat16'] as const) {
    const graph = new Graph()
    const float32 = { type: 'float32' } as const
    const given = ['a', 'b'].map((name) => graph.placeholder(name, [size, size], 'float32')) as [Output, Output]
    const [a, b] = given.map(({ ref }) => graph.add('Cast', [ref], { SrcT: float32, DstT: { type } })) as [string, string]
    let product = a
    for (let i = 0; i < products; i++)
      product = graph.add('MatMul', [product, b], { T: { type }, transpose_a: { bool: false }, transpose_b: { bool: false } })
    const [first, one] = [0, 1].map((at) => graph.constant(new Int32Array([at, at]), [2], 'int32').ref) as [string, string]
    const corner = graph.add('Slice', [product, first, one], { T: { type }, Index: { type: 'int32' } })
    const ref = graph.add('Cast', [corner], { SrcT: { type }, DstT: float32 })
    graph.sign('multiply', { a: given[0], b: given[1] }, { corner: { ref, shape: [1, 1], dtype: 'float32' } })
    const session = await openSession(graph)
    const values = tf.randomUniform([size, size], -0.01, 0.01, 'float32', 1)
    const seconds = Array.from({ length: tries }, () => {
      const start = performance.now()
      tf.tidy(() => session.call('multiply', { a: values, b: values }).corner!.dataSync())
      return (performance.now() - start) / 1000
    })
    rates.push((products * 2 * size ** 3) / Math.min(...seconds))
    values.dispose()
    session.close()
  }
  return rates
}
