// The list of events: which kinds, each with its picture, which opens large; more of them when they are asked for.
import type { CameraEvent, EventPage, KeptEvent } from '../../edge-agent/wire.ts'
import { type Api, addressOf } from '../ui/api.ts'
import { openDialog } from '../ui/dialog.ts'
import { make, say } from '../ui/dom.ts'
import { eventTexts } from '../ui/events.ts'
import { momentText } from './times.ts'

export interface EventList {
  element: HTMLElement
  /** Shows events of these cameras (of all where none are named) and of this time, the newest first. */
  load(wanted: Wanted): Promise<void>
}

export interface Wanted {
  cameras: readonly string[]
  /** Seconds since 1970. */
  from: number
  to: number
}

const kinds: { label: string; types: CameraEvent['type'][] }[] = [
  { label: 'All events', types: [] },
  { label: 'Zones', types: ['zone_blocked', 'zone_clear'] },
  { label: 'Cameras', types: ['camera_lost', 'camera_back', 'camera_enabled', 'camera_disabled'] },
  { label: 'Drift', types: ['drift_start', 'drift_end'] },
  { label: 'Clock', types: ['clock_step'] },
  { label: 'Models', types: ['model_shadow', 'model_switched', 'model_settled', 'model_rolled_back', 'model_refused'] },
]
const page = 24

/** `look`: somebody wants to see the charts at a moment. */
export function openEventList(api: Api, look: (seconds: number) => void): EventList {
  const kind = make(
    'select',
    { 'aria-label': 'Kind of events' },
    ...kinds.map(({ label }, i) => make('option', { value: i }, label)),
  )
  const asCsv = make('a', { class: 'button', download: '' }, 'As CSV')
  const list = make('ol', { class: 'event-list' })
  const none = make('p', { class: 'none' })
  const more = make('button', { type: 'button' }, 'Show earlier ones')
  const element = make(
    'section',
    { class: 'happened', 'aria-labelledby': 'events-title' },
    make('header', {}, make('h2', { id: 'events-title' }, 'Events'), kind, asCsv),
    none,
    list,
    more,
  )
  let wanted: Wanted = { cameras: [], from: 0, to: 0 }
  let shown: KeptEvent[] = []
  let next: string | null = null
  let turn = 0

  const query = (more: Record<string, string> = {}) => {
    const parameters = new URLSearchParams(more)
    for (const camera of wanted.cameras) parameters.append('camera', camera)
    for (const type of kinds[Number(kind.value)]!.types) parameters.append('type', type)
    parameters.set('from', new Date(1000 * wanted.from).toISOString())
    parameters.set('to', new Date(1000 * wanted.to).toISOString())
    return parameters
  }

  /** As many as were shown before, so that a list that was made longer stays so. */
  async function load() {
    const mine = ++turn
    asCsv.href = addressOf(`api/events.csv?${query()}`).href
    const limit = String(Math.min(500, Math.max(page, shown.length)))
    const answer = await api.get<EventPage>(`api/events?${query({ limit })}`)
    if (mine !== turn) return
    shown = answer.events
    next = answer.next
    show()
  }

  function show() {
    const before = new Map([...list.children].map((child) => [(child as HTMLElement).dataset.key, child]))
    // What is there stays, with the focus that it may have.
    list.replaceChildren(...shown.map((event) => before.get(keyOf(event)) ?? itemOf(event)))
    say(
      none,
      shown.length
        ? ''
        : 'Nothing happened in this time. Cameras that are lost or back, zones that become blocked or clear, drift and a clock that is set show here.',
    )
    none.hidden = shown.length > 0
    more.hidden = next === null
  }

  const keyOf = ({ id, picture_us }: KeptEvent) => `${id} ${picture_us ?? ''}`

  function itemOf(event: KeptEvent): HTMLElement {
    const title = titleOf(event)
    const time = make(
      'button',
      { type: 'button', class: 'time', title: 'Show this moment in the charts' },
      momentText(event.at_us / 1e6),
    )
    time.onclick = () => look(event.at_us / 1e6)
    const item = make(
      'li',
      { 'data-key': keyOf(event), 'data-type': event.type },
      make('div', { class: 'said' }, make('h3', {}, title), make('p', {}, event.detail), time),
    )
    if (event.picture_us !== undefined) item.prepend(thumbnail(event, title))
    return item
  }

  function thumbnail(event: KeptEvent, title: string) {
    const src = addressOf(`api/events/${encodeURIComponent(event.id)}/picture`).href
    const button = make('button', { type: 'button', class: 'thumbnail', 'aria-label': `Show the picture large: ${title}` })
    button.append(make('img', { src, alt: '', loading: 'lazy', decoding: 'async' }))
    button.onclick = () => {
      const alt = `What camera ${event.camera} saw, the road tinted`
      const [told, shot] = [event.at_us, event.picture_us!].map((micros) => momentText(micros / 1e6))
      const taken = [told, event.detail, shot === told ? '' : `picture taken ${shot}`].filter(Boolean).join('. ')
      openDialog(title, make('img', { class: 'large', src, alt }), make('p', { class: 'taken' }, taken))
      document.querySelector('dialog[open]')?.classList.add('wide')
    }
    return button
  }

  kind.onchange = () => load().catch(fail)
  more.onclick = async () => {
    const before = next
    if (before === null) return
    const mine = ++turn
    const answer = await api.get<EventPage>(`api/events?${query({ before, limit: String(page) })}`).catch(fail)
    if (!answer || mine !== turn) return
    shown = [...shown, ...answer.events]
    next = answer.next
    show()
  }
  function fail(error: Error) {
    none.hidden = false
    say(none, error.message)
  }

  return {
    element,
    async load(changed) {
      const same = wanted.from === changed.from && wanted.cameras.join('/') === changed.cameras.join('/')
      if (!same && wanted.to - wanted.from !== changed.to - changed.from) shown = []
      wanted = changed
      await load().catch(fail)
    },
  }
}

const titleOf = ({ camera, type, zone }: CameraEvent) =>
  `${camera}${zone === undefined ? '' : `, ${zone}`}: ${eventTexts[type] ?? type}`
