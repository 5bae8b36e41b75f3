// A graph in the form that viewers open: a GraphDef, and an event file for TensorBoard. It is for looking at, not for
// running: weights are left out, nodes are grouped by layer, and every output has its shape.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { layersOf } from './cost.ts'
import { graphDef, type Node } from './graph.ts'
import { bytes, double, type Message } from './protobuf.ts'
import { inferShapes } from './saved-shapes.ts'

/** Larger constants are shown without their values. */
const mostShown = 256

/**
 * The nodes as they are shown. `Conv2D_3` of the layer conv2_2 is called `conv2_2/Conv2D_3`: viewers draw what stands before
 * a slash as one box that opens. Sizes that a call chooses are -1.
 */
export function viewNodes(nodes: readonly Node[]): Node[] {
  const layers = layersOf(nodes)
  const names = new Map(
    nodes.map(({ name }) => {
      const layer = layers.get(name)
      return [name, !layer || name.startsWith(`${layer}/`) ? name : `${layer}/${name}`]
    }),
  )
  const renamed = (input: string) => input.replace(/^(\^?)([^:]+)/, (_, control, name) => control + (names.get(name) ?? name))
  const [two, three] = [inferShapes(nodes, 2), inferShapes(nodes, 3)]
  return nodes.map((node) => {
    const outputs = two.get(node.name)?.map(({ shape }, i) => {
      const other = three.get(node.name)![i]!.shape
      return shape.map((size, at) => (size === other[at] ? size : -1))
    })
    const { value } = node.attrs
    const small = !value || !('tensor' in value) || value.tensor.values.byteLength <= mostShown
    return {
      name: names.get(node.name)!,
      op: node.op,
      inputs: node.inputs.map(renamed),
      attrs: {
        ...node.attrs,
        ...(small ? {} : { value: { tensor: { ...value.tensor, values: new Uint8Array() } } }),
        ...(outputs ? { _output_shapes: { shapes: outputs } } : {}),
      },
    }
  })
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), bit by bit from a table. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!
  return ~crc >>> 0
}

/** A record of a TFRecord file: length, its checksum, data, its checksum (tensorflow/core/lib/io/record_writer.h). */
export function record(data: Uint8Array): Message {
  const header = new DataView(new ArrayBuffer(12))
  const footer = new DataView(new ArrayBuffer(4))
  // A checksum of data that holds checksums is weak, so they are stored turned and moved.
  const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  header.setBigUint64(0, BigInt(data.length), true)
  header.setUint32(8, masked(crc32c(new Uint8Array(header.buffer, 0, 8))), true)
  footer.setUint32(0, masked(crc32c(data)), true)
  return [new Uint8Array(header.buffer), data, new Uint8Array(footer.buffer)]
}

/** An event file with one graph (tensorflow/core/util/event.proto). @param time seconds since 1970 */
export function eventFile(graph: Message, time: number): Message {
  const events = [bytes(3, 'brain.Event:2'), bytes(4, graph)]
  return events.flatMap((event) => record(Buffer.concat([...double(1, time), ...event])))
}

/** Writes both files into `dir`, which is made, over those of an earlier time, and returns their paths. */
export async function writeGraphView(dir: string, nodes: readonly Node[]): Promise<{ events: string; graph: string }> {
  const view = graphDef({ nodes: viewNodes(nodes) })
  // TensorBoard takes a file for events if its name has `tfevents` in it.
  const paths = { events: join(dir, 'events.out.tfevents.0.graph'), graph: join(dir, 'graph.pb') }
  await mkdir(dir, { recursive: true })
  await writeFile(paths.events, Buffer.concat(eventFile(view, Date.now() / 1000)))
  await writeFile(paths.graph, Buffer.concat(view))
  return paths
}
