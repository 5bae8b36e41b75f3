// <road-view>: one camera's picture with its mask and its facts. It is fed by `receive`, `status`, `stats` and `link`, and brought
// up to date by `tick`; it opens no socket. Its markup is the template #road-view in index.html.
import type { CameraStatus, MaskMessage, Result, Stats, ZoneShape } from '../../edge-agent/wire.ts'
import type { Link } from '../connection.ts'
import { say } from '../ui/dom.ts'
import { type Condition, cameraCondition } from './condition.ts'
import { type Mode, roadTint } from './draw.ts'
import { type FactsPanel, openFacts } from './facts-panel.ts'
import { lastMinute } from './minute.ts'
import { type Brush, takeBrush } from './painter.ts'

type Known = { message: MaskMessage; arrivedMs: number }

export class RoadView extends HTMLElement {
  /** [config] Name of the camera. */
  camera = ''

  /** [config] What is drawn; call `redraw` after a change. */
  mode: Mode = 'tint'

  /** [config] Opacity of tint and outline, 0 to 1; call `redraw` after a change. */
  opacity = 0.45

  /** [config] Colour of the road: any CSS colour. */
  tint = roadTint

  /** [config] Zones that are drawn, and whether the end of the free space is; call `redraw` after a change. */
  zones: readonly ZoneShape[] = []
  space = false

  /** [config] A picture older than this is stale, or than three times the usual pause between pictures if that is longer. */
  staleMs = 3000

  /** [config] How long to wait for a first picture before masks are shown without one. */
  pictureMs = 2000

  /** [config] Called with each condition that differs in kind from the one before. */
  onCondition: (condition: Condition) => void = () => {}

  /** [info] The camera's condition as of the last tick. */
  condition: Condition = { kind: 'waiting', word: '', title: '', detail: '' }

  /** [info] The facts of the newest mask. */
  result: Result | undefined

  /** [info] The facts of the mask on the screen; with a picture it is that picture's own. */
  shown: Result | undefined

  /** [info] Pictures that were overtaken by a newer one before this page could draw them, and those that were drawn. */
  skipped = 0
  drawn = 0

  #link: Link = { state: 'paused' }
  #status: CameraStatus | undefined
  #stats: Stats | undefined
  #minute = lastMinute()
  #firstMs: number | undefined
  #newest: Known | undefined
  #newestPair: Known | undefined
  #shown: Known | undefined
  #screenMs: number | undefined
  #brush: Brush | undefined
  #painting = false
  /** The look has changed since the frame on the screen was drawn. */
  #stale = false
  #visible = true
  #fault = ''
  #pairPauseMs = 0
  #secondDrawn = 0
  #size = { width: 0, height: 0 }
  #parts = new Map<string, HTMLElement>()
  #panel: FactsPanel | undefined
  #observers: (ResizeObserver | IntersectionObserver)[] = []

