// The view of what was: charts of the cameras and the device over the last minutes to a month, and events with their pictures.
// It follows the present while somebody looks, unless they have gone to a part of the past.
import type { History } from '../../edge-agent/wire.ts'
import { addressOf } from '../ui/api.ts'
import { recall, remember } from '../ui/choices.ts'
import { make, say } from '../ui/dom.ts'
import type { Around, View } from '../ui/view.ts'
import { openEventList } from './event-list.ts'
import { cameraNames, chartsOf, isEmpty, newestOf, tableOf, timesOf, zonesOf, zonesSummary } from './lines.ts'
import { curveVariable, onTheme, paletteOf } from './palette.ts'
import { type Plot, plotCurves, plotZones } from './plot.ts'
import { moved, ranges, type Span, spanBetween, spanOf, zoomed } from './range.ts'
import { momentText } from './times.ts'

/** The device puts points together at every round ten seconds; a moment later they can be asked for. */
const behindMs = 1500
const leastRefreshMs = 10_000
const mostRefreshMs = 300_000
/** An event shows so soon, and its picture, which is painted, so much later. */
const soonMs = 500
const pictureMs = 2500

export function openView({ agent, api, announce }: Around): View {
  let range = ranges.find(({ name }) => name === recall('history.range')) ?? ranges[0]!
  /** A part of the past; undefined: the range up to now. */
  let past: Span | undefined
  let span: Span = spanOf(range, Date.now())
  let history: History | undefined
  let unchosen = new Set((recall('history.hidden') ?? '').split('/').filter(Boolean))
  let times: number[] = []
  let plots: Plot[] = []
  let newest = 0
  /** The moment that is looked at; undefined: the newest. */
  let at: number | undefined
  let seen = false
  let nextMs = Number.POSITIVE_INFINITY
  let turn = 0
  let end = () => {}

  // The bar: which time, which cameras, and what to take along.
  const rangeInputs = ranges.map(({ name, label }) => {
    const input = make('input', { type: 'radio', name: 'range', value: name })
    return { input, label: make('label', {}, input, make('span', {}, label)) }
  })
  const button = (text: string, label: string, click: () => void) =>
    make('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, click }, text)
  const now = make('button', { type: 'button', click: () => go(undefined) }, 'Back to now')
  const cameras = make('fieldset', { class: 'chosen' })
  const asCsv = make('a', { class: 'button', download: '' }, 'Charts as CSV')
  const bar = make(
    'form',
    { class: 'view-bar', 'aria-label': 'Which time and which cameras' },
    make(
      'fieldset',
      { class: 'segments' },
      make('legend', { class: 'unseen' }, 'Time'),
      ...rangeInputs.map(({ label }) => label),
    ),
    make(
      'div',
      { class: 'steps', role: 'group', 'aria-label': 'Move in time' },
      button('‹', 'Earlier', () => go(moved(span, -0.5, Date.now()))),
      button('›', 'Later', () => go(moved(span, 0.5, Date.now()))),
      button('+', 'Zoom in', () => go(zoomed(span, 0.5, middle(), Date.now()))),
      button('−', 'Zoom out', () => go(zoomed(span, 2, middle(), Date.now()))),
      now,
    ),
    cameras,
    asCsv,
  )
  bar.onsubmit = (event) => event.preventDefault()

  // The moment: one for all charts, by pointer, finger or keys.
  const slider = make('input', { type: 'range', min: 0, max: 1, step: 1, 'aria-label': 'Moment' })
  const momentOf = make('output', {})
  const moment = make('div', { class: 'moment' }, slider, momentOf)
  const charts = make('div', { class: 'charts' })
  const notice = make('p', { class: 'empty', role: 'status' })
  const table = make('table', {})
  const values = make(
    'details',
    { class: 'values' },
    make('summary', {}, 'Values as a table'),
    make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Values as a table' }, table),
  )
  const events = openEventList(api, (seconds) => {
    if (seconds < span.from || seconds >= span.to) go(spanBetween(seconds - 450, seconds + 450, Date.now()))
    const index = times.findLastIndex((time) => time <= seconds)
    point(index < 0 ? undefined : index)
    charts.scrollIntoView({ block: 'nearest' })
  })
  const body = make(
    'div',
    { class: 'history-body' },
    make('div', { class: 'over-time' }, notice, moment, charts, values),
    events.element,
  )

  const names = () =>
    cameraNames(
      history,
      agent.cameras().map(({ camera }) => camera),
    )
  const chosen = () => names().filter((name) => !unchosen.has(name))
  /** As the API takes them: none is all, and of none at all there is nothing. */
  const asked = () => (unchosen.size === 0 ? [] : chosen().length ? chosen() : ['/'])
  const middle = () => (at === undefined ? (span.from + span.to) / 2 : (times[at] ?? span.to))

  const query = () => new URLSearchParams({ from: iso(span.from), to: iso(span.to), points: String(span.points) })

  /** Goes to a part of the past, or to the range up to now. */
  function go(to: Span | undefined) {
    past = to
    at = undefined
    load()
  }

  async function load() {
    const mine = ++turn
    span = past ?? spanOf(range, Date.now())
    for (const { input } of rangeInputs) input.checked = !past && input.value === range.name
    now.hidden = !past
    planNext()
    try {
      const [answer] = await Promise.all([
        api.get<History>(`api/history?${query()}`),
        events.load({ cameras: asked(), from: span.from, to: span.to }),
      ])
      if (mine !== turn || !seen) return
      history = answer
      show()
    } catch (error) {
      if (mine === turn) tell((error as Error).message)
    }
  }

  function planNext() {
    const everyMs = Math.min(mostRefreshMs, Math.max(leastRefreshMs, (1000 * (span.to - span.from)) / span.points))
    const roundMs = Math.ceil((Date.now() - behindMs + 1) / leastRefreshMs) * leastRefreshMs + behindMs
    nextMs = past ? Number.POSITIVE_INFINITY : roundMs + everyMs - leastRefreshMs
  }

  function tell(text: string) {
    say(notice, text)
    notice.hidden = text === ''
  }

  function show() {
    if (!history) return
    showCameras()
    const wanted = query()
    for (const name of asked()) wanted.append('camera', name)
    asCsv.href = addressOf(`api/history.csv?${wanted}`).href
    const empty = isEmpty(history)
    moment.hidden = charts.hidden = values.hidden = empty
    if (!history.recording)
      tell('The agent does not record: "history.enabled" is off in its settings. What it has recorded before is still shown.')
    else if (empty && past) tell('Nothing was recorded in this time.')
    else if (empty)
      tell(
        'Nothing is recorded yet. Road, zones, latency and masks a second of each camera appear here within ten seconds of its first mask.',
      )
    else tell('')
    times = timesOf(history)
    const zones = zonesOf(history, chosen())
    const all = chartsOf(history, names(), chosen())
    const [road, ...others] = all
    newest = newestOf(all, times.length)
    const listener = { moment: point, zoom: (from: number, to: number) => go(spanBetween(from, to, Date.now())) }
    for (const plot of plots) plot.destroy()
    plots = [
      plotCurves(road!, listener),
      ...(zones.length ? [plotZones(zones, zonesSummary(zones, history.step_s), listener)] : []),
      ...others.map((chart) => plotCurves(chart, listener)),
    ]
    charts.replaceChildren(...plots.map(({ element }) => element))
    slider.max = String(times.length - 1)
    if (at !== undefined && at >= times.length) at = undefined
    draw()
    if (values.open) showTable()
  }

  function draw() {
    if (!plots.length || charts.hidden) return
    const palette = paletteOf(charts)
    for (const plot of plots) plot.draw(times, palette)
    point(at)
  }

  function point(index: number | undefined) {
    at = index
    for (const plot of plots) plot.moment(index ?? newest, index !== undefined)
    slider.value = String(index ?? newest)
    const time = index === undefined ? undefined : times[index]
    say(momentOf, time === undefined ? 'Newest values' : momentText(time))
    slider.setAttribute(
      'aria-valuetext',
      [momentOf.textContent, ...[...charts.querySelectorAll('.chart')].map(readOut)].join('. '),
    )
  }

  function showCameras() {
    const all = names()
    const before = [...cameras.querySelectorAll('input')].map(({ value }) => value)
    if (before.join('/') === all.join('/')) return
    cameras.hidden = all.length < 2
    cameras.replaceChildren(
      make('legend', { class: 'unseen' }, 'Cameras'),
      ...all.map((name, i) => {
        const input = make('input', { type: 'checkbox', value: name, checked: !unchosen.has(name) })
        const swatch = make('i', { class: 'swatch' })
        swatch.style.setProperty('--colour', curveVariable(i))
        return make('label', {}, input, swatch, name)
      }),
    )
  }

  function showTable() {
    if (!history) return
    const { head, rows } = tableOf(times, chartsOf(history, names(), chosen()), zonesOf(history, chosen()))
    table.replaceChildren(
      make('thead', {}, make('tr', {}, ...['Time', ...head].map((text) => make('th', { scope: 'col' }, text)))),
      make(
        'tbody',
        {},
        ...rows.map(({ time, cells }) =>
          make('tr', {}, make('th', { scope: 'row' }, momentText(time)), ...cells.map((cell) => make('td', {}, cell))),
        ),
      ),
    )
  }

  bar.onchange = ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return
    if (target.name === 'range') {
      range = ranges.find(({ name }) => name === target.value) ?? range
      remember('history.range', range.name)
      return go(undefined)
    }
    unchosen = new Set([...cameras.querySelectorAll('input')].filter(({ checked }) => !checked).map(({ value }) => value))
    remember('history.hidden', [...unchosen].join('/')) // no name of a camera holds a "/"
    load()
  }
  slider.oninput = () => point(Number(slider.value))
  slider.onkeydown = ({ key }) => {
    if (key === 'Escape') point(undefined)
  }
  values.ontoggle = () => {
    if (values.open) showTable()
  }

  return {
    show(root) {
      if (!body.isConnected) root.append(bar, body)
      seen = true
      const watcher = new ResizeObserver(() => draw())
      watcher.observe(charts)
      let later: ReturnType<typeof setTimeout> | undefined
      const deaf = agent.hear({
        event() {
          if (past) return
          nextMs = Math.min(nextMs, Date.now() + soonMs) // a flood of them asks no more often
          clearTimeout(later)
          later = setTimeout(load, pictureMs)
        },
        forgotten() {
          history = undefined
          charts.replaceChildren()
        },
      })
      const dull = onTheme(draw)
      end = () => {
        watcher.disconnect()
        clearTimeout(later)
        deaf()
        dull()
      }
      load()
      announce(`History, ${range.label}`)
    },
    hide() {
      seen = false
      end()
      for (const plot of plots) plot.destroy()
      plots = []
      charts.replaceChildren()
    },
    tick(nowMs) {
      if (nowMs >= nextMs) load()
    },
  }
}

const iso = (seconds: number) => new Date(1000 * seconds).toISOString()

/** A chart's title and legend as a sentence. */
function readOut(chart: Element): string {
  const entries = [...chart.querySelectorAll('.legend li')].map((entry) => entry.textContent?.trim() ?? '')
  return `${chart.querySelector('h2')?.textContent}: ${entries.join(', ')}`
}
