// One sentence at the edge of the page about what was just done, or why it was not; screen readers say it.
import { byId, make } from './dom.ts'

const shownMs = 6_000
const mostShown = 3

/** A fault stays until it is clicked away, or makes room for newer ones. */
export function toast(text: string, kind: 'done' | 'fault' = 'done'): void {
  const list = byId('toasts')
  const item = make('p', { class: kind, role: kind === 'fault' ? 'alert' : 'status' }, text)
  item.append(make('button', { type: 'button', class: 'icon', 'aria-label': 'Dismiss', click: () => item.remove() }, '×'))
  if (list.matches(':popover-open')) list.hidePopover()
  list.showPopover() // last, so that it lies over a dialog too
  list.append(item)
  while (list.children.length > mostShown) list.firstElementChild?.remove()
  if (kind === 'done') setTimeout(() => item.remove(), shownMs)
}

/** Says what went wrong with what somebody has asked for. */
export const toastFault = (what: string) => (error: unknown) =>
  toast(`${what}: ${error instanceof Error ? error.message : String(error)}`, 'fault')
