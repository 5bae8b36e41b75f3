// Line charts as SVG to be put into a page: colours are the page's CSS variables, so that they follow its light or dark look.

/** A range with its ticks. */
export interface Axis {
  title: string
  min: number
  max: number
  ticks: readonly number[]
  digits: (value: number) => string
  logarithmic?: boolean
}

export interface Line {
  name: string
  points: readonly (readonly [x: number, y: number])[]
  /** Name of a CSS variable, without its dashes. */
  colour: string
  /** SVG's stroke-dasharray. */
  dashes?: string
  width?: number
  /** A dot at each point, which says its value where the mouse rests on it. */
  dots?: boolean
}

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

export interface Plot {
  box: Box
  x: Axis
  y: Axis
  lines: readonly Line[]
  /** Vertical lines with a word at their top. */
  marks?: readonly { x: number; label: string }[]
}

export const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const fixed = (value: number) => Number(value.toFixed(1))
const colourOf = (name: string) => `var(--${name})`

/** About `count` round ticks from `min` to `max`; both ends are ticks where they are round. */
export function roundTicks(min: number, max: number, count = 5): number[] {
  const raw = (max - min) / count
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 5, 10].find((digit) => digit * power >= raw * 0.999) ?? 10)
  const ticks: number[] = []
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)))
  return ticks
}

/** An axis of percents. */
export const percentAxis = (title: string, min = 0, max = 100, ticks = roundTicks(min, max)): Axis => ({
  title,
  min,
  max,
  ticks,
  digits: (value) => String(value),
})

let clips = 0

/** A plot within a larger SVG, its axes left of and below its box. Points that are not numbers leave a gap; lines end at the box. */
export function plot({ box, x, y, lines, marks = [] }: Plot): string {
  const share = ({ min, max, logarithmic }: Axis, value: number) =>
    logarithmic ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min)
  const across = (value: number) => fixed(box.x + box.width * share(x, value))
  const up = (value: number) => fixed(box.y + box.height * (1 - share(y, value)))
  const [right, bottom] = [box.x + box.width, box.y + box.height]
  const clip = `box${++clips}`

  const grid = y.ticks.map(
    (tick) =>
      `<path class="grid" d="M${box.x} ${up(tick)}H${right}"/><text x="${box.x - 8}" y="${up(tick) + 4}" text-anchor="end">${y.digits(tick)}</text>`,
  )
  const below = x.ticks.map(
    (tick) =>
      `<path class="axis" d="M${across(tick)} ${bottom}v5"/><text x="${across(tick)}" y="${bottom + 19}" text-anchor="middle">${x.digits(tick)}</text>`,
  )
  const titles = [
    x.title &&
      `<text class="title" x="${box.x + box.width / 2}" y="${bottom + 40}" text-anchor="middle">${escapeHtml(x.title)}</text>`,
    y.title &&
      `<text class="title" transform="translate(${box.x - 46} ${box.y + box.height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(y.title)}</text>`,
  ]
  const marked = marks.map(({ x: at, label }) => {
    const end = across(at) > right - 90
    return `<path class="mark" d="M${across(at)} ${box.y}V${bottom}"/><text class="quiet" x="${across(at) + (end ? -5 : 5)}" y="${box.y - 5}" text-anchor="${end ? 'end' : 'start'}">${escapeHtml(label)}</text>`
  })
  const drawn = lines.map(({ name, points, colour, dashes, width = 2, dots }) => {
    let pen = 'M'
    const path = points.map(([px, py]) => {
      if (!Number.isFinite(px) || !Number.isFinite(py)) {
        pen = 'M'
        return ''
      }
      const step = `${pen}${across(px)} ${up(py)}`
      pen = 'L'
      return step
    })
    const dotted = dots
      ? points
          .filter(([px, py]) => Number.isFinite(px) && Number.isFinite(py))
          .map(
            ([px, py]) =>
              `<circle cx="${across(px)}" cy="${up(py)}" r="${width + 1}" fill="${colourOf(colour)}"><title>${escapeHtml(`${name}: ${x.digits(px)}, ${Number(py.toPrecision(4))}`)}</title></circle>`,
          )
      : []
    return `<g clip-path="url(#${clip})"><path d="${path.join('')}" fill="none" stroke="${colourOf(colour)}" stroke-width="${width}" stroke-linejoin="round"${dashes ? ` stroke-dasharray="${dashes}"` : ''}/>${dotted.join('')}</g>`
  })
  return [
    `<clipPath id="${clip}"><rect x="${box.x - 5}" y="${box.y - 5}" width="${box.width + 10}" height="${box.height + 10}"/></clipPath>`,
    ...grid,
    `<path class="axis" d="M${box.x} ${bottom}H${right}"/>`,
    ...below,
    ...titles,
    ...marked,
    ...drawn,
  ].join('')
}

/** An SVG as wide as its place in the page, shown where the page has its look, and words for those who do not see it. */
export const chart = (
  label: string,
  { look, size }: { look: string; size: { width: number; height: number } },
  inside: string,
) =>
  `<svg class="${look}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(label)}">${inside}</svg>`
