// What was measured, as medians, ratios and lines of text.
import { median, quantile } from '../report/quantile.ts'
import type { Measurement, Pair } from './pairs.ts'

/** Training steps, from the same weights on, until losses are compared. */
export const comparedSteps = 4

/** One contestant in one heat. */
export interface Measured {
  name: string
  /** Median time of a call in each round, milliseconds. */
  rounds: number[]
  peakBytes: number
  /** Share of pixels that get the same class as from ours in float32; in training the loss of the fourth step. */
  answer: number
}

/** All of one network at one batch. */
export interface Table {
  measurement: Measurement
  /** Times VGG16's channels. */
  width: number
  fc: number
  batchNorm: boolean
  parameters: number
  /** Of a call. */
  multiplyAdds: number
  batch: number
  /** Operations a second of large matrix products here: float32, bfloat16. */
  rates: [number, number]
  heats: Measured[][]
  ratios: Ratio[]
  failed: { name: string; reason: string }[]
}

export interface Ratio extends Pair {
  ratio: number
  /** Quartiles of the ratios of the single rounds: how far they scatter. Absent for memory. */
  quartiles?: [number, number]
  aim?: number
  met?: boolean
}

/**
 * The pairs that met in a heat, as ratios. A pair that met in two heats counts in the first.
 * @param width of the network, where it is the one that the aims are about
 */
export function ratiosOf(pairs: readonly Pair[], heats: readonly Measured[][], width?: number): Ratio[] {
  return pairs.flatMap((pair) => {
    for (const heat of heats) {
      const [own, other] = [pair.ours, pair.peer].map((name) => heat.find((one) => one.name === name))
      if (own && other) return [ratioOf(pair, own, other, width)]
    }
    return []
  })
}

function ratioOf(pair: Pair, own: Measured, other: Measured, width: number | undefined): Ratio {
  const aim = width === undefined ? undefined : pair.atMost[width]
  const ratio = pair.what === 'time' ? median(own.rounds) / median(other.rounds) : own.peakBytes / other.peakBytes
  const each = own.rounds.map((ms, round) => ms / other.rounds[round]!)
  return {
    ...pair,
    ratio,
    ...(pair.what === 'time' ? { quartiles: [quantile(each, 0.25), quantile(each, 0.75)] as [number, number] } : {}),
    ...(aim === undefined ? {} : { aim, met: ratio <= aim }),
  }
}

/** Columns under their headings, the first to the left, numbers to the right. */
export function layOut(heading: string[], rows: string[][]): string {
  const widths = heading.map((_, column) => Math.max(...[heading, ...rows].map((row) => row[column]!.length)))
  const line = (row: string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('   ')
      .trimEnd()
  return [heading, ...rows].map(line).join('\n')
}

/** Share of the machine's matrix products that a contestant reaches; none for int8, whose rate is not measured. */
export function shareOfRate({ name, rounds }: Measured, { multiplyAdds, rates }: Table): number | undefined {
  if (name.endsWith('int8')) return undefined
  const rate = rates[name.endsWith('bfloat16') ? 1 : 0]
  return (2 * multiplyAdds) / (median(rounds) / 1000) / rate
}

const percent = (share: number, digits = 0) => `${(100 * share).toFixed(digits)} %`
const milliseconds = (ms: number) => ms.toFixed(ms < 100 ? 1 : 0)

export function renderTable(table: Table): string {
  const { measurement, width, fc, batchNorm, parameters, multiplyAdds, batch, heats, ratios, failed } = table
  const training = measurement === 'training'
  const rows = heats.flatMap((heat) =>
    heat.map((one) => {
      const share = shareOfRate(one, table)
      return [
        one.name,
        milliseconds(median(one.rounds)),
        [0.25, 0.75].map((at) => milliseconds(quantile(one.rounds, at))).join(' – '),
        share === undefined ? '' : percent(share),
        training ? one.answer.toFixed(4) : percent(one.answer, 2),
        (one.peakBytes / 1e9).toFixed(2),
      ]
    }),
  )
  const pairs = ratios.map(({ ours, peer, what, ratio, quartiles, aim, met }) => [
    `${ours} / ${peer}${what === 'memory' ? ', peak memory' : ''}`,
    ratio.toFixed(2),
    quartiles?.map((value) => value.toFixed(2)).join(' – ') ?? '',
    aim?.toFixed(2) ?? '',
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ])
  const answer = training ? `loss of step ${comparedSteps}` : 'same classes'
  return [
    `${training ? `Training step ${batchNorm ? 'with' : 'without'} batch normalisation` : 'Inference'} at width ${width}, fc ${fc}, batch ${batch}: ${(parameters / 1e6).toFixed(1)} M parameters, ${(multiplyAdds / 1e9).toFixed(1)} G multiply-adds`,
    '',
    layOut(['', 'ms', 'quartiles', 'of matrix products', answer, 'peak GB'], rows),
    ...(pairs.length > 0 ? ['', layOut(['ours / peer', 'ratio', 'quartiles', 'at most', ''], pairs)] : []),
    ...failed.map(({ reason }) => `\nleft out: ${reason}`),
  ].join('\n')
}

/** Milliseconds a picture, by batch, of tables that differ in nothing else. */
export function renderGrowth(tables: readonly Table[]): string {
  const names = [...new Set(tables.flatMap(({ heats }) => heats.flat().map(({ name }) => name)))]
  const cell = (name: string, { heats, batch }: Table) => {
    const found = heats.flat().find((one) => one.name === name)
    return found ? milliseconds(median(found.rounds) / batch) : ''
  }
  const rows = names.map((name) => [name, ...tables.map((table) => cell(name, table))])
  return layOut([`ms a picture at width ${tables[0]!.width}`, ...tables.map(({ batch }) => `batch ${batch}`)], rows)
}
