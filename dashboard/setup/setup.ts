// The view "Cameras": all of them with their states, and for operators one at a time with its zones and settings, or a new one.
// `#cameras`, `#cameras/NAME`, `#cameras/NAME/settings`, and `#cameras/+` (no camera has that name).
import type { CameraStatus } from '../../edge-agent/wire.ts'
import { confirmed } from '../ui/dialog.ts'
import { make } from '../ui/dom.ts'
import { duration } from '../ui/numbers.ts'
import { toast, toastFault } from '../ui/toast.ts'
import type { Around, View } from '../ui/view.ts'
import { openCamera } from './camera-form.ts'
import { openSettings } from './settings.ts'
import { kinds, readSource } from './source.ts'
import { openZones, type Panel } from './zone-panel.ts'

const list = '#cameras'
const addressOf = (camera: string, part = '') => `${list}/${encodeURIComponent(camera)}${part && `/${part}`}`
const stateTexts = { online: 'Online', offline: 'Offline', disabled: 'Switched off' }

export function openView(around: Around): View {
  const { agent, api, isOperator } = around
  const settings = openSettings(api)
  let root: HTMLElement | undefined
  let rest = ''
  let shown: { rest: string; panel: Panel } | undefined
  let turn = 0
  const statuses = new Map<string, CameraStatus>()

  function know(status: CameraStatus) {
    statuses.set(status.camera, status)
    if (root && !shown) showStates()
  }
  agent.hear({
    hello({ cameras }) {
      statuses.clear()
      cameras.forEach(know)
      if (root && !shown) void open()
    },
    status: know,
    forgotten() {
      shut()
      statuses.clear()
      root?.replaceChildren()
    },
  })
  // Only asks where something would be lost.
  addEventListener('beforeunload', (event) => shown?.panel.dirty() && event.preventDefault())

  function shut() {
    shown?.panel.close()
    shown = undefined
  }

  async function open() {
    const mine = ++turn
    const into = root!
    if (isOperator()) {
      try {
        await settings.load()
      } catch (error) {
        if (mine === turn) into.replaceChildren(bar('Cameras'), make('p', { class: 'empty fault' }, (error as Error).message))
        return
      }
    }
    if (mine !== turn || !root) return
    const [name = '', part = ''] = rest.split('/')
    if (!name || !isOperator()) return showList()
    const camera = settings.camera(name)
    if (!camera && name !== '+')
      return into.replaceChildren(bar(name), make('p', { class: 'empty' }, `The config file has no camera ${name}.`))
    shut()
    const saved = (named: string) => {
      const same = location.hash === addressOf(named, 'settings')
      shut()
      if (same) void open()
      else location.hash = addressOf(named)
    }
    const panel =
      name === '+' || part === 'settings' ? openCamera(around, settings, camera, saved) : openZones(around, settings, name)
    shown = { rest, panel }
    into.replaceChildren(bar(camera ? name : 'New camera', camera ? tabs(name, part) : undefined), panel.root)
    panel.watch(true)
  }

  function bar(title: string, ...more: (HTMLElement | undefined)[]) {
    const back = title === 'Cameras' ? [] : [make('a', { class: 'button', href: list }, '‹ Cameras')]
    return make('div', { class: 'view-bar' }, ...back, make('h2', {}, title), ...more.filter((one) => one !== undefined))
  }
  function tabs(name: string, part: string) {
    const link = (text: string, to: string) =>
      make('a', { href: addressOf(name, to), ...(to === part && { 'aria-current': 'page' }) }, text)
    return make('nav', { class: 'setup-tabs', 'aria-label': `Of ${name}` }, link('Zones', ''), link('Settings', 'settings'))
  }

  function showList() {
    shut()
    const setup = isOperator() ? settings.now() : undefined
    const names = new Set([...(setup?.cameras.map(({ name }) => name) ?? []), ...statuses.keys()])
    const add = make('a', { class: 'button primary', href: `${list}/+` }, 'Add a camera')
    const note = setup?.fault ?? (isOperator() ? undefined : 'An operator sets cameras up.')
    root!.replaceChildren(
      bar('Cameras', setup && !setup.fault ? add : undefined),
      ...(note ? [make('p', { class: 'setup-note' }, note)] : []),
      make('ul', { class: 'setup-list', 'aria-label': 'Cameras' }, ...[...names].map(row)),
    )
    showStates()
  }
  function row(name: string) {
    const camera = settings.camera(name)
    const source = camera && readSource(camera.source)
    const zones = camera?.zones?.length ?? 0
    const told =
      source &&
      `${kinds[source.kind]}${source.place && `, ${source.place}`} · ${zones ? `${zones} ${zones === 1 ? 'zone' : 'zones'}` : 'no zones'}`
    const item = make('li', { 'data-camera': name })
    const buttons = make('div', { class: 'setup-tools' })
    item.append(
      make(
        'div',
        {},
        make('h3', {}, name),
        make('p', { class: 'state' }),
        ...(told && isOperator() ? [make('p', { class: 'what' }, told)] : []),
      ),
      buttons,
    )
    if (!isOperator()) return item
    buttons.append(
      make('a', { class: 'button', href: addressOf(name), 'aria-label': `Zones of ${name}` }, 'Zones'),
      make('a', { class: 'button', href: addressOf(name, 'settings'), 'aria-label': `Settings of ${name}` }, 'Settings'),
      make('button', { type: 'button', class: 'switch', click: () => void turnSwitch(name) }),
    )
    if (!settings.now()?.fault)
      buttons.append(
        make(
          'button',
          { type: 'button', class: 'danger', 'aria-label': `Remove ${name}`, click: () => void remove(name) },
          'Remove',
        ),
      )
    return item
  }
  function showStates() {
    for (const item of root?.querySelectorAll<HTMLElement>('[data-camera]') ?? []) {
      const status = statuses.get(item.dataset.camera!)
      const state = status?.state ?? 'offline'
      item.dataset.state = state
      const since = status && ` for ${duration(Math.max(0, Date.now() - status.since_us / 1000))}`
      const reason = status?.reason && state === 'offline' ? `: ${status.reason}` : ''
      const text = item.querySelector('.state')!
      const words = status ? `${stateTexts[state]}${since}${reason}` : 'Not running'
      if (text.textContent !== words) text.replaceChildren(make('i', { class: 'dot' }), words)
      const button = item.querySelector<HTMLElement>('.switch')
      if (!button) continue
      const on = state !== 'disabled'
      button.hidden = !status
      button.textContent = on ? 'Switch off' : 'Switch on'
      button.setAttribute('aria-label', `${button.textContent} ${item.dataset.camera}`)
    }
  }

  async function turnSwitch(name: string) {
    const enabled = statuses.get(name)?.state === 'disabled'
    const done = api.send('POST', `api/cameras/${encodeURIComponent(name)}/enabled`, { enabled })
    await done.catch(toastFault(`${name} is not switched`))
  }
  async function remove(name: string) {
    const text = 'It ends now, and its lines go out of the config file, with its zones. Its retained messages are cleared.'
    if (!(await confirmed({ title: `Remove camera ${name}?`, text, yes: 'Remove' }))) return
    try {
      const told = await settings.save('DELETE', `api/cameras/${encodeURIComponent(name)}`, name)
      if (told) toast(`${name} is removed. ${told}`)
    } catch (error) {
      toastFault(`${name} is not removed`)(error)
    }
    if (root && !shown) showList()
  }

  return {
    show(into, place) {
      root = into
      const [same, kept] = [shown?.rest === place, isOperator()]
      rest = place
      if (same && kept) return shown?.panel.watch(true) // what was begun here goes on
      void open()
    },
    hide() {
      turn++
      shown?.panel.watch(false)
      root = undefined
    },
    tick() {
      if (root && !shown) showStates()
    },
    async mayLeave() {
      if (!shown?.panel.dirty()) {
        shut()
        return true
      }
      const leave = await confirmed({
        title: 'Leave without saving?',
        text: 'What was changed here is not saved yet.',
        yes: 'Leave',
      })
      if (leave) shut()
      return leave
    },
  }
}
