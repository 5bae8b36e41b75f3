// Zones on the picture: corners and whole polygons are moved, corners come and go, new polygons are drawn click by click.
import type { Point } from '../../edge-agent/wire.ts'
import { number } from '../ui/numbers.ts'
import { lookState, type ZoneLooks, type ZoneSettings } from './live-mask.ts'
import {
  inserted,
  leastCorners,
  makeUndo,
  middle,
  mostCorners,
  moved,
  movedPoint,
  rounded,
  without,
  withPoint,
} from './shapes.ts'
import { type Shapes, shape } from './stage.ts'

export interface ZoneShapes extends Shapes {
  zones(): readonly ZoneSettings[]
  /** Index of the one whose corners show. */
  chosen(): number
  choose(i: number): void
  /** One step that can be undone. */
  change(zones: ZoneSettings[], chosen?: number): void
  /** Begins with these, as saved. */
  load(zones: ZoneSettings[]): void
  undo(): void
  redo(): void
  can(): { back: boolean; forth: boolean }
  /** Corners are taken click by click from now on, or no longer. */
  drawing(yes?: boolean): boolean
  /** States of the zones by the newest mask, without drawing all anew. */
  looks(looks: readonly ZoneLooks[], svg: SVGSVGElement): void
}

/** A new zone's name: one that is free. */
export function freeName(zones: readonly { name: string }[]): string {
  for (let i = zones.length + 1; ; i++) if (!zones.some(({ name }) => name === `zone ${i}`)) return `zone ${i}`
}

/** What a zone without a hand that draws begins as: the road in the middle of most pictures. */
const usual: Point[] = [
  [0.3, 0.95],
  [0.42, 0.65],
  [0.58, 0.65],
  [0.7, 0.95],
]
export const usualZone = (zones: readonly ZoneSettings[]): ZoneSettings => ({ name: freeName(zones), polygon: usual })

