// A graph in the form that viewers open: a GraphDef, and an event file for TensorBoard. It is for looking at, not for
// running: weights are left out, nodes are grouped by layer, and every output has its shape.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../deploy/make-folder.ts'
import { layersOf } from './cost.ts'
import { eventFile, graphEvent } from './event-file.ts'
import { graphDef, type Node } from './graph.ts'
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

/** Writes both files into `dir`, which is made, over those of an earlier time, and returns their paths. */
export async function writeGraphView(dir: string, nodes: readonly Node[]): Promise<{ events: string; graph: string }> {
  const shown = viewNodes(nodes)
  // TensorBoard takes a file for events if its name has `tfevents` in it.
  const paths = { events: join(dir, 'events.out.tfevents.0.graph'), graph: join(dir, 'graph.pb') }
  await makeFolder(dir)
  await writeFile(paths.events, Buffer.concat(eventFile(Date.now() / 1000, [graphEvent(shown)])))
  await writeFile(paths.graph, Buffer.concat(graphDef({ nodes: shown })))
  return paths
}
