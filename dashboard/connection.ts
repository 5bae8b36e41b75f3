// The line to the agent: one WebSocket, opened again with growing, jittered delays, its messages handed on by kind.
// It draws nothing and knows nothing of the page.
import { type MaskMessage, type SocketMessage, type SocketWish, unpackMask } from '../edge-agent/wire.ts'

/** What the line is doing; `attempt` counts the failures in a row. */
export type Link =
  | { state: 'connecting'; attempt: number }
  | { state: 'open' }
  | { state: 'broken'; attempt: number; reason: string; retryAtMs: number }
  | { state: 'paused' }

export interface Listener {
  link(link: Link): void
  message(message: SocketMessage): void
  mask(message: MaskMessage): void
  /** A message that could not be read; it is left out and the line stays open. */
  unreadable(error: Error): void
}

export interface Connection {
  /** Closes the line and keeps it closed until `resume`. */
  pause(): void
  /** Opens the line, at once even where a delay was running. */
  resume(): void
  /** Says which masks are wanted, where the line is open. */
  wish(wish: SocketWish): void
  /** Where nothing was heard for so long that the other end may be gone: drops the line and opens a new one. */
  checkSilence(): void
}

export const defaults = {
  firstDelayMs: 500,
  longestDelayMs: 15_000, // an installer who plugs the box in again sees it within a quarter of a minute
  openTimeoutMs: 8_000, // a browser alone waits minutes for a host that swallows packets
  settledMs: 5_000, // a line that held this long was a good one: the delays start afresh
  silenceMs: 20_000, // a phone that changes networks keeps a dead socket open for minutes
  longestSilenceMs: 120_000,
}

/** Delay before try number `attempt` (from 1): doubling from the first to the longest, the upper half of it at random. */
export function retryDelayMs(attempt: number, random = Math.random()): number {
  const full = Math.min(defaults.longestDelayMs, defaults.firstDelayMs * 2 ** (attempt - 1))
  return full / 2 + (full / 2) * random
}

/** Why a socket closed, in words for a person. Browsers say little: 1006 is all that ever comes of a broken line. */
export function closeReason({ code, reason }: { code: number; reason: string }, opened: boolean, host: string): string {
  if (reason) return `The agent closed the connection: ${reason}`
  if (code === 1001) return 'The agent is shutting down or starting again'
  if (code === 1008) return 'The agent refused this page'
  if (code !== 1006) return `The agent closed the connection (code ${code})`
  return opened ? 'The connection broke off' : `No agent answers at ${host}`
}

/** A line to the agent's WebSocket at `url`. Starts paused: call `resume`. */
export function openConnection(url: URL, on: Listener): Connection {
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempt = 0
  let openedMs = 0
  let heardMs = 0
  let silenceMs = defaults.silenceMs

  function open() {
    clearTimeout(timer)
    const mine = new WebSocket(url)
    mine.binaryType = 'arraybuffer'
    socket = mine
    openedMs = 0
    timer = setTimeout(() => drop(`No answer from ${url.host} in ${defaults.openTimeoutMs / 1000} s`), defaults.openTimeoutMs)
    mine.onopen = () => {
      clearTimeout(timer)
      openedMs = heardMs = Date.now()
      on.link({ state: 'open' })
    }
    mine.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      heardMs = Date.now()
      receive(data)
    }
    mine.onclose = (event) => {
      if (mine === socket) drop(navigator.onLine ? closeReason(event, openedMs > 0, url.host) : 'This device is offline')
    }
    on.link({ state: 'connecting', attempt })
  }

  function receive(data: string | ArrayBuffer) {
    let deliver: () => void
    try {
      if (typeof data === 'string') {
        const message = JSON.parse(data) as SocketMessage
        deliver = () => on.message(message)
      } else {
        const message = unpackMask(new Uint8Array(data))
        deliver = () => on.mask(message)
      }
    } catch (error) {
      return on.unreadable(error instanceof Error ? error : new Error(String(error)))
    }
    deliver()
  }

  /** Lets go of the socket without waiting for it: on a dead network its close event comes a minute later. */
  function letGo() {
    clearTimeout(timer)
    const old = socket
    socket = undefined
    openedMs = 0
    if (!old) return
    old.onopen = old.onmessage = old.onclose = null
    old.close()
  }

  function drop(reason: string) {
    attempt = openedMs && Date.now() - openedMs >= defaults.settledMs ? 1 : attempt + 1
    letGo()
    const delayMs = retryDelayMs(attempt)
    timer = setTimeout(open, delayMs)
    on.link({ state: 'broken', attempt, reason, retryAtMs: Date.now() + delayMs })
  }

  return {
    pause() {
      letGo()
      attempt = 0
      on.link({ state: 'paused' })
    },
    resume() {
      if (!socket) open()
    },
    wish(wish) {
      if (openedMs) socket?.send(JSON.stringify(wish))
    },
    checkSilence() {
      if (!openedMs || !socket || Date.now() - heardMs < silenceMs) return
      // A camera that sends a mask a minute is silent too: be more patient each time.
      silenceMs = Math.min(defaults.longestSilenceMs, silenceMs * 2)
      drop(`Nothing heard for ${Math.round((Date.now() - heardMs) / 1000)} s`)
    },
  }
}
