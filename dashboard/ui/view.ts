// What a view of the page is, and what it is given.
import type { Agent } from './agent.ts'
import type { Api } from './api.ts'

export interface View {
  /** The view's part of the page is seen from now on; called again when only `rest`, what follows the view's name in the address, changed. */
  show(root: HTMLElement, rest: string): void
  /** It is no longer seen, or the tab is not: whatever costs something ends. */
  hide(): void
  /** Four times a second while it is seen. */
  tick?(nowMs: number): void
  /** Asked before another view comes: false keeps this one. */
  mayLeave?(): boolean | Promise<boolean>
}

export interface Around {
  agent: Agent
  api: Api
  /** Whether who is signed in may change things; what would be refused is not shown. */
  isOperator(): boolean
  /** Says a sentence to screen readers. */
  announce(text: string): void
}

export type OpenView = (around: Around) => View
