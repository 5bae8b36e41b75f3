// What the forms of a camera and the editor of zones do with texts and numbers, without a browser.
import { expect, test } from 'vitest'
import { cornersOf, inserted, makeUndo, moved, resized, without } from '../../dashboard/setup/shapes.ts'
import { readSource, writeSource } from '../../dashboard/setup/source.ts'
import type { Point } from '../../edge-agent/wire.ts'

test.each([
  'rtsp://10.0.0.2:554/1?x=1',
  'rtsps://h/',
  'rtsp://***@h/1',
  'v4l2:/dev/video0',
  'csi:1',
  'file:/a b:c.mp4',
  'gst:a ! b',
  'test',
  'demo',
])('a source is what it was after a form: %s', (source) => expect(writeSource(readSource(source))).toBe(source))

test('user and password go into the address, whatever letters they have; left empty, those that are known stay', () => {
  const parts = readSource('rtsp://***@10.0.0.2/1')
  expect(parts).toMatchObject({ kind: 'rtsp', place: 'rtsp://10.0.0.2/1', kept: true })
  expect(writeSource({ ...parts, user: 'ann', password: 'a:b/c@d' })).toBe('rtsp://ann:a%3Ab%2Fc%40d@10.0.0.2/1')
  expect(writeSource({ kind: 'rtsp', place: ' 10.0.0.2/1 ', user: '', password: '', kept: false })).toBe('rtsp://10.0.0.2/1')
})

const square: Point[] = cornersOf([0.25, 0.25, 0.5, 0.5])

test('a polygon stays in the picture as a whole, and keeps its form there', () => {
  expect(moved(square, 0.6, -0.1)).toEqual(cornersOf([0.5, 0.15, 0.5, 0.5]))
  expect(moved(square, -1, -1)).toEqual(cornersOf([0, 0, 0.5, 0.5]))
})

test('corners come in the middle of an edge, also of the last one, and never go below a triangle', () => {
  expect(inserted(square, 0)[1]).toEqual([0.5, 0.25])
  expect(inserted(square, 3)).toEqual([...square, [0.25, 0.5]])
  const triangle = without(square, 1)
  expect(triangle).toEqual([square[0], square[2], square[3]])
  expect(without(triangle, 0)).toEqual(triangle)
  const full = Array.from({ length: 64 }, (_, i): Point => [i / 64, i % 2])
  expect(inserted(full, 3)).toHaveLength(64)
})

test('a rectangle is resized by a corner, also past the one across', () => {
  expect(resized([0.2, 0.2, 0.4, 0.4], 2, [0.9, 0.8])).toEqual([0.2, 0.2, 0.7, 0.6])
  expect(resized([0.2, 0.2, 0.4, 0.4], 0, [0.8, 0.1])).toEqual([0.6, 0.1, 0.2, 0.5])
})

test('steps are undone and done again, until something else is done', () => {
  const undo = makeUndo<number>()
  expect(undo.back(0)).toBeUndefined()
  for (const state of [0, 1, 2]) undo.keep(state)
  expect([undo.back(3), undo.back(2), undo.forth(1)]).toEqual([2, 1, 2])
  undo.keep(2)
  expect(undo.can()).toEqual({ back: true, forth: false })
})