  connectedCallback(): void {
    const template = document.querySelector<HTMLTemplateElement>('template#road-view')
    if (!template) throw new Error('Expected a <template id="road-view"> in the page, found none')
    this.replaceChildren(template.content.cloneNode(true))
    this.#parts = new Map([...this.querySelectorAll<HTMLElement>('[data-part]')].map((part) => [part.dataset.part ?? '', part]))
    this.#panel = openFacts(this.camera, (name) => this.#part(name))
    this.#brush = takeBrush()
    this.setAttribute('role', 'group')
    this.setAttribute('aria-label', `Camera ${this.camera}`)
    this.#say('name', this.camera)
    const resized = new ResizeObserver(([entry]) => {
      if (!entry) return
      this.#size = entry.contentRect
      this.redraw()
    })
    resized.observe(this.#part('canvas'))
    // A tile that is scrolled away or hidden behind the full view decodes nothing.
    const seen = new IntersectionObserver((entries) => {
      this.#visible = entries.at(-1)?.isIntersecting ?? true
      void this.#show()
    })
    seen.observe(this)
    this.#observers = [resized, seen]
  }

  disconnectedCallback(): void {
    for (const observer of this.#observers) observer.disconnect()
    this.#brush?.forget()
    this.#shown = undefined
  }

  /** Takes a mask: counts its facts, and shows it with its picture. One without a picture leaves the last pair in place. */
  receive(message: MaskMessage): void {
    const arrivedMs = Date.now()
    const { result } = message
    this.result = result
    this.#minute.add({ atMs: arrivedMs, latencyMs: result.age_ms, roadPercent: result.road_percent })
    this.#firstMs ??= arrivedMs
    this.#newest = { message, arrivedMs }
    if (message.picture.length) {
      if (this.#newestPair) {
        this.#pairPauseMs = Math.min(60_000, arrivedMs - this.#newestPair.arrivedMs)
        if (this.#newestPair !== this.#shown && this.mode !== 'mask' && this.#visible) this.skipped++
      }
      this.#newestPair = this.#newest
    }
    void this.#show()
  }

  status(status: CameraStatus): void {
    this.#status = status
    this.#say('switch', this.enabled ? 'Switch off' : 'Switch on')
  }

  /** [info] Whether the camera is switched on. */
  get enabled(): boolean {
    return this.#status?.state !== 'disabled'
  }

  /** [info] The picture, which is a button. */
  get stage(): HTMLButtonElement {
    return this.#part('stage') as HTMLButtonElement
  }

  /** [info] Buttons for whoever may press them: all of them, to switch the camera on or off, to keep a frame. */
  get actions(): Record<'all' | 'switch' | 'keep', HTMLElement> {
    return { all: this.#part('actions'), switch: this.#part('switch'), keep: this.#part('keep') }
  }

  stats(stats: Stats): void {
    this.#stats = stats
  }

  link(link: Link): void {
    this.#link = link
    if (link.state !== 'open') this.#pairPauseMs = 0
  }

  /** Draws the frame on the screen again, with the mode, opacity, overlays and size of now. */
  redraw(): void {
    this.#stale = true
    void this.#show()
  }

  /** Brings texts, condition and, once a second, sparklines up to date. */
  tick(nowMs: number): void {
    void this.#show()
    const ageMs = this.#shown && nowMs - this.#shown.arrivedMs + this.#shown.message.result.age_ms
    const condition = cameraCondition({
      link: this.#link,
      status: this.#status,
      ageMs,
      staleMs: Math.max(this.staleMs, 3 * this.#pairPauseMs),
      fault: this.#fault,
      nowMs,
    })
    const before = this.condition.kind
    this.condition = condition
    if (this.dataset.condition !== condition.kind) this.dataset.condition = condition.kind
    this.#say('state', condition.word)
    this.#say('title', condition.title)
    this.#say('detail', condition.detail)
    if (condition.kind !== before) this.onCondition(condition)

    if (!this.#visible) return
    const shown = {
      nowMs,
      minute: this.#minute,
      result: this.result,
      live: condition.kind === 'live',
      ageMs,
      screenMs: this.#screenMs,
      skipped: this.skipped,
      stats: this.#stats,
    }
    this.#panel?.figures(shown)
    const second = Math.floor(nowMs / 1000)
    if (second === this.#secondDrawn) return
    this.#secondDrawn = second
    this.#panel?.second(shown, this.dataset.full !== undefined)
  }

  /** The mask alone needs no picture: there every mask is shown. Elsewhere only pairs, unless none comes at all. */
  #wanted(): Known | undefined {
    if (this.mode === 'mask') return this.#newest
    if (this.#newestPair) return this.#newestPair
    return Date.now() - (this.#firstMs ?? Date.now()) > this.pictureMs ? this.#newest : undefined
  }

  /** Has what is wanted drawn until it is on the screen; one at a time, the newest wins. */
  async #show(): Promise<void> {
    if (this.#painting) return
    this.#painting = true
    for (;;) {
      const wanted = this.#wanted()
      const fresh = wanted !== this.#shown
      if (!wanted || !this.#visible || !this.#size.width || !(fresh || this.#stale)) break
      this.#stale = false
      const { mode, opacity, tint, zones, space } = this
      const scale = Math.min(2, devicePixelRatio)
      const { camera_width, camera_height } = wanted.message.result
      const fit = Math.min(this.#size.width / camera_width, this.#size.height / camera_height) * scale
      try {
        const bitmap = await this.#brush?.paint({
          ...(fresh && { message: wanted.message }),
          look: { mode, opacity, tint, scale, zones, space },
          width: Math.max(1, Math.round(camera_width * fit)),
          height: Math.max(1, Math.round(camera_height * fit)),
        })
        if (!bitmap || !this.isConnected) break
        const canvas = this.#part('canvas') as HTMLCanvasElement
        // A bitmap alone does not change the shape that the canvas is laid out in.
        if (canvas.width !== bitmap.width) canvas.width = bitmap.width
        if (canvas.height !== bitmap.height) canvas.height = bitmap.height
        canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap)
        if (fresh) this.#has(wanted)
      } catch (error) {
        this.#fault = error instanceof Error ? error.message : String(error)
        if (wanted === this.#wanted()) break
      }
    }
    this.#painting = false
  }

  /** A new frame is on the screen. */
  #has(known: Known): void {
    const { result } = known.message
    this.#shown = known
    this.#screenMs = result.age_ms + Date.now() - known.arrivedMs
    this.shown = result
    this.drawn++
    this.#fault = ''
    const aspect = `${result.camera_width} / ${result.camera_height}`
    if (this.style.getPropertyValue('--aspect') !== aspect) this.style.setProperty('--aspect', aspect)
    if (this.condition.kind !== 'live') this.tick(Date.now()) // it need not stay grey until the next tick
  }

  #part(name: string): HTMLElement {
    const part = this.#parts.get(name)
    if (!part) throw new Error(`Expected data-part="${name}" in the template #road-view, found none`)
    return part
  }

  #say(part: string, text: string): void {
    say(this.#part(part), text)
  }
}

customElements.define('road-view', RoadView)
