import { expect, test } from 'vitest'
import { bar, duration, type ProgressSettings, startProgress } from '../../../trainer/report/progress.ts'

/** What a terminal of that width shows after all that was written: it knows the control characters that progress uses, no others. */
function makeTerminal(width: number) {
  const lines = ['']
  let column = 0
  return {
    isTTY: true,
    columns: width,
    write(text: string) {
      for (const part of text.replaceAll('\x1b[K', '⌫')) {
        const line = [...lines.at(-1)!]
        if (part === '⌫') lines[lines.length - 1] = line.slice(0, column).join('')
        else if (part === '\r') column = 0
        else if (part === '\n') {
          lines.push('')
          column = 0
        } else {
          expect(part.codePointAt(0), 'a control character').toBeGreaterThanOrEqual(32)
          expect(column, 'a line that wraps').toBeLessThan(width)
          line[column++] = part
          lines[lines.length - 1] = line.join('')
        }
      }
    },
    lines: () => lines,
  }
}

function makeFile() {
  let written = ''
  return {
    write(text: string) {
      written += text
    },
    lines: () => written.split('\n'),
  }
}

const row = (epoch: number, roadIou: number) => ({
  epoch,
  seconds: 75.4,
  learning_rate: 0.001,
  train_loss: 0.21234,
  val_loss: 0.3,
  pixel_accuracy: 0.91,
  road_iou: roadIou,
  mean_iou: 0.72,
  max_f: Number.NaN,
  waiting_share: 0,
  pictures_per_second: 53.7,
})

/** Two epochs of 10 steps with 4 pictures each, 2 seconds a step, then 5 seconds of validation. */
function run(
  settings: Omit<ProgressSettings, 'epochs' | 'steps' | 'now'>,
  afterStep: (epoch: number, step: number) => void = () => {},
) {
  let seconds = 100
  const progress = startProgress({ epochs: 2, steps: 10, ...settings, now: () => seconds * 1000 })
  for (const epoch of [1, 2]) {
    for (let step = 1; step <= 10; step++) {
      seconds += 2
      progress.step({ step, loss: 1 / step, pictures: 4 * step })
      afterStep(epoch, step)
    }
    seconds += 5
    progress.validated(20, 20)
    progress.epoch(row(epoch, epoch === 1 ? 0.8 : 0.7), epoch === 1)
  }
  progress.end()
  progress.end()
}

test('on a terminal one line is rewritten, and a table row stays for every epoch', () => {
  const out = makeTerminal(110)
  const seen: string[] = []
  run({ out }, () => seen.push(out.lines().at(-1)!))
  expect(seen[4]).toBe(`epoch 1/2  ${bar(0.5, 20)}  step  5/10  loss 0.2000  2.0 pictures/s  30 s left`)
  // The second epoch knows how long the first took, validation included.
  expect(seen[14]).toBe(`epoch 2/2  ${bar(0.5, 20)}  step  5/10  loss 0.2000  2.0 pictures/s  15 s left`)
  expect(out.lines()).toEqual([
    '  epoch    loss  val loss  pixel acc  road IoU  mean IoU    MaxF    time',
    '    1/2  0.2123    0.3000     0.9100    0.8000    0.7200       –    1:15 ◂ best',
    '    2/2  0.2123    0.3000     0.9100    0.7000    0.7200       –    1:15',
    '',
  ])
})

test('on a narrow terminal nothing wraps, and the bar gives way to the time left', () => {
  const out = makeTerminal(80)
  const seen: string[] = []
  run({ out }, () => seen.push(out.lines().at(-1)!))
  expect(seen[4]).toBe(`epoch 1/2  ${bar(0.5, 16)}  step  5/10  loss 0.2000  2.0 pictures/s  30 s left`)
  const narrow = makeTerminal(40)
  const progress = startProgress({ epochs: 100, steps: 1000, out: narrow })
  progress.step({ step: 1000, loss: 0.5, pictures: 4000 })
  expect([...narrow.lines().at(-1)!]).toHaveLength(39)
})

test('a note stands above the line that is rewritten', () => {
  const out = makeTerminal(100)
  const progress = startProgress({ epochs: 3, steps: 4, out })
  progress.step({ step: 4, loss: 0.5, pictures: 4 })
  progress.note('checkpoint saved')
  expect(out.lines()).toEqual(['checkpoint saved', expect.stringContaining('step 4/4')])
  progress.end()
  expect(out.lines()).toEqual(['checkpoint saved', ''])
})

test('elsewhere there is one plain line an epoch', () => {
  const out = makeFile()
  run({ out, plainEverySeconds: 60 })
  expect(out.lines()).toEqual([
    'epoch 1/2: train loss 0.2123, val loss 0.3000, pixel accuracy 0.9100, road IoU 0.8000, mean IoU 0.7200, MaxF –, 54 pictures/s, 1 min 15 s, 25 s left, best so far',
    'epoch 2/2: train loss 0.2123, val loss 0.3000, pixel accuracy 0.9100, road IoU 0.7000, mean IoU 0.7200, MaxF –, 54 pictures/s, 1 min 15 s',
    '',
  ])
})

test('a long epoch says now and then that it is alive', () => {
  const out = makeFile()
  run({ out, plainEverySeconds: 9 })
  const [first, second, third] = out.lines()
  expect(first).toBe('epoch 1/2, step  5/10: loss 0.2000, 2.0 pictures/s, 30 s left')
  expect(second).toBe('epoch 1/2, step 10/10: loss 0.1000, 2.0 pictures/s, 20 s left')
  expect(third).toContain('epoch 1/2: train loss')
})

test('a resumed run counts on from its checkpoint', () => {
  const out = makeFile()
  let seconds = 0
  const progress = startProgress({ epochs: 5, steps: 2, epochsDone: 3, out, plainEverySeconds: 1, now: () => seconds * 1000 })
  seconds = 10
  progress.step({ step: 1, loss: 1, pictures: 5 })
  expect(out.lines()[0]).toBe('epoch 4/5, step 1/2: loss 1.0000, 0.5 pictures/s, 30 s left')
})

test('durations are written for people', () => {
  expect([0, 59.4, 60, 365, 3599.6, 11220].map(duration)).toEqual([
    '0 s',
    '59 s',
    '1 min 00 s',
    '6 min 05 s',
    '1 h 00 min',
    '3 h 07 min',
  ])
})

test('a bar has its width at every share', () => {
  for (let share = -0.1; share <= 1.1; share += 0.013) expect([...bar(share, 12)]).toHaveLength(12)
  expect([bar(0, 4), bar(0.5, 4), bar(1, 4)]).toEqual(['░░░░', '██░░', '████'])
})
