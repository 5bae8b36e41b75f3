// What a saved graph is and costs, as text.

import type { Timing } from '../finish/time-calls.ts'
import type { Cost } from '../graph/cost.ts'
import type { DataType, Output, Signature } from '../graph/graph.ts'

/** Rows as a table: the first column to the left, the others to the right, two spaces between. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}

/** 1234567 as `1 234 567`. */
const whole = (value: number) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')

function bytes(value: number): string {
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`
}

/** Types and their bytes, the largest first. */
const stored = (types: Cost['stored']) => Object.entries(types).sort(([, a], [, b]) => b - a)

const millions = (value: number) => (value / 1e6).toFixed(2)

const total = (types: Cost['stored']) => Object.values(types).reduce((sum, size) => sum + size, 0)

/** Of all multiply-adds, the share computed in each type. */
export function computeTypes({ layers, multiplyAdds }: Cost): Partial<Record<DataType, number>> {
  const shares: Partial<Record<DataType, number>> = {}
  for (const { compute, multiplyAdds: own } of layers)
    if (compute) shares[compute] = (shares[compute] ?? 0) + own / multiplyAdds
  return shares
}

const tensors = (named: Record<string, Output>) =>
  Object.entries(named)
    .map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.map((size) => (size === -1 ? 'n' : size)).join(', ')}]`)
    .join(', ')

/** A signature: what it takes and gives, its nodes, parameters and multiply-adds. @param cost of a call with one picture */
export function signatureText(name: string, { inputs, outputs }: Signature, cost: Cost): string {
  const ops = Object.entries(cost.ops).map(([op, count]) => `${op} ${count}`)
  const types = Object.entries(computeTypes(cost)).map(([type, share]) => `${type} ${(100 * share).toFixed(1)} %`)
  const unknown = cost.unknown.length > 0 ? [`  of unknown shape, so not counted: ${cost.unknown.join(', ')}`] : []
  return [
    `${name}: ${tensors(inputs)} -> ${tensors(outputs)}`,
    `  ${cost.nodes} nodes: ${ops.join(', ')}`,
    `  ${whole(cost.parameters)} parameters, stored as ${stored(cost.stored)
      .map(([type, size]) => `${type} (${bytes(size)})`)
      .join(', ')}`,
    `  ${millions(cost.multiplyAdds)} million multiply-adds a picture${types.length > 0 ? `, computed in ${types.join(', ')}` : ''}`,
    ...unknown,
  ].join('\n')
}

/** The layers with their share of the work; `stored as` is the type of most of a layer's bytes. @param cost of a call with one picture */
export function layerTable({ layers, multiplyAdds, parameters, stored: all }: Cost): string {
  const rows = layers.map((layer) => [
    layer.name,
    layer.output.slice(1).join(' x '),
    whole(layer.parameters),
    stored(layer.stored)[0]?.[0] ?? '-',
    bytes(total(layer.stored)),
    millions(layer.multiplyAdds),
    multiplyAdds === 0 ? '-' : `${((100 * layer.multiplyAdds) / multiplyAdds).toFixed(1)} %`,
    layer.compute ?? '-',
  ])
  return table([
    ['layer', 'output', 'parameters', 'stored as', 'size', 'million multiply-adds', 'share', 'compute'],
    ...rows,
    ['all', '', whole(parameters), '', bytes(total(all)), millions(multiplyAdds), '', ''],
  ])
}

/** Billions of floating-point operations a second, two to a multiply-add. @param cost of a call with one picture */
export const gflops = ({ batch, milliseconds }: Timing, { multiplyAdds }: Cost): number =>
  (2 * multiplyAdds * batch) / milliseconds / 1e6

/** The timings, with the work that each reaches. */
export function timingTable(timings: readonly Timing[], costs: Record<string, Cost>): string {
  const rows = timings.map((timing) => [
    timing.signature,
    String(timing.batch),
    timing.milliseconds.toFixed(2),
    (timing.milliseconds / timing.batch).toFixed(2),
    gflops(timing, costs[timing.signature]!).toFixed(1),
    String(timing.calls),
  ])
  return table([['call', 'pictures', 'ms', 'ms a picture', 'GFLOP/s', 'calls'], ...rows])
}
