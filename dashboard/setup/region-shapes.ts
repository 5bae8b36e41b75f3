// The part of the picture that the model looks at, as a rectangle to move and to resize.
import { number } from '../ui/numbers.ts'
import { type Box, cornersOf, moved, movedPoint, resized, rounded } from './shapes.ts'
import { type Shapes, shape } from './stage.ts'
import { handle } from './zone-shapes.ts'

export interface RegionShapes extends Shapes {
  /** Undefined: the whole picture. */
  box(): Box | undefined
  set(box: Box | undefined): void
}

const names = ['upper left', 'upper right', 'lower right', 'lower left']

export function regionShapes(changed: () => void): RegionShapes {
  let box: Box | undefined
  let grabbed: Box | undefined
  const set = (next: Box | undefined) => {
    box = next
    changed()
  }
  const cornerOf = (key: string) => (key.startsWith('corner:') ? Number(key.slice('corner:'.length)) : undefined)
  function shifted([x, y, width, height]: Box, by: [number, number]): Box {
    const [[left, top]] = moved(cornersOf([x, y, width, height]), ...by) as [[number, number]]
    return [left, top, width, height]
  }
  return {
    box: () => box,
    set,
    draw(svg, at) {
      if (!box) return
      const corners = cornersOf(box)
      const [[left, top], , [right, bottom]] = corners.map(at) as [number, number][] as [
        [number, number],
        unknown,
        [number, number],
      ]
      const [width, height] = at([1, 1])
      const hole = `M0 0H${width}V${height}H0ZM${left} ${top}V${bottom}H${right}V${top}Z`
      const told = box.map((share) => `${number(100 * share)} %`)
      svg.append(
        shape('path', { class: 'beside', d: hole }),
        shape('rect', {
          class: 'region',
          'data-key': 'box',
          tabindex: 0,
          role: 'button',
          'aria-label': `Region: ${told[2]} by ${told[3]}, at ${told[0]} from the left and ${told[1]} from the top; arrow keys move it`,
          x: left,
          y: top,
          width: right - left,
          height: bottom - top,
        }),
      )
      corners.map(at).forEach(([x, y], i) => {
        svg.append(handle('corner', `corner:${i}`, x, y, `The ${names[i]} corner of the region; arrow keys move it`))
      })
    },
    grab() {
      grabbed = box
      return box !== undefined
    },
    drag(key, by, place) {
      const corner = cornerOf(key)
      if (grabbed)
        set(corner === undefined ? shifted(grabbed, by) : resized(grabbed, corner, [rounded(place[0]), rounded(place[1])]))
    },
    nudge(key, by) {
      const corner = cornerOf(key)
      if (box) set(corner === undefined ? shifted(box, by) : resized(box, corner, movedPoint(cornersOf(box)[corner]!, ...by)))
    },
    press: () => false,
    click() {},
  }
}
