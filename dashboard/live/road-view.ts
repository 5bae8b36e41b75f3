// <road-view>: one camera's picture with its mask and its facts. It is fed by `receive`, `status` and `link`, and brought
// up to date by `tick`; it opens no socket. Its markup is the template #road-view in index.html.
import type { CameraStatus, MaskMessage, Result } from '../../edge-agent/wire.ts'
import type { Link } from '../connection.ts'
import { say } from '../ui/dom.ts'
import { number, percent } from '../ui/numbers.ts'
import { type Condition, cameraCondition } from './condition.ts'
import { decodeFrame, drawFrame, type Frame, type Mode } from './draw.ts'
import { axisTop, lastMinute, sparkline } from './minute.ts'

type Known = { message: MaskMessage; arrivedMs: number }

export class RoadView extends HTMLElement {
  /** [config] Name of the camera. */
  camera = ''

  /** [config] What is drawn; call `redraw` after a change. */
  mode: Mode = 'tint'

  /** [config] Opacity of tint and outline, 0 to 1; call `redraw` after a change. */
  opacity = 0.45

  /** [config] Colour of the road: any CSS colour. */
  tint = '#1fe5c3'

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

  /** [info] Pictures that were overtaken by a newer one before this page could draw them. */
  skipped = 0

  #link: Link = { state: 'paused' }
  #status: CameraStatus | undefined
  #minute = lastMinute()
  #firstMs: number | undefined
  #newest: Known | undefined
  #newestPair: Known | undefined
  #drawn: Known | undefined
  #frame: Frame | undefined
  #decoding = false
  #visible = true
  #fault = ''
  #pairPauseMs = 0
  #secondDrawn = 0
  #parts = new Map<string, HTMLElement>()
  #observers: (ResizeObserver | IntersectionObserver)[] = []

