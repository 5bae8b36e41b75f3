// What a person sees while a model trains. On a terminal: a table that grows by a row an epoch, and below it one line that
// is rewritten. Elsewhere (a file, a container's log): plain lines, one an epoch and now and then one within a long epoch.
import type { EpochRow } from './log.ts'

export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  /** Width in characters, where it is a terminal. */
  columns?: number
}

export interface ProgressSettings {
  epochs: number
  /** Training steps in an epoch. */
  steps: number
  /** Epochs that were done before, where a run is resumed. */
  epochsDone?: number
  out?: Output
  /** Between plain lines within an epoch, where there is no terminal. */
  plainEverySeconds?: number
  /** A clock, in milliseconds. */
  now?: () => number
}

export interface Step {
  /** From 1. */
  step: number
  /** Loss of this step, or its running mean. */
  loss: number
  /** Pictures trained on since the epoch began. */
  pictures: number
}

export interface Progress {
  /** A training step of the epoch that runs is done. */
  step(step: Step): void
  /** So many of the validation pictures are measured. */
  validated(pictures: number, of: number): void
  /** The epoch is done. `best`: no epoch before it was better. */
  epoch(row: EpochRow, best: boolean): void
  /** Prints lines of text above the line that is rewritten. */
  note(text: string): void
  /** Takes the rewritten line away; call it also after an error. May be called twice. */
  end(): void
}

/** 42 s, 6 min 05 s, 3 h 07 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`
}

/** The same for a column of a table: 0:42, 6:05, 3:07:20. */
function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60]
  const [first, ...rest] = parts[0] === 0 ? parts.slice(1) : parts
  return [first, ...rest.map((part) => String(part).padStart(2, '0'))].join(':')
}

/** Eighths of a character, so that a short bar still moves at every step. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const part = eighths % 8 === 0 ? '' : ' ▏▎▍▌▋▊▉'.charAt(eighths % 8)
  return `${'█'.repeat(Math.floor(eighths / 8))}${part}`.padEnd(width, '░')
}

const share = (value: number) => (Number.isFinite(value) ? value.toFixed(4) : '–')
const rate = (value: number) => (Number.isFinite(value) ? value.toFixed(value < 10 ? 1 : 0) : '–')

// With the mark of the best epoch a row fits into 80 columns.
const table: { title: string; width: number; text: (row: EpochRow, epochs: number) => string }[] = [
  { title: 'epoch', width: 7, text: (row, epochs) => `${row.epoch}/${epochs}` },
  { title: 'loss', width: 8, text: (row) => share(row.train_loss) },
  { title: 'val loss', width: 10, text: (row) => share(row.val_loss) },
  { title: 'pixel acc', width: 11, text: (row) => share(row.pixel_accuracy) },
  { title: 'road IoU', width: 10, text: (row) => share(row.road_iou) },
  { title: 'mean IoU', width: 10, text: (row) => share(row.mean_iou) },
  { title: 'MaxF', width: 8, text: (row) => share(row.max_f) },
  { title: 'time', width: 8, text: (row) => clock(row.seconds) },
]

/** Shows the progress of a run; the clock of its first epoch starts here. Nothing is printed before the first step. */
export function startProgress(settings: ProgressSettings): Progress {
  const { epochs, steps, epochsDone = 0, plainEverySeconds = 30, now = () => performance.now() } = settings
  const out: Output = settings.out ?? process.stdout
  const terminal = out.isTTY === true
  const started = now()
  let epoch = epochsDone + 1
  let epochStarted = started
  let trained = 0
  let training = 0
  let drawn = -Infinity
  let plain = started
  let headed = false
  let shown = ''

  const clear = () => {
    if (shown !== '') out.write('\r\x1b[K')
    shown = ''
  }

  // The last column stays free: a line that fills it would wrap in some terminals.
  const width = () => Math.max(20, (out.columns ?? 80) - 1)

  /** The line with a bar: as long as there is room, so that the time left is seen on a narrow terminal too. */
  function drawBar(share: number, parts: string[]) {
    const rest = parts.join('  ')
    const room = width() - `${place()}    ${rest}`.length
    draw(`${place()}  ${bar(share, Math.min(20, Math.max(4, room)))}  ${rest}`)
  }

  function draw(text: string) {
    const fits = [...text].slice(0, width()).join('')
    if (fits !== shown) out.write(`\r${fits}\x1b[K`)
    shown = fits
  }

  const print = (text: string) => {
    const line = shown
    clear()
    out.write(`${text}\n`)
    if (line !== '') draw(line)
  }

  /** Time for the rest, as the steps so far took it; validation is part of the mean of whole epochs. */
  function left(step: number): string {
    const epochsWhole = epoch - 1 - epochsDone
    const perEpoch = epochsWhole > 0 ? (epochStarted - started) / epochsWhole : (training / Math.max(1, step)) * steps
    const rest = Math.max(0, perEpoch - (now() - epochStarted)) + (epochs - epoch) * perEpoch
    return `${duration(rest / 1000)} left`
  }

  const place = () => `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`

  function step({ step, loss, pictures }: Step) {
    const time = now()
    training = time - epochStarted
    trained = step
    const perSecond = `${rate((pictures * 1000) / training)} pictures/s`
    const counted = `step ${String(step).padStart(String(steps).length)}/${steps}`
    if (terminal) {
      // Ten times a second is as fast as anyone reads.
      if (time - drawn < 100 && step < steps) return
      drawn = time
      drawBar(step / steps, [counted, `loss ${share(loss)}`, perSecond, left(step)])
    } else if (time - plain >= plainEverySeconds * 1000) {
      plain = time
      out.write(`${place()}, ${counted}: loss ${share(loss)}, ${perSecond}, ${left(step)}\n`)
    }
  }

  function validated(pictures: number, of: number) {
    const time = now()
    if (terminal) {
      if (time - drawn < 100 && pictures < of) return
      drawn = time
      drawBar(pictures / of, [`validating ${pictures}/${of}`, left(trained)])
    } else if (time - plain >= plainEverySeconds * 1000) {
      plain = time
      out.write(`${place()}: validating ${pictures}/${of}, ${left(trained)}\n`)
    }
  }

  function finish(row: EpochRow, best: boolean) {
    clear()
    const mark = best ? ' ◂ best' : ''
    if (terminal) {
      if (!headed) out.write(`${table.map(({ title, width }) => title.padStart(width)).join('')}\n`)
      headed = true
      out.write(`${table.map(({ width, text }) => text(row, epochs).padStart(width)).join('')}${mark}\n`)
    }
    epoch = row.epoch + 1
    epochStarted = now()
    plain = epochStarted
    trained = 0
    if (!terminal) {
      const rest = row.epoch < epochs ? `, ${left(0)}` : ''
      out.write(
        `epoch ${row.epoch}/${epochs}: train loss ${share(row.train_loss)}, val loss ${share(row.val_loss)}, pixel accuracy ${share(row.pixel_accuracy)}, road IoU ${share(row.road_iou)}, mean IoU ${share(row.mean_iou)}, MaxF ${share(row.max_f)}, ${rate(row.pictures_per_second)} pictures/s, ${duration(row.seconds)}${rest}${best ? ', best so far' : ''}\n`,
      )
    }
  }

  return { step, validated, epoch: finish, note: print, end: clear }
}
