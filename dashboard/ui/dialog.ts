// Dialogs over the page: the browser's own <dialog>, which keeps the focus inside, closes by Escape and gives the focus back.
import { make } from './dom.ts'

export interface Dialog {
  close(): void
  closed: Promise<void>
}

let opened = 0

/** Opens a dialog with a title and whatever is put into it. */
export function openDialog(title: string, ...content: (Node | string)[]): Dialog {
  const heading = make('h2', { id: `dialog-${++opened}` }, title)
  const cross = make('button', { type: 'button', class: 'icon', 'aria-label': 'Close' }, '×')
  const dialog = make('dialog', { 'aria-labelledby': heading.id }, make('header', {}, heading, cross), ...content)
  cross.onclick = () => dialog.close()
  // A click beside the dialog is one on the dialog itself, whose content covers the rest of it.
  dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close())
  const closed = new Promise<void>((done) => dialog.addEventListener('close', () => done(dialog.remove())))
  document.body.append(dialog)
  dialog.showModal()
  return { close: () => dialog.close(), closed }
}

/** Asks once, with what will happen on the button. */
export async function confirmed(question: { title: string; text: string; yes: string }): Promise<boolean> {
  let agreed = false
  const yes = make('button', { type: 'button', class: 'danger' }, question.yes)
  const no = make('button', { type: 'button', autofocus: true }, 'Cancel')
  const dialog = openDialog(question.title, make('p', {}, question.text), make('footer', {}, no, yes))
  no.onclick = () => dialog.close()
  yes.onclick = () => {
    agreed = true
    dialog.close()
  }
  await dialog.closed
  return agreed
}
