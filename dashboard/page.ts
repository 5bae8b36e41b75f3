// The page: who is signed in, one line to the agent, and the views that it feeds. While the tab is hidden the line is closed and
// nothing runs.
import { wireVersion } from '../edge-agent/wire.ts'
import { keepSession } from './session.ts'
import { keepTheme } from './theme.ts'
import { openAgent } from './ui/agent.ts'
import { addressOf, openApi } from './ui/api.ts'
import { byId, say } from './ui/dom.ts'
import { duration } from './ui/numbers.ts'
import { openViews } from './views.ts'

const tickMs = 250

keepTheme(byId('theme'))

// One sentence at a time for the ear, and only once it has lasted.
let announcing: ReturnType<typeof setTimeout> | undefined
function announce(text: string) {
  clearTimeout(announcing)
  announcing = setTimeout(() => say(byId('announce'), text), 700)
}

// Who is there.
const session = keepSession({
  form: byId<HTMLFormElement>('sign-in'),
  fault: byId('sign-in-fault'),
  out: byId<HTMLButtonElement>('sign-out'),
  changed(person) {
    if (!person) agent.forget()
    views.seen(false) // what it shows may be another for somebody else
    wake()
  },
})
const api = openApi({ proof: () => session.who()?.proof, unknown: () => session.check() })

// The line to the agent.
const agent = openAgent(new URL(addressOf('ws').href.replace(/^http/, 'ws')))
const around = { agent, api, announce, isOperator: () => session.who()?.role === 'operator' }
const views = openViews(around, byId('views'), byId('links'))
let lostMs: number | undefined
let spoken: number = wireVersion
let device = ''

function showLink() {
  const nowMs = Date.now()
  const link = agent.link()
  const texts = { open: 'Connected', paused: 'Paused', connecting: 'Connecting', broken: 'Disconnected' }
  document.body.dataset.link = link.state
  say(byId('link'), texts[link.state])
  document.title = `${lostMs === undefined ? '' : '⚠ '}${device ? `${device} – ` : ''}Roadmask`
  const outdated = spoken !== wireVersion
  byId('alarm').hidden = link.state === 'paused' || (lostMs === undefined && !outdated)
  say(byId('retry'), outdated ? 'Load again' : 'Try now')
  if (lostMs === undefined) {
    say(byId('alarm-title'), 'This page is out of date.')
    say(byId('alarm-detail'), `It reads messages of version ${wireVersion}, the agent sends version ${spoken}.`)
    return
  }
  say(byId('alarm-title'), `Agent lost for ${duration(Math.max(1000, nowMs - lostMs))}.`)
  if (link.state === 'broken') {
    const seconds = Math.max(1, Math.ceil((link.retryAtMs - nowMs) / 1000))
    say(byId('alarm-detail'), `${link.reason}. Trying again in ${seconds} s.`)
  } else say(byId('alarm-detail'), 'Trying again now.')
}

agent.hear({
  link(link, before) {
    if (link.state === 'open' && lostMs !== undefined) announce('Connected to the agent again')
    if (link.state === 'broken') {
      if (lostMs === undefined) announce(`Agent lost. ${link.reason}`)
      lostMs ??= Date.now()
      session.check() // a browser does not say why a WebSocket was refused
    }
    if (['open', 'paused'].includes(link.state) || before.state === 'paused') lostMs = undefined
    showLink()
  },
  hello(hello) {
    spoken = hello.version
    device = hello.device
    say(byId('device'), `${hello.device}  ·  ${hello.model}`)
    showLink()
  },
})

/** Runs while somebody who may see the page sees it. */
let ticking: ReturnType<typeof setInterval> | undefined
function wake() {
  const shut = session.shut()
  document.body.toggleAttribute('data-shut', shut)
  clearInterval(ticking)
  if (shut || document.hidden) {
    views.seen(false)
    return agent.pause()
  }
  agent.resume()
  views.seen(true)
  ticking = setInterval(() => {
    showLink()
    views.tick(Date.now())
    agent.checkSilence()
  }, tickMs)
}
document.addEventListener('visibilitychange', wake)
addEventListener('online', wake)
byId('retry').onclick = () => (spoken === wireVersion ? wake() : location.reload())

// Nothing shows before it is known whether somebody has to sign in; the line opens meanwhile.
agent.resume()
session.check().then(wake)
