// Colours of curves, told apart by people who see few of them, in both themes. They stand in history.css as --curve-1 and on; a
// canvas wants them as they are in force.

const count = 8

export interface Palette {
  /** Colour of a curve, over and over where there are more curves than colours. */
  curve(index: number): string
  text: string
  muted: string
  line: string
  good: string
  bad: string
}

/** The colours in force inside an element. */
export function paletteOf(element: HTMLElement): Palette {
  const probe = document.createElement('i')
  element.append(probe)
  const resolve = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const curves = Array.from({ length: count }, (_, i) => resolve(`curve-${i + 1}`))
  const [text, muted, line, good, bad] = ['text', 'muted', 'line', 'good', 'bad'].map(resolve) as [
    string,
    string,
    string,
    string,
    string,
  ]
  probe.remove()
  return { curve: (index) => curves[index % count]!, text, muted, line, good, bad }
}

/** The name of the same colour in a style sheet. */
export const curveVariable = (index: number) => `var(--curve-${(index % count) + 1})`

/** A colour of the palette with so much of it, 0 to 1. */
export const faint = (colour: string, share: number) => colour.replace('rgb(', 'rgba(').replace(')', `, ${share})`)

/** Calls back when other colours are in force. Returns how to end that. */
export function onTheme(changed: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const watcher = new MutationObserver(changed)
  watcher.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  dark.addEventListener('change', changed)
  return () => {
    watcher.disconnect()
    dark.removeEventListener('change', changed)
  }
}
