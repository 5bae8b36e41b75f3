// A picture to draw on: a canvas for the camera's picture under an SVG of shapes, which are dragged with a pointer or moved with the
// arrow keys. Whoever owns the shapes draws them; each that can be moved has a data-key, by which it is found again.
import type { Point } from '../../edge-agent/wire.ts'
import { make, say } from '../ui/dom.ts'

export interface Stage {
  root: HTMLElement
  canvas: HTMLCanvasElement
  /** Its units are the screen's. */
  svg: SVGSVGElement
  /** Width by height of the picture. */
  shape(aspect: number): void
  /** Says why no picture is there; empty: one is. */
  notice(text: string): void
  /** Draws all shapes anew; whichever had the focus has it again. */
  draw(): void
  /** A place in the picture, in the SVG's units. */
  at(place: Point): Point
  close(): void
}

export interface Shapes {
  draw(svg: SVGSVGElement, at: Stage['at']): void
  /** A shape is taken hold of. False: it cannot be. */
  grab(key: string): boolean
  /** By so much since it was grabbed, in shares of the picture; and where the pointer is. */
  drag(key: string, by: Point, place: Point): void
  /** By arrow keys. */
  nudge(key: string, by: Point): void
  /** Any other key while a shape has the focus. True where it meant something. */
  press(key: string, event: KeyboardEvent): boolean
  /** A click that dragged nothing. `key` is empty beside all shapes. */
  click(key: string, place: Point): void
}

const step = 0.005
const largeStep = 0.05
/** A hand that clicks moves so many pixels. */
const stillPx = 3
const arrows: Record<string, Point> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

/** An element of an SVG. */
export function shape(tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

export function openStage(label: string, shapes: Shapes): Stage {
  const canvas = make('canvas', { width: 16, height: 9 })
  const svg = shape('svg', { role: 'group', 'aria-label': label }) as SVGSVGElement
  const notice = make('p')
  const root = make('div', { class: 'setup-stage' }, canvas, notice, svg)
  let held: { key: string; pointer: number; from: Point; place: Point; dragged: boolean } | undefined
  let [width, height] = [1, 1]

  const at = ([x, y]: Point): Point => [x * width, y * height]
  const keyOf = (target: EventTarget | null) =>
    (target instanceof Element ? target.closest<SVGElement>('[data-key]')?.dataset.key : undefined) ?? ''
  function placeOf({ clientX, clientY }: MouseEvent): Point {
    const box = svg.getBoundingClientRect()
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height]
  }
  function draw() {
    const focused = keyOf(document.activeElement)
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    svg.replaceChildren()
    shapes.draw(svg, at)
    if (focused) svg.querySelector<SVGElement>(`[data-key="${focused}"]`)?.focus({ preventScroll: true })
  }

  svg.addEventListener('pointerdown', (event) => {
    const key = keyOf(event.target)
    const place = placeOf(event)
    if (event.button !== 0 || held) return
    held = { key, pointer: event.pointerId, from: [event.clientX, event.clientY], place, dragged: false }
    svg.setPointerCapture(event.pointerId)
  })
  svg.addEventListener('pointermove', (event) => {
    if (held?.pointer !== event.pointerId || !held.key) return
    const far = Math.hypot(event.clientX - held.from[0], event.clientY - held.from[1]) > stillPx
    if (!held.dragged && far && !shapes.grab(held.key)) held = { ...held, key: '' }
    if (!far && !held.dragged) return
    held.dragged = true
    const place = placeOf(event)
    if (held.key) shapes.drag(held.key, [place[0] - held.place[0], place[1] - held.place[1]], place)
  })
  svg.addEventListener('pointerup', (event) => {
    if (held?.pointer !== event.pointerId) return
    const { key, dragged } = held
    held = undefined
    if (!dragged) shapes.click(key, placeOf(event))
    if (key) svg.querySelector<SVGElement>(`[data-key="${key}"]`)?.focus({ preventScroll: true })
  })
  svg.addEventListener('pointercancel', () => {
    held = undefined
  })
  svg.addEventListener('keydown', (event) => {
    const key = keyOf(event.target)
    const arrow = arrows[event.key]
    if (key && arrow && !event.ctrlKey && !event.metaKey) {
      const far = event.shiftKey ? largeStep : event.altKey ? step / 5 : step
      shapes.nudge(key, [arrow[0] * far, arrow[1] * far])
    } else if (!shapes.press(key, event)) return
    event.preventDefault()
  })

  const sized = new ResizeObserver(() => {
    ;[width, height] = [root.clientWidth || 1, root.clientHeight || 1]
    draw()
  })
  sized.observe(root)
  return {
    root,
    canvas,
    svg,
    shape(aspect) {
      root.style.setProperty('--aspect', String(aspect))
    },
    notice(text) {
      say(notice, text)
      root.toggleAttribute('data-pictured', text === '')
    },
    draw,
    at,
    close: () => sized.disconnect(),
  }
}