/** `changed`: zones, choice or what is being drawn are others. */
export function zoneShapes(changed: () => void): ZoneShapes {
  let zones: readonly ZoneSettings[] = []
  let chosen = -1
  let sketch: Point[] | undefined
  let grabbed: readonly ZoneSettings[] = []
  let nudged = '' // steps with the arrow keys on one shape are undone together
  const history = makeUndo<readonly ZoneSettings[]>()

  const set = (next: readonly ZoneSettings[], choice = chosen) => {
    zones = next
    chosen = Math.min(choice, zones.length - 1)
    changed()
  }
  const change = (next: ZoneSettings[], choice = chosen) => {
    history.keep(zones)
    nudged = ''
    set(next, choice)
  }
  const read = (key: string) => {
    const [what = '', i = '', corner = ''] = key.split(':')
    return { what, i: Number(i), corner: Number(corner), zone: zones[Number(i)] }
  }
  const polygon = (i: number, next: Point[]) => zones.map((zone, j) => (j === i ? { ...zone, polygon: next } : zone))

  function finish() {
    const drawn = sketch ?? []
    sketch = undefined
    if (drawn.length >= leastCorners) change([...zones, { name: freeName(zones), polygon: drawn }], zones.length)
    else changed()
  }
  function movedBy(from: readonly ZoneSettings[], key: string, by: Point): readonly ZoneSettings[] {
    const { what, i, corner } = read(key)
    const zone = from[i]
    if (!zone) return from
    const next =
      what === 'zone' ? moved(zone.polygon, ...by) : withPoint(zone.polygon, corner, movedPoint(zone.polygon[corner]!, ...by))
    return from.map((other, j) => (j === i ? { ...zone, polygon: next } : other))
  }

  return {
    zones: () => zones,
    chosen: () => chosen,
    choose: (i) => set(zones, i),
    change,
    load(saved) {
      sketch = undefined
      if (JSON.stringify(saved) !== JSON.stringify(zones)) set(saved, saved.length ? Math.max(0, chosen) : -1)
      else changed()
    },
    undo() {
      nudged = ''
      if (sketch) sketch = sketch.slice(0, -1)
      set(sketch ? zones : (history.back(zones) ?? zones))
    },
    redo: () => set(history.forth(zones) ?? zones),
    can: history.can,
    drawing(yes = sketch !== undefined) {
      const now = sketch !== undefined
      if (yes && !now) {
        sketch = []
        set(zones, -1)
      } else if (!yes && now) finish()
      return sketch !== undefined
    },
    looks(looks, svg) {
      zones.forEach(({ name }, i) => {
        const look = looks[i]
        const state = lookState(look)
        svg.querySelector(`[data-zone="${i}"]`)?.setAttribute('data-state', state)
        const text = svg.querySelector(`[data-label="${i}"]`)
        const words = look?.percent === undefined ? name : `${name} ${number(look.percent)} % ${state}`
        if (text && text.textContent !== words) text.textContent = words
      })
    },

    draw(svg, at) {
      const points = (places: readonly Point[]) => places.map((place) => at(place).join(',')).join(' ')
      const order = zones.map((_, i) => i).sort((a, b) => Number(a === chosen) - Number(b === chosen))
      for (const i of order) {
        const { name, polygon } = zones[i]!
        const isChosen = i === chosen
        const group = shape('g', { class: 'zone', 'data-zone': i, ...(isChosen && { 'data-chosen': '' }) })
        const body = shape('polygon', {
          points: points(polygon),
          'data-key': `zone:${i}`,
          tabindex: 0,
          role: 'button',
          'aria-label': `Zone ${name}, ${polygon.length} corners${isChosen ? ', chosen: arrow keys move it' : ''}`,
        })
        const top = polygon.reduce((highest, corner) => (corner[1] < highest[1] ? corner : highest))
        const [x, y] = at(top)
        group.append(body, shape('text', { x, y: Math.max(14, y - 10), 'data-label': i, 'aria-hidden': 'true' }, name))
        if (isChosen && !sketch) {
          if (polygon.length < mostCorners)
            polygon.forEach((_, corner) => {
              const [x, y] = at(middle(polygon, corner))
              const label = `Add a corner behind ${corner + 1} of ${name}`
              group.append(handle('middle', `middle:${i}:${corner}`, x, y, label))
            })
          polygon.forEach((place, corner) => {
            const [x, y] = at(place)
            const where = `${number(100 * place[0])} % from the left, ${number(100 * place[1])} % from the top`
            group.append(
              handle('corner', `corner:${i}:${corner}`, x, y, `Corner ${corner + 1} of ${polygon.length} of ${name}, ${where}`),
            )
          })
        }
        svg.append(group)
      }
      if (!sketch) return
      svg.append(shape('polyline', { class: 'sketch', points: points(sketch) }))
      sketch.forEach((place, i) => {
        const [x, y] = at(place)
        svg.append(handle('corner', `sketch:0:${i}`, x, y, i ? `Corner ${i + 1}` : 'First corner: closes the zone'))
      })
    },
    grab(key) {
      const { what, i, corner, zone } = read(key)
      if (!zone || sketch) return false
      history.keep(zones)
      nudged = ''
      chosen = i
      // A new corner begins under the pointer, and is dragged from then on under the same key.
      grabbed = what === 'middle' ? polygon(i, inserted(zone.polygon, corner)) : zones
      return true
    },
    drag(key, by, place) {
      const { what, i, corner } = read(key)
      if (what === 'zone') return set(movedBy(grabbed, key, by), i)
      const at = what === 'middle' ? corner + 1 : corner
      const zone = grabbed[i]!
      const next = withPoint(zone.polygon, at, [rounded(place[0]), rounded(place[1])])
      set(
        grabbed.map((other, j) => (j === i ? { ...zone, polygon: next } : other)),
        i,
      )
    },
    nudge(key, by) {
      const { what, i } = read(key)
      if (what !== 'zone' && what !== 'corner') return
      if (nudged !== key) history.keep(zones)
      nudged = key
      set(movedBy(zones, key, by), i)
    },
    press(key, event) {
      const { what, i, corner, zone } = read(key)
      if (event.key === 'Escape' && sketch) {
        sketch = undefined
        changed()
        return true
      }
      if (sketch && event.key === 'Enter') {
        finish()
        return true
      }
      if (!zone) return false
      if (event.key === 'Enter' || event.key === ' ') {
        if (what === 'middle') change(polygon(i, inserted(zone.polygon, corner)))
        else set(zones, i)
        return true
      }
      if (event.key === 'Insert' && what === 'corner') change(polygon(i, inserted(zone.polygon, corner)))
      else if ((event.key === 'Delete' || event.key === 'Backspace') && what === 'corner')
        change(polygon(i, without(zone.polygon, corner)))
      else if (event.key === 'Delete' && what === 'zone')
        change(
          zones.filter((_, j) => j !== i),
          -1,
        )
      else return false
      return true
    },
    click(key, place) {
      const { what, i, corner, zone } = read(key)
      if (sketch) {
        if (what === 'sketch' && corner === 0 && sketch.length >= leastCorners) return finish()
        if (sketch.length < mostCorners) sketch = [...sketch, [rounded(place[0]), rounded(place[1])]]
        if (sketch.length === mostCorners) return finish()
        return changed()
      }
      if (what === 'middle' && zone) return change(polygon(i, inserted(zone.polygon, corner)))
      set(zones, zone ? i : -1)
    },
  }
}

/** A dot, with a ring around it that a finger finds. */
export function handle(kind: string, key: string, x: number, y: number, label: string): SVGElement {
  return shape(
    'g',
    { class: kind, 'data-key': key, tabindex: 0, role: 'button', 'aria-label': label },
    shape('circle', { class: 'reach', cx: x, cy: y, r: kind === 'corner' ? 16 : 11 }),
    shape('circle', { class: 'knob', cx: x, cy: y, r: kind === 'corner' ? 6 : 4 }),
  )
}