  connectedCallback(): void {
    const template = document.querySelector<HTMLTemplateElement>('template#road-view')
    if (!template) throw new Error('Expected a <template id="road-view"> in the page, found none')
    this.replaceChildren(template.content.cloneNode(true))
    for (const part of this.querySelectorAll<HTMLElement>('[data-part]')) this.#parts.set(part.dataset.part ?? '', part)
    this.setAttribute('role', 'group')
    this.setAttribute('aria-label', `Camera ${this.camera}`)
    this.#say('name', this.camera)
    const resized = new ResizeObserver(() => this.redraw())
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
    this.#frame?.close()
    this.#frame = this.#drawn = undefined
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
        if (this.#newestPair !== this.#drawn && this.mode !== 'mask') this.skipped++
      }
      this.#newestPair = this.#newest
    }
    void this.#show()
  }

  status(status: CameraStatus): void {
    this.#status = status
  }

  link(link: Link): void {
    this.#link = link
    if (link.state !== 'open') this.#pairPauseMs = 0
  }

  /** Draws the frame on the screen again, with the mode, opacity and size of now. */
  redraw(): void {
    const wanted = this.#wanted()
    if (wanted !== this.#drawn) void this.#show()
    if (!this.#frame) return
    const canvas = this.#part('canvas') as HTMLCanvasElement
    const { camera_width, camera_height } = this.#frame.result
    const scale = Math.min(2, devicePixelRatio)
    const fit = Math.min(canvas.clientWidth / camera_width, canvas.clientHeight / camera_height) * scale
    const width = Math.max(1, Math.round(camera_width * fit))
    const height = Math.max(1, Math.round(camera_height * fit))
    if (canvas.width !== width) canvas.width = width
    if (canvas.height !== height) canvas.height = height
    drawFrame(canvas, this.#frame, { mode: this.mode, opacity: this.opacity, tint: this.tint, scale })
  }

  /** Brings texts, condition and, once a second, sparklines up to date. */
  tick(nowMs: number): void {
    void this.#show()
    const ageMs = this.#drawn && nowMs - this.#drawn.arrivedMs + this.#drawn.message.result.age_ms
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
    this.dataset.condition = condition.kind
    this.#say('state', condition.word)
    this.#say('title', condition.title)
    this.#say('detail', condition.detail)
    if (condition.kind !== before) this.onCondition(condition)

    const live = condition.kind === 'live'
    const rate = this.#minute.rate(nowMs)
    const latencyMs = this.#minute.latencyMs(nowMs)
    this.#say('road', this.result ? percent(this.result.road_percent) : '–')
    this.#say('rate', live || rate ? number(rate, 1) : '–')
    this.#say('latency', latencyMs === undefined ? '–' : number(latencyMs))
    this.#say('age', ageMs === undefined ? '–' : number(ageMs / 1000, ageMs < 9950 ? 1 : 0))
    const second = Math.floor(nowMs / 1000)
    if (second === this.#secondDrawn) return
    this.#secondDrawn = second
    this.#trend('road', nowMs)
    this.#trend('latency', nowMs)
    this.#details()
  }

  /** The last minute as a line, and its range in words. */
  #trend(what: 'road' | 'latency', nowMs: number): void {
    const road = what === 'road'
    const fact = road ? 'roadPercent' : 'latencyMs'
    const series = this.#minute.series(nowMs, fact, road ? 'mean' : 'max')
    const { line, area } = sparkline(series, road ? Math.min(100, axisTop(series, 50)) : axisTop(series, 50))
    this.#part(`${what}-line`).setAttribute('d', line)
    this.#part(`${what}-area`).setAttribute('d', area)
    const range = this.#minute.range(nowMs, fact)?.map((value) => (road ? percent(value) : number(value)))
    this.#say(`${what}-range`, range ? `${[...new Set(range)].join(' – ')} ${road ? '%' : 'ms'} last minute` : '')
  }

  /** What only the full view has room for. */
  #details(): void {
    const { result } = this
    if (!result) return
    const [x, y, width, height] = result.region
    const facts: Record<string, string> = {
      Confidence: `${number(100 * result.confidence, 1)} %`,
      Camera: `${result.camera_width} × ${result.camera_height}`,
      'Model sees': `${width} × ${height} at ${x}, ${y}`,
      Mask: `${result.width} × ${result.height}, ${result.classes.length} classes`,
      Frame: number(result.frame),
      'Dropped by the agent': number(result.dropped),
      'Not drawn here': number(this.skipped),
      Model: result.model,
    }
    for (const [name, text] of Object.entries(facts)) {
      if (!this.#parts.has(name)) {
        const row = this.#add('details', 'div')
        this.#add(row, 'dt').textContent = name
        this.#parts.set(name, this.#add(row, 'dd'))
      }
      this.#say(name, text)
    }
    const stages = Object.entries(result.timings_ms)
    const sum = stages.reduce((total, [, ms]) => total + ms, 0) || 1
    for (const [name, ms] of stages) {
      if (!this.#parts.has(name)) {
        const row = this.#add('stages', 'tr')
        this.#add(row, 'th').textContent = name
        this.#parts.set(name, this.#add(row, 'td'))
        this.#parts.set(`${name}-bar`, this.#add(this.#add(row, 'td'), 'i'))
      }
      this.#say(name, number(ms, ms < 10 ? 1 : 0))
      this.#part(`${name}-bar`).style.width = `${((100 * ms) / sum).toFixed(1)}%`
    }
  }

  #add(parent: string | HTMLElement, tag: string): HTMLElement {
    const element = document.createElement(tag)
    const under = typeof parent === 'string' ? this.#part(parent) : parent
    return under.appendChild(element)
  }

  /** The mask alone needs no picture: there every mask is shown. Elsewhere only pairs, unless none comes at all. */
  #wanted(): Known | undefined {
    if (this.mode === 'mask') return this.#newest
    if (this.#newestPair) return this.#newestPair
    return Date.now() - (this.#firstMs ?? Date.now()) > this.pictureMs ? this.#newest : undefined
  }

  /** Decodes and draws what is wanted until it is shown; one at a time, the newest wins. */
  async #show(): Promise<void> {
    if (this.#decoding) return
    this.#decoding = true
    for (let wanted = this.#wanted(); wanted && wanted !== this.#drawn && this.#visible; wanted = this.#wanted()) {
      try {
        const frame = await decodeFrame(wanted.message)
        if (!this.isConnected) {
          frame.close()
          break
        }
        this.#frame?.close()
        this.#frame = frame
        this.#drawn = wanted
        this.shown = frame.result
        this.#fault = ''
        this.style.setProperty('--aspect', `${frame.result.camera_width} / ${frame.result.camera_height}`)
        this.redraw()
      } catch (error) {
        this.#fault = error instanceof Error ? error.message : String(error)
        if (wanted === this.#wanted()) break
      }
    }
    this.#decoding = false
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
