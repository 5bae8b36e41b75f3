// The live view: a tile for each camera that the agent names, in a grid or one in full, with the controls of how they are drawn
// and a list of what happened.
import type { CameraStatus, Hello, Stats } from '../../edge-agent/wire.ts'
import { recall, remember } from '../ui/choices.ts'
import { confirmed } from '../ui/dialog.ts'
import { byId, say } from '../ui/dom.ts'
import { eventTexts } from '../ui/events.ts'
import { clock, duration, number } from '../ui/numbers.ts'
import { toast, toastFault } from '../ui/toast.ts'
import type { Around, View } from '../ui/view.ts'
import { type Mode, modes } from './draw.ts'
import { RoadView } from './road-view.ts'

const longestLog = 30

const addressOf = (camera: string) => `#camera/${encodeURIComponent(camera)}`

export function openView({ agent, api, announce, isOperator }: Around): View {
  const grid = byId('cameras')
  const tools = byId<HTMLFormElement>('tools')
  const slider = byId<HTMLInputElement>('opacity')
  const radios = [...tools.querySelectorAll<HTMLInputElement>('input[name=mode]')]
  const boxes = [...tools.querySelectorAll<HTMLInputElement>('input[type=checkbox]')]
  const look: { mode: Mode; opacity: number } = {
    mode: modes.find((known) => known === recall('mode')) ?? 'tint',
    opacity: Number(recall('opacity') ?? 0.45) || 0,
  }
  /** Whether zones and the end of the free space are drawn. */
  const drawn = { zones: recall('zones') !== 'no', space: recall('space') === 'yes' }
  let hello: Pick<Hello, 'zones' | 'collecting'> = { zones: {}, collecting: false }
  /** Name of the camera in full view, where the address names one. */
  let named = ''
  let watching: (() => void) | undefined
  const tiles = () => [...grid.children].filter((child) => child instanceof RoadView)

  function applyLook() {
    for (const radio of radios) radio.checked = radio.value === look.mode
    slider.value = String(Math.round(100 * look.opacity))
    slider.disabled = look.mode === 'mask' || look.mode === 'picture'
    say(byId('opacity-text'), `${slider.value} %`)
    for (const box of boxes) box.checked = drawn[box.name as keyof typeof drawn]
    for (const tile of tiles()) dress(tile)
  }
  function dress(tile: RoadView) {
    const zones = drawn.zones ? (hello.zones[tile.camera] ?? []) : []
    Object.assign(tile, look, { zones, space: drawn.space })
    tile.redraw()
  }
  tools.oninput = () => {
    look.mode = modes.find((known) => radios.some(({ checked, value }) => checked && value === known)) ?? 'tint'
    look.opacity = Number(slider.value) / 100
    for (const { name, checked } of boxes) {
      drawn[name as keyof typeof drawn] = checked
      remember(name, checked ? 'yes' : 'no')
    }
    remember('mode', look.mode)
    remember('opacity', String(look.opacity))
    applyLook()
  }
  tools.onsubmit = (event) => event.preventDefault()
  applyLook()

  function note(text: string, atMs = Date.now()) {
    const item = document.createElement('li')
    item.textContent = `${clock(atMs, Date.now())}  ${text}`
    const list = byId('events')
    if (list.dataset.any) list.prepend(item)
    else list.replaceChildren(item)
    list.dataset.any = 'yes'
    while (list.children.length > longestLog) list.lastElementChild?.remove()
  }

  function tileOf(camera: string): RoadView {
    const known = tiles().find((tile) => tile.camera === camera)
    if (known) return known
    const tile = new RoadView()
    tile.camera = camera
    tile.onCondition = ({ title, detail }) => agent.link().state === 'open' && announce(`${camera}: ${title}. ${detail}`)
    grid.append(tile)
    tile.link(agent.link())
    dress(tile)
    tile.stage.onclick = () => {
      location.hash = tile.dataset.full === undefined ? addressOf(camera) : ''
    }
    tile.actions.switch.onclick = () => switchCamera(tile)
    tile.actions.keep.onclick = () => keepFrame(camera)
    return tile
  }

  async function switchCamera({ camera, enabled }: RoadView) {
    const text = 'It gives no masks to anybody until it is switched on again.'
    if (enabled && !(await confirmed({ title: `Switch ${camera} off?`, text, yes: 'Switch off' }))) return
    await api
      .send<CameraStatus>('POST', `api/cameras/${encodeURIComponent(camera)}/enabled`, { enabled: !enabled })
      .catch(toastFault(`${camera} could not be switched ${enabled ? 'off' : 'on'}`))
  }

  async function keepFrame(camera: string) {
    await api
      .send('POST', `api/cameras/${encodeURIComponent(camera)}/keep`)
      .then(() => toast(`A frame of ${camera} is kept among the hard frames`))
      .catch(toastFault('The frame could not be kept'))
  }

  /** Full view of the camera that the address names, or of the only one; else all of them in as square a grid as can be. */
  function arrange() {
    const all = tiles()
    const full = all.length === 1 ? all[0] : all.find(({ camera }) => camera === named)
    grid.toggleAttribute('data-full', full !== undefined)
    grid.style.setProperty('--columns', String(Math.ceil(Math.sqrt(all.length))))
    byId('back').hidden = !full || all.length < 2 || !watching
    byId('empty').hidden = all.length > 0
    for (const tile of all) {
      tile.toggleAttribute('data-full', tile === full)
      tile.stage.disabled = all.length === 1
      tile.stage.setAttribute('aria-label', tile === full ? 'Show all cameras' : `Show camera ${tile.camera} in full`)
      tile.actions.all.hidden = !isOperator()
      tile.actions.keep.hidden = !hello.collecting
    }
    if (!watching) return
    watching()
    watching = agent.watch(full && all.length > 1 ? [full.camera] : 'all', (message) => {
      tileOf(message.result.camera).receive(message)
    })
  }
  byId('back').onclick = () => {
    location.hash = ''
  }
  addEventListener('keydown', ({ key, target }) => {
    if (!watching || !grid.hasAttribute('data-full') || target instanceof HTMLInputElement) return
    if (document.querySelector('dialog[open]')) return // the key is the dialog's
    const all = tiles()
    const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? all.length - 1 : 0
    if (key === 'Escape') location.hash = ''
    else if (step) {
      const at = all.findIndex((tile) => tile.dataset.full !== undefined)
      const next = all[(at + step) % all.length]
      location.hash = addressOf(next?.camera ?? '')
      next?.stage.focus()
    }
  })

  function onStats(stats: Stats) {
    const { compute, uptime_s, memory_mib } = stats
    const memory = Object.values(memory_mib).reduce((sum, mib) => sum + mib, 0)
    for (const tile of tiles()) tile.stats(stats)
    say(byId('agent'), `${compute.toUpperCase()}, up ${duration(1000 * uptime_s)}, ${number(memory)} MiB`)
  }
  const onStatus = (status: CameraStatus) => tileOf(status.camera).status(status)

  let lost = false
  agent.hear({
    link(link) {
      if (link.state === 'broken' && !lost) note(`Agent lost: ${link.reason}`)
      if (link.state === 'open' && lost) note('Connected to the agent again')
      if (link.state !== 'connecting') lost = link.state === 'broken'
      for (const tile of tiles()) tile.link(link)
    },
    hello(told) {
      const { cameras } = told
      hello = told
      const names = cameras.map(({ camera }) => camera)
      for (const tile of tiles()) if (!names.includes(tile.camera)) tile.remove()
      cameras.forEach(onStatus)
      if (!names.length) say(byId('empty'), 'The agent has no camera: name one in its config file')
      tiles().forEach(dress)
      arrange()
    },
    status: onStatus,
    stats: onStats,
    event: ({ camera, type, detail, at_us }) =>
      note(`${camera} ${eventTexts[type] ?? type}${detail && `: ${detail}`}`, at_us / 1000),
    unreadable: (error) => note(`Unreadable message: ${error.message}`),
    forgotten() {
      for (const tile of tiles()) tile.remove()
      byId('events').replaceChildren()
      arrange()
    },
  })

  return {
    show(_root, rest) {
      named = rest
      watching ??= () => {}
      arrange()
    },
    hide() {
      watching?.()
      watching = undefined
      byId('back').hidden = true
    },
    tick(nowMs) {
      for (const tile of tiles()) tile.tick(nowMs)
    },
  }
}
