// The few things that every view does to the document.

type Tag = keyof HTMLElementTagNameMap
type Attributes = Record<string, string | number | boolean | undefined | ((event: never) => unknown)>

export const byId = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => {
  const element = document.getElementById(id)
  if (!element) throw new Error(`Expected an element with id="${id}" in the page, found none`)
  return element as Kind
}

/** Writes a text only where it differs: an equal one would still cost a layout. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** An element: functions are listeners by the name of their event, true is an attribute without a value, false and undefined none. */
export function make<Name extends Tag>(
  tag: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value as EventListener)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value))
  }
  element.append(...children)
  return element
}
