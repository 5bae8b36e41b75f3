// The views by the address's hash, one seen at a time: `#` is the live grid, `#camera/NAME` one camera of it, and every other one is
// called by its name. A view's module is loaded when it is first wanted; its part of the page is [data-view] of that name.
import { openView as openLive } from './live/live.ts'
import type { Around, OpenView, View } from './ui/view.ts'

const views: Record<string, () => OpenView | Promise<OpenView>> = {
  live: () => openLive,
  history: () => import('./history/history.ts').then(({ openView }) => openView),
  frames: async () => (await import('./frames/frames.ts')).openView,
  model: async () => (await import('./model/model.ts')).openView,
  cameras: () => import('./setup/setup.ts').then(({ openView }) => openView),
}

/** What the address names: a view, and what follows its name. */
export function placeOf(hash: string): { name: string; rest: string } {
  const [first = '', ...more] = hash.replace(/^#/, '').split('/')
  const rest = more.map(decoded).join('/')
  if (first === 'camera') return { name: 'live', rest }
  return Object.hasOwn(views, first) ? { name: first, rest } : { name: 'live', rest: '' }
}

/** A part of an address that somebody typed may be no encoding of anything. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export interface Views {
  /** Shows what the address names, or hides it all: nobody is there to see it. */
  seen(seen: boolean): void
  tick(nowMs: number): void
}

/** `main` holds the views' parts, `links` lead to them. */
export function openViews(around: Around, main: HTMLElement, links: HTMLElement): Views {
  const opened = new Map<string, Promise<View>>()
  let seen = false
  let shown: { name: string; hash: string; view: View } | undefined
  let turn = 0

  const partOf = (name: string) => {
    const part = main.querySelector<HTMLElement>(`[data-view="${name}"]`)
    if (!part) throw new Error(`Expected an element with data-view="${name}" in the page, found none`)
    return part
  }
  function hide() {
    shown?.view.hide()
    shown = undefined
  }

  async function go() {
    const { hash } = location
    if (!seen || hash === shown?.hash) return
    const mine = ++turn
    const { name, rest } = placeOf(hash)
    if (shown?.view.mayLeave && !(await shown.view.mayLeave())) {
      if (mine === turn) history.pushState(null, '', shown.hash || '#')
      return
    }
    const opening = opened.get(name) ?? Promise.resolve(views[name]!()).then((open) => open(around))
    opened.set(name, opening)
    const view = await opening.catch((error: Error) => {
      opened.delete(name) // the agent may have been away: it is asked again
      around.announce(`This view could not be loaded: ${error.message}`)
    })
    if (!view || mine !== turn || !seen) return
    if (shown?.name !== name) hide()
    for (const part of main.querySelectorAll<HTMLElement>('[data-view]')) part.hidden = part.dataset.view !== name
    for (const link of links.querySelectorAll('a')) {
      if (placeOf(link.hash).name === name) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    shown = { name, hash, view }
    view.show(partOf(name), rest)
  }
  addEventListener('hashchange', go)

  return {
    seen(now) {
      if (seen === now) return
      seen = now
      if (seen) go()
      else hide()
    },
    tick: (nowMs) => shown?.view.tick?.(nowMs),
  }
}
