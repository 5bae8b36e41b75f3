// The theme: automatic, light, dark, in turn.
import { recall, remember } from './ui/choices.ts'

const themes = ['auto', 'light', 'dark'] as const

export function keepTheme(button: HTMLElement): void {
  let theme = themes.find((known) => known === recall('theme')) ?? 'auto'
  function apply() {
    if (theme === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    const title = `Theme: ${theme === 'auto' ? 'as the system' : theme}`
    button.title = title
    button.setAttribute('aria-label', title)
  }
  apply()
  button.onclick = () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto'
    remember('theme', theme)
    apply()
  }
}
