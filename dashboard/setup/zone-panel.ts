// The zones of one camera: drawn on its live picture, with the state that each would have now, and saved when they are right.
import type { MaskMessage } from '../../edge-agent/wire.ts'
import { make, say } from '../ui/dom.ts'
import { number } from '../ui/numbers.ts'
import { toast, toastFault } from '../ui/toast.ts'
import type { Around } from '../ui/view.ts'
import {
  decodeNewest,
  drawSeen,
  judgeZones,
  lookState,
  type Seen,
  type ZoneLooks,
  type ZoneSettings,
  zoneDefaults,
} from './live-mask.ts'
import type { Settings } from './settings.ts'
import { openStage } from './stage.ts'
import { usualZone, zoneShapes } from './zone-shapes.ts'

export interface Panel {
  root: HTMLElement
  dirty(): boolean
  /** The camera's masks come, or no longer. */
  watch(yes: boolean): void
  close(): void
}

function stateText(zone: ZoneLooks | undefined): string {
  if (zone === undefined) return 'no picture yet'
  const state = lookState(zone)
  return state === 'unseen' ? 'the model sees nothing of it' : state
}
const mostZones = 32
const none = 'No zone yet. A zone is a part of the picture that counts as blocked while it holds too little road.'

export function openZones({ agent, announce }: Around, settings: Settings, camera: string): Panel {
  const saved = () => settings.camera(camera)?.zones ?? []
  let looks: ZoneLooks[] = []
  let seen: Seen | undefined
  let judge = judgeZones()
  let end: (() => void) | undefined
  let saving = false

  const shapes = zoneShapes(changed)
  const stage = openStage(`Zones of ${camera}`, shapes)
  stage.notice(`${camera} has sent no picture yet. Zones can be drawn all the same.`)
  const button = (text: string, click: () => void, more = {}) => make('button', { type: 'button', click, ...more }, text)
  const draw = button('Draw a zone', () => shapes.drawing(!shapes.drawing()))
  const add = button('Add a shape', () => {
    shapes.change([...shapes.zones(), usualZone(shapes.zones())], shapes.zones().length)
    stage.svg.querySelector<SVGElement>(`[data-key="zone:${shapes.chosen()}"]`)?.focus()
  })
  const undo = button('Undo', shapes.undo)
  const redo = button('Redo', shapes.redo)
  const save = button('Save zones', () => void store(), { class: 'primary' })
  const discard = button('Discard', () => shapes.change(structuredClone(saved()), -1))
  const hint = make('p', { class: 'hint' })
  const list = make('ul', { class: 'zone-list', 'aria-label': 'Zones' })
  const fault = make('p', { class: 'fault', role: 'alert' })
  const root = make(
    'div',
    { class: 'setup-split' },
    make('div', {}, stage.root, make('div', { class: 'setup-tools' }, draw, add, undo, redo), hint),
    make(
      'section',
      { class: 'setup-side', 'aria-label': 'Zones' },
      list,
      fault,
      make('div', { class: 'setup-tools' }, save, discard),
    ),
  )
  root.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z' || event.target instanceof HTMLInputElement) return
    event.preventDefault()
    if (event.shiftKey) shapes.redo()
    else shapes.undo()
  })
  const dirty = () => JSON.stringify(shapes.zones()) !== JSON.stringify(saved())

  /** Fields of the chosen one; a change of them is a step too. They stay in the page meanwhile, for one is in the middle of them. */
  function fields(i: number): HTMLElement {
    const set = (key: keyof ZoneSettings, value: string | number | undefined) => {
      const zone = shapes.zones()[i]!
      const { [key]: _, ...rest } = zone
      const next = (value === undefined ? rest : { ...zone, [key]: value }) as ZoneSettings
      shapes.change(shapes.zones().map((other, j) => (j === i ? next : other)))
    }
    const name = make('input', { maxlength: 64, required: true, autocomplete: 'off', 'data-field': 'name' })
    name.onchange = () => {
      const text = name.value.trim()
      if (text) set('name', text)
      else showFields()
    }
    const numeric = (key: 'blocked_below' | 'clear_above' | 'hold_s', max: number) => {
      const input = make('input', { type: 'number', min: 0, max, step: 'any', 'data-field': key })
      input.onchange = () => {
        if (input.reportValidity()) set(key, input.value === '' ? undefined : input.valueAsNumber)
      }
      return input
    }
    const rest = () => shapes.zones().filter((_, j) => j !== i)
    return make(
      'div',
      { class: 'fields' },
      make('label', { class: 'wide' }, 'Name', name),
      make('label', {}, 'Blocked below, % road', numeric('blocked_below', 100)),
      make('label', {}, 'Clear from, % road', numeric('clear_above', 100)),
      make('label', {}, 'Once it held for, s', numeric('hold_s', 3600)),
      button('Remove zone', () => shapes.change(rest(), -1), { class: 'danger' }),
    )
  }
  function showFields() {
    const zone = shapes.zones()[shapes.chosen()]
    if (!zone) return
    const below = zone.blocked_below ?? zoneDefaults.blocked_below
    const usual = { ...zoneDefaults, clear_above: Math.min(100, below + 10), name: '' }
    for (const input of list.querySelectorAll<HTMLInputElement>('[data-field]')) {
      const key = input.dataset.field as keyof typeof usual
      input.placeholder = String(usual[key])
      const value = String(zone[key] ?? '')
      if (input.value !== value) input.value = value
    }
  }

  let listed = ''
  function showList() {
    const zones = shapes.zones()
    const rows = JSON.stringify([zones.length, shapes.chosen()])
    if (rows !== listed)
      list.replaceChildren(
        ...zones.map((_, i) => {
          const isChosen = i === shapes.chosen()
          const open = make('button', {
            type: 'button',
            'aria-expanded': String(isChosen),
            click: () => shapes.choose(isChosen ? -1 : i),
          })
          open.append(make('span', { class: 'name' }), make('span', { class: 'state', 'data-list': i }))
          return make('li', isChosen ? { 'data-chosen': true } : {}, open, ...(isChosen ? [fields(i)] : []))
        }),
      )
    listed = rows
    if (!zones.length) list.replaceChildren(make('li', { class: 'none' }, none))
    for (const [i, name] of list.querySelectorAll('.name').entries()) say(name, zones[i]!.name)
    showFields()
    showStates()
  }
  function showStates() {
    looks = seen ? judge(shapes.zones(), seen) : []
    shapes.looks(looks, stage.svg)
    shapes.zones().forEach((_, i) => {
      const row = list.querySelector<HTMLElement>(`[data-list="${i}"]`)
      const look = looks[i]
      if (!row) return
      row.dataset.state = lookState(look)
      say(row, `${look?.percent === undefined ? '' : `${number(look.percent, 1)} % `}${stateText(look)}`)
    })
  }
  function changed() {
    const drawing = shapes.drawing()
    stage.svg.toggleAttribute('data-drawing', drawing)
    stage.draw()
    showList()
    const full = shapes.zones().length >= mostZones
    say(draw, drawing ? 'Finish' : 'Draw a zone')
    draw.setAttribute('aria-pressed', String(drawing))
    draw.disabled = add.disabled = full && !drawing
    add.disabled ||= drawing
    undo.disabled = !drawing && !shapes.can().back
    redo.disabled = drawing || !shapes.can().forth
    const refused = settings.now()?.fault
    save.disabled = saving || drawing || !dirty() || refused !== undefined
    discard.disabled = saving || !dirty()
    say(fault, refused ?? '')
    say(
      hint,
      drawing
        ? 'Click corner by corner; click the first one again, or Finish, to close it. Escape gives up.'
        : 'Drag corners, edges and whole zones; or Tab to them and use the arrow keys (Shift: far, Alt: fine), Insert and Delete.',
    )
  }

  async function store() {
    saving = true
    changed()
    try {
      const told = await settings.save('PUT', `api/cameras/${encodeURIComponent(camera)}/zones`, camera, shapes.zones())
      if (told) toast(`Zones of ${camera}: ${told}`)
    } catch (error) {
      toastFault('The zones are not saved')(error)
    }
    saving = false
    changed()
  }

  const receive = decodeNewest((next) => {
    seen = { ...next, picture: undefined }
    stage.shape(next.result.camera_width / next.result.camera_height)
    if (next.picture) stage.notice('')
    drawSeen(stage.canvas, next)
    showStates()
  })
  shapes.load(structuredClone(saved()))

  return {
    root,
    dirty,
    watch(yes) {
      end?.()
      end = undefined
      if (!yes) return
      judge = judgeZones()
      end = agent.watch([camera], (message: MaskMessage) => receive(message))
      if (agent.cameras().find((known) => known.camera === camera)?.state !== 'online')
        announce(`${camera} gives no picture now`)
    },
    close() {
      end?.()
      stage.close()
    },
  }
}
