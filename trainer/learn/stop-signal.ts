// Ctrl-C and SIGTERM, which ask a program to end.

/** Whether one of them has come. Each is told, with whether it is not the first; `end` stops listening. */
export function listenForStop(onSignal: (signal: NodeJS.Signals, again: boolean) => void) {
  const stop = { asked: false, end: () => void [process.off('SIGINT', ask), process.off('SIGTERM', ask)] }
  function ask(signal: NodeJS.Signals) {
    const again = stop.asked
    stop.asked = true
    onSignal(signal, again)
  }
  process.on('SIGINT', ask)
  process.on('SIGTERM', ask)
  return stop
}
