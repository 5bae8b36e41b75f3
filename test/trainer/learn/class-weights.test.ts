// Weights of classes, as they are asked for and as they are counted.
import { expect, test } from 'vitest'
import type { Pictures } from '../../../trainer/data/batches.ts'
import { classWeights } from '../../../trainer/learn/class-weights.ts'
import { readCommandLine } from '../../../trainer/run/command-line.ts'

const classes = [{ name: 'other' }, { name: 'road' }, { name: 'kerb' }]
const labels = [
  [0, 0, 0, 0, 1, 1, 255, 255],
  [0, 0, 255, 255, 255, 255, 255, 255],
]
const pictures: Pictures = {
  samples: labels.map((_, i) => ({ name: `p${i}`, drive: 'd', picture: '', label: '' })),
  input: { width: 4, height: 2, fit: 'crop' },
  get: async (i) => ({ picture: new Uint8Array(24), label: Uint8Array.from(labels[i]!) }),
}

test('balanced weights let all classes that are there count the same together; ignored pixels are not counted', async () => {
  expect(await classWeights('balanced', classes, pictures)).toEqual([8 / (3 * 6), 8 / (3 * 2), 0])
})

test('there are none unless they are asked for, and as many as classes', async () => {
  expect(await classWeights('none', classes, pictures)).toBeUndefined()
  expect(await classWeights([1, 2, 3], classes, pictures)).toEqual([1, 2, 3])
  await expect(classWeights([1, 2], classes, pictures)).rejects.toThrow('expected 3 weights, of other, road, kerb, found 2')
})

test.each([
  ['1,2.5,0', [1, 2.5, 0]],
  ['balanced', 'balanced'],
  ['none', 'none'],
])('--class-weights %s is read', (text, expected) => {
  expect(readCommandLine(['--class-weights', text])!['class-weights']).toEqual(expected)
})

test.each([
  [['--class-weights', '2'], /expected none, balanced or a number for each class/],
  [['--class-weights', '1,-2'], /expected none, balanced or a number for each class/],
  [['--class-weights', '1,2..5'], /expected a number for each class/],
  [['--class-weights', '0,0'], /expected a class that counts/],
  [['--class-weights', '1,2', '--loss', 'dice'], /of the cross-entropy, which --loss dice has not/],
  [['--loss', 'focal'], /--loss: .*dice/],
])('%j is refused in a sentence', (args, message) => {
  expect(() => readCommandLine(args)).toThrow(message)
})
