// The page: a tile for each camera that the agent names, the controls, and one line to the agent that feeds them all.
// While the tab is hidden the line is closed and nothing runs.
import { type CameraEvent, type CameraStatus, type SocketMessage, type Stats, wireVersion } from '../edge-agent/wire.ts'
import { clock, duration } from './condition.ts'
import { type Link, openConnection } from './connection.ts'
import { type Mode, modes } from './draw.ts'
import { RoadView } from './road-view.ts'
import { keepSession } from './session.ts'

const tickMs = 250
const longestLog = 30

const byId = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => {
  const element = document.getElementById(id)
  if (!element) throw new Error(`Expected an element with id="${id}" in the page, found none`)
  return element as Kind
}
const say = (id: string, text: string) => {
  const element = byId(id)
  if (element.textContent !== text) element.textContent = text
}

// Choices live in localStorage, which throws where a browser forbids it: then they last as long as the page.
const recall = (key: string): string | null => {
  try {
    return localStorage.getItem(`roadmask.${key}`)
  } catch {
    return null
  }
}
const remember = (key: string, value: string) => {
  try {
    localStorage.setItem(`roadmask.${key}`, value)
  } catch {}
}

// Theme: automatic, light, dark, in turn.
const themes = ['auto', 'light', 'dark'] as const
const themeButton = byId('theme')
function setTheme(theme: string) {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  const title = `Theme: ${theme === 'auto' ? 'as the system' : theme}`
  themeButton.title = title
  themeButton.setAttribute('aria-label', title)
  remember('theme', theme)
}
let theme: (typeof themes)[number] = themes.find((known) => known === recall('theme')) ?? 'auto'
setTheme(theme)
themeButton.onclick = () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto'
  setTheme(theme)
}

// Mode and opacity, of all tiles alike.
const main = byId('cameras')
const slider = byId<HTMLInputElement>('opacity')
const radios = [...document.querySelectorAll<HTMLInputElement>('input[name=mode]')]
const look: { mode: Mode; opacity: number } = {
  mode: modes.find((known) => known === recall('mode')) ?? 'tint',
  opacity: Number(recall('opacity') ?? 0.45) || 0,
}
const views = () => [...main.children].filter((child) => child instanceof RoadView)
function applyLook() {
  for (const radio of radios) radio.checked = radio.value === look.mode
  slider.value = String(Math.round(100 * look.opacity))
  slider.disabled = look.mode === 'mask' || look.mode === 'picture'
  say('opacity-text', `${slider.value} %`)
  for (const view of views()) {
    Object.assign(view, look)
    view.redraw()
  }
}
byId('tools').oninput = () => {
  look.mode = modes.find((known) => radios.some(({ checked, value }) => checked && value === known)) ?? 'tint'
  look.opacity = Number(slider.value) / 100
  remember('mode', look.mode)
  remember('opacity', String(look.opacity))
  applyLook()
}
byId('tools').onsubmit = (event) => event.preventDefault()
applyLook()

// What happened, for the eye as a list, for the ear one sentence at a time and only once it has lasted.
let announcing: ReturnType<typeof setTimeout> | undefined
function note(text: string, atMs = Date.now()) {
  const item = document.createElement('li')
  item.textContent = `${clock(atMs, Date.now())}  ${text}`
  const list = byId('events')
  if (list.dataset.any) list.prepend(item)
  else list.replaceChildren(item)
  list.dataset.any = 'yes'
  while (list.children.length > longestLog) list.lastElementChild?.remove()
}
function announce(text: string) {
  clearTimeout(announcing)
  announcing = setTimeout(() => say('announce', text), 700)
}

// Tiles.
let link: Link = { state: 'paused' }
let device = ''
function viewOf(camera: string): RoadView {
  const known = views().find((view) => view.camera === camera)
  if (known) return known
  const view = new RoadView()
  Object.assign(view, { camera }, look)
  view.onCondition = ({ title, detail }) => link.state === 'open' && announce(`${camera}: ${title}. ${detail}`)
  main.append(view)
  view.link(link)
  view.querySelector('button')?.addEventListener('click', () => {
    location.hash = view.dataset.full === undefined ? encodeURIComponent(camera) : ''
  })
  arrange()
  return view
}

/** Full view of the camera that the address names, or of the only one; else all of them in as square a grid as can be. */
function arrange() {
  const all = views()
  const named = location.hash.slice(1)
  const full = all.length === 1 ? all[0] : all.find(({ camera }) => encodeURIComponent(camera) === named)
  main.toggleAttribute('data-full', full !== undefined)
  main.style.setProperty('--columns', String(Math.ceil(Math.sqrt(all.length))))
  byId('back').hidden = !full || all.length < 2
  byId('empty').hidden = all.length > 0
  for (const view of all) {
    view.toggleAttribute('data-full', view === full)
    const button = view.querySelector('button')
    if (!button) continue
    button.disabled = all.length === 1
    button.setAttribute('aria-label', view === full ? 'Show all cameras' : `Show camera ${view.camera} in full`)
  }
}
addEventListener('hashchange', arrange)
byId('back').onclick = () => {
  location.hash = ''
}
addEventListener('keydown', ({ key, target }) => {
  if (!main.hasAttribute('data-full') || target instanceof HTMLInputElement) return
  const all = views()
  const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? all.length - 1 : 0
  if (key === 'Escape') location.hash = ''
  else if (step) {
    const at = all.findIndex((view) => view.dataset.full !== undefined)
    const next = all[(at + step) % all.length]
    location.hash = encodeURIComponent(next?.camera ?? '')
    next?.querySelector('button')?.focus()
  }
})

