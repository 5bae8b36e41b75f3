// Numbers and times as the browser's owner writes them.

const formats = new Map<number, Intl.NumberFormat>()

/** With so many digits after the decimal sign. */
export function number(value: number, digits = 0): string {
  const format =
    formats.get(digits) ?? new Intl.NumberFormat([], { minimumFractionDigits: digits, maximumFractionDigits: digits })
  formats.set(digits, format)
  return format.format(value)
}

/** A share of 0 to 100 without its sign, finer where it is small. */
export const percent = (value: number): string => number(value, value > 0 && value < 9.95 ? 1 : 0)

/** A size in bytes, in the unit that leaves up to three digits before the decimal sign. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10))
  const scaled = value / 1024 ** power
  return `${number(scaled, power > 0 && scaled < 9.95 ? 1 : 0)} ${units[power]}`
}

const timeOfDay = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const date = new Intl.DateTimeFormat([], { dateStyle: 'medium' })

/** Time of day, with the date where it is not today's. */
export function clock(ms: number, nowMs: number): string {
  const time = timeOfDay.format(ms)
  return new Date(ms).toDateString() === new Date(nowMs).toDateString() ? time : `${date.format(ms)} ${time}`
}

const dateAndTime = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'short' })

/** Day and time to the minute. */
export const dateTime = (ms: number): string => dateAndTime.format(ms)

/** A time span for people, to the second and then coarser: `7 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}
