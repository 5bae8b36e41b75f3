// Times as the browser's owner writes them, as fine as a chart needs.

const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat([], options)
const second = format({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
const minute = format({ hour: '2-digit', minute: '2-digit' })
const date = format({ day: 'numeric', month: 'short' })
const whole = format({ dateStyle: 'medium', timeStyle: 'medium' })
const day = 86_400

/** Texts for the ticks of an axis, `step` seconds apart; where a day begins, its date. */
export function axisTimes(ticks: readonly number[], step: number): string[] {
  return ticks.map((tick) => {
    const at = new Date(1000 * tick)
    const midnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0
    if (step >= day || midnight) return date.format(at)
    return (step < 60 ? second : minute).format(at)
  })
}

/** A moment, with its date. */
export const momentText = (seconds: number) => whole.format(1000 * seconds)