// The line to the agent.
let lostMs: number | undefined
let spoken: number = wireVersion
function showLink() {
  const nowMs = Date.now()
  const texts = { open: 'Connected', paused: 'Paused', connecting: 'Connecting', broken: 'Disconnected' }
  document.body.dataset.link = link.state
  say('link', texts[link.state])
  document.title = `${lostMs === undefined ? '' : '⚠ '}${device ? `${device} – ` : ''}Roadmask`
  const outdated = spoken !== wireVersion
  byId('alarm').hidden = link.state === 'paused' || (lostMs === undefined && !outdated)
  say('retry', outdated ? 'Load again' : 'Try now')
  if (lostMs === undefined) {
    say('alarm-title', 'This page is out of date.')
    say('alarm-detail', `It reads messages of version ${wireVersion}, the agent sends version ${spoken}.`)
    return
  }
  say('alarm-title', `Agent lost for ${duration(Math.max(1000, nowMs - lostMs))}.`)
  if (link.state === 'broken') {
    const seconds = Math.max(1, Math.ceil((link.retryAtMs - nowMs) / 1000))
    say('alarm-detail', `${link.reason}. Trying again in ${seconds} s.`)
  } else say('alarm-detail', 'Trying again now.')
}

function onStatus(status: CameraStatus) {
  viewOf(status.camera).status(status)
}

function onStats(stats: Stats) {
  const memory = Object.values(stats.memory_mib).reduce((sum, mib) => sum + mib, 0)
  say('agent', `${stats.compute.toUpperCase()}, up ${duration(1000 * stats.uptime_s)}, ${Math.round(memory)} MiB`)
}

const eventTexts: Record<CameraEvent['type'], string> = {
  clock_step: 'clock set',
  camera_lost: 'lost',
  camera_back: 'back',
  camera_enabled: 'switched on',
  camera_disabled: 'switched off',
  zone_blocked: 'zone blocked',
  zone_clear: 'zone clear',
  drift_start: 'looks unlike the training pictures',
  drift_end: 'looks like the training pictures again',
}
function onEvent({ camera, type, detail, at_us }: CameraEvent) {
  note(`${camera} ${eventTexts[type] ?? type}${detail && `: ${detail}`}`, at_us / 1000)
}

function onMessage(message: SocketMessage) {
  if (message.type === 'status') onStatus(message)
  else if (message.type === 'stats') onStats(message)
  else if (message.type === 'event') onEvent(message.event)
  else if (message.type === 'hello') {
    spoken = message.version
    device = message.device
    say('device', `${message.device}  ·  ${message.model}`)
    const names = message.cameras.map(({ camera }) => camera)
    for (const view of views()) if (!names.includes(view.camera)) view.remove()
    message.cameras.forEach(onStatus)
    if (!names.length) say('empty', 'The agent has no camera: name one in its config file')
    arrange()
  }
}

const connection = openConnection(new URL('ws', document.baseURI.replace(/^http/, 'ws')), {
  link(next) {
    const was = link.state
    link = next
    if (next.state === 'open') {
      if (lostMs !== undefined) {
        note('Connected to the agent again')
        announce('Connected to the agent again')
      }
      lostMs = undefined
    } else if (next.state === 'broken') {
      if (lostMs === undefined) {
        note(`Agent lost: ${next.reason}`)
        announce(`Agent lost. ${next.reason}`)
      }
      lostMs ??= Date.now()
      session.check() // a browser does not say why a WebSocket was refused
    }
    if (next.state === 'paused' || was === 'paused') lostMs = undefined
    for (const view of views()) view.link(next)
    tick()
  },
  message: onMessage,
  mask: (message) => viewOf(message.result.camera).receive(message),
  unreadable: (error) => note(`Unreadable message: ${error.message}`),
})

// Where the agent wants to know who asks.
const session = keepSession({
  form: byId<HTMLFormElement>('sign-in'),
  fault: byId('sign-in-fault'),
  out: byId<HTMLButtonElement>('sign-out'),
  shut() {
    connection.pause()
    for (const view of views()) view.remove()
    arrange()
    byId('empty').hidden = true
  },
  opened: resume,
})
function resume() {
  if (!document.hidden && byId('sign-in').hidden) connection.resume()
}

function tick() {
  showLink()
  for (const view of views()) view.tick(Date.now())
}

let ticking: ReturnType<typeof setInterval> | undefined
function onVisibility() {
  clearInterval(ticking)
  if (document.hidden) return connection.pause()
  ticking = setInterval(() => {
    tick()
    connection.checkSilence()
  }, tickMs)
  resume()
}
document.addEventListener('visibilitychange', onVisibility)
addEventListener('online', resume)
byId('retry').onclick = () => (spoken === wireVersion ? resume() : location.reload())
onVisibility()
session.check()
