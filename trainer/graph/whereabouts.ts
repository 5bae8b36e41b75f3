// Where in a caller's program a recording came to what it cannot hold: the layer and the tfjs op under way, and the line.
import { dirname } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'

const layers: tf.layers.Layer[] = []

/** Runs `body` with note taken of which layer of tfjs-layers is at work. */
export function withLayersNoted<T>(body: () => T): T {
  const prototype = tf.layers.Layer.prototype
  const { apply } = prototype
  prototype.apply = function (this: tf.layers.Layer, ...args) {
    layers.push(this)
    try {
      if (this.stateful && !(this instanceof tf.LayersModel))
        throw new Error(
          `Expected layers that keep nothing between calls, found one with stateful: true, whose state would stay as it is now. Give it as a variable, or leave stateful out${whereabouts()}`,
        )
      return apply.apply(this, args)
    } finally {
      layers.pop()
    }
  }
  try {
    return body()
  } finally {
    prototype.apply = apply
  }
}

/** What to call an op that is recorded now: `conv1_1/Conv2D` inside the layer conv1_1, as its variables are called. */
export const nodeName = (op: string): string =>
  [...layers.filter((layer) => !(layer instanceof tf.LayersModel)).map(({ name }) => name), op].join('/')

/** tfjs's ops under way, outermost first, as tfjs itself keeps them: ['dropout', 'randomUniform'] inside tf.dropout. */
export const opsUnderWay = (): string[] =>
  tf.engine().state.scopeStack.flatMap(({ name }) => (name.endsWith('__op') ? [name.slice(0, -'__op'.length)] : []))

/** The innermost line of the stack that is neither tfjs's, Node's nor this folder's. */
function callersLine(): string | undefined {
  const { stackTraceLimit, prepareStackTrace } = Error
  // tfjs's frames alone are more than the 10 that V8 keeps.
  Error.stackTraceLimit = 200
  const lines = (new Error().stack ?? '').split('\n').filter((line) => /^\s*at /.test(line))
  // The lines may name sources that source maps tell of, even for packages; the files are told apart by where they are.
  Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFileName() ?? '')
  const [own, ...files] = new Error().stack as unknown as string[]
  Error.stackTraceLimit = stackTraceLimit
  Error.prepareStackTrace = prepareStackTrace!
  const foreign = (file: string) => /^(file:\/\/)?\//.test(file) && !file.includes('/node_modules/')
  const at = files.findIndex((file) => foreign(file) && dirname(file) !== dirname(own!))
  return /(\/(?!\/)[^():]+:\d+:\d+)\)?$/.exec(lines[at + 1] ?? '')?.[1]
}

/** For the end of an error message: ` (kernel TopK, op topk, layer head of class Dense, at /app/train.ts:12:5)`. */
export function whereabouts(kernel?: string): string {
  const ops = opsUnderWay()
  const layer = layers.at(-1)
  const line = callersLine()
  const parts = [
    ...(kernel ? [`kernel ${kernel}`] : []),
    ...(ops.length > 0 ? [`op ${ops.join(' > ')}`] : []),
    ...(layer ? [`layer ${layer.name} of class ${layer.getClassName()}`] : []),
    ...(line ? [`at ${line}`] : []),
  ]
  return parts.length > 0 ? ` (${parts.join(', ')})` : ''
}
