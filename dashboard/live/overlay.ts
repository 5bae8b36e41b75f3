// What the facts of a frame say, drawn over its picture: zones with their states, and where the free space ends.
import type { Point, Result, ZoneFact, ZoneShape } from '../../edge-agent/wire.ts'

type Context = OffscreenCanvasRenderingContext2D

/** Told apart without colours too: by the dashes of a state that may change, and by the word. */
const looks = { clear: '#3ddc84', blocked: '#ff5c4d', unknown: '#c9d2dc' }

export type ZoneState = keyof typeof looks

/** `unknown`: the facts do not tell of it, or the model sees nothing of it. */
export function stateOf(zone: ZoneFact | undefined): ZoneState {
  if (!zone || zone.road_percent === null) return 'unknown'
  return zone.blocked ? 'blocked' : 'clear'
}

/** A zone's state in words. */
export function stateText(zone: ZoneFact | undefined): string {
  const state = stateOf(zone)
  if (!zone?.pending) return state === 'unknown' ? 'not seen' : state
  return state === 'blocked' ? 'blocked, clearing' : 'clear, closing'
}

export function drawZones(
  context: Context,
  result: Result,
  { zones, scale }: { zones: readonly ZoneShape[]; scale: number },
): void {
  const { width, height } = context.canvas
  const facts = new Map(result.zones?.map((fact) => [fact.name, fact]))
  context.lineJoin = 'round'
  for (const { name, polygon } of zones) {
    const fact = facts.get(name)
    const state = stateOf(fact)
    const corners = polygon.map(([x, y]): Point => [x * width, y * height])
    const path = new Path2D()
    for (const [x, y] of corners) path.lineTo(x, y)
    path.closePath()
    if (state === 'blocked') {
      context.fillStyle = 'rgb(255 92 77 / 22%)'
      context.fill(path)
    }
    context.setLineDash(fact?.pending ? [8 * scale, 5 * scale] : [])
    cased(context, path, looks[state], scale)
    const share = fact?.road_percent
    const percent = share === undefined || share === null ? '' : ` ${Math.round(share)} %`
    const top = corners.reduce((highest, corner) => (corner[1] < highest[1] ? corner : highest))
    label(context, `${name}: ${stateText(fact)}${percent}`, top, looks[state], scale)
  }
  context.setLineDash([])
}

/** A step for each sector of what the model sees of the picture, with its distance where the camera's mounting is known. */
export function drawFreeSpace(
  context: Context,
  { free_space, region, camera_width, camera_height }: Result,
  scale: number,
): void {
  if (!free_space) return
  const { width, height } = context.canvas
  const [left, , across] = region
  const from = (Math.max(0, left) / camera_width) * width
  const to = (Math.min(camera_width, left + across) / camera_width) * width
  const steps = free_space.end_y
  const x = (sector: number) => from + ((to - from) * sector) / steps.length
  const path = new Path2D()
  steps.forEach((y, sector) => {
    path.lineTo(x(sector), y * height)
    path.lineTo(x(sector + 1), y * height)
  })
  cased(context, path, '#ffd23f', scale)
  const bottomOfRegion = ((region[1] + region[3]) / camera_height) * height
  steps.forEach((y, sector) => {
    const metres = free_space.metres?.[sector]
    if (metres === undefined || metres === null) return
    const at: Point = [(x(sector) + x(sector + 1)) / 2, Math.min(bottomOfRegion, y * height)]
    label(context, `${metres.toFixed(metres < 10 ? 1 : 0)} m`, at, '#ffd23f', scale, 'center')
  })
}

/** A line with a dark casing, as on maps: it is seen on snow and on shadow. */
function cased(context: Context, path: Path2D, colour: string, scale: number) {
  context.strokeStyle = 'rgb(0 0 0 / 65%)'
  context.lineWidth = 4.5 * scale
  context.stroke(path)
  context.strokeStyle = colour
  context.lineWidth = 2 * scale
  context.stroke(path)
}

/** A text on a dark plate above a point, kept inside the picture. */
function label(
  context: Context,
  text: string,
  [x, y]: Point,
  colour: string,
  scale: number,
  align: 'left' | 'center' = 'left',
) {
  context.font = `600 ${12 * scale}px system-ui, sans-serif`
  const high = 18 * scale
  const wide = context.measureText(text).width + 10 * scale
  const { width } = context.canvas
  const left = Math.max(0, Math.min(width - wide, align === 'center' ? x - wide / 2 : x))
  const top = Math.max(0, y - high - 3 * scale)
  context.fillStyle = 'rgb(6 8 10 / 78%)'
  context.beginPath()
  context.roundRect(left, top, wide, high, 4 * scale)
  context.fill()
  context.fillStyle = colour
  context.textBaseline = 'middle'
  context.fillText(text, left + 5 * scale, top + high / 2)
}
