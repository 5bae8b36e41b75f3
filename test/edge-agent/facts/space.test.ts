import { describe, expect, test } from 'vitest'
import { freeRows, metresTo } from '../../../edge-agent/facts/free-space.ts'
import { seenOf, toMaskX, toMaskY, toPlaceX, toPlaceY, type View } from '../../../edge-agent/facts/view.ts'
import { roadShare, runsOf } from '../../../edge-agent/facts/zones.ts'
import { draw, paint, plainView } from './drawn.ts'

/** 64 x 48 pixels of a camera of 1280 x 720: with bars above and below, or without what is left and right. */
const letterbox: View = {
  width: 64,
  height: 48,
  cameraWidth: 1280,
  cameraHeight: 720,
  region: [0, -120, 1280, 960],
  seen: [0, 0, 1280, 720],
}
const crop: View = {
  width: 64,
  height: 48,
  cameraWidth: 1280,
  cameraHeight: 720,
  region: [160, 0, 960, 720],
  seen: [160, 0, 960, 720],
}

describe('places in the picture and points in the mask', () => {
  test('go to and fro', () => {
    for (const view of [letterbox, crop])
      for (const place of [0.2, 0.5, 0.81]) {
        expect(toPlaceX(view, toMaskX(view, place))).toBeCloseTo(place, 9)
        expect(toPlaceY(view, toMaskY(view, place))).toBeCloseTo(place, 9)
      }
    expect([toMaskY(letterbox, 0), toMaskY(letterbox, 1)]).toEqual([6, 42])
    expect([toPlaceX(crop, 0), toPlaceX(crop, 64)]).toEqual([0.125, 0.875])
  })

  test('what lies in the bars is at the edge of the picture', () => {
    expect([toPlaceY(letterbox, 2), toPlaceY(letterbox, 47)]).toEqual([0, 1])
    expect(seenOf(letterbox)).toEqual({ left: 0, right: 64, top: 6, bottom: 42 })
    expect(seenOf(crop)).toEqual({ left: 0, right: 64, top: 0, bottom: 48 })
  })
})

describe('free space', () => {
  const rowsOf = (sectors: number, bottom: number, ...rows: string[]) => {
    const mask = draw(...rows)
    const view = plainView(mask)
    return freeRows(mask.road, view, seenOf(view), sectors, bottom)
  }

  test('reaches from the lower edge up to the first row that is not road', () => {
    const rows = [
      '########', //
      '..####..',
      '..##..##',
      '..######',
      '..######',
      '########',
    ]
    expect(rowsOf(4, 1, ...rows)).toEqual([5, 0, 3, 2])
    expect(rowsOf(1, 1, ...rows)).toEqual([5])
  })

  test('is none where the lower edge is no road, and begins higher where the own bonnet is known of', () => {
    const rows = ['######', '######', '######', '.#....']
    expect(rowsOf(3, 1, ...rows)).toEqual([4, 4, 4])
    expect(rowsOf(3, 0.75, ...rows)).toEqual([0, 0, 0])
  })

  test('a fifth of a row may be something else', () => {
    expect(rowsOf(1, 1, '##########', '########..', '##########')).toEqual([0])
    expect(rowsOf(1, 1, '##########', '#######...', '##########')).toEqual([2])
  })

  test('begins at the lower edge of the picture, not of the bars below it', () => {
    const { road } = paint(64, 48, (_, y) => y >= 20 && y < 42)
    expect(freeRows(road, letterbox, seenOf(letterbox), 3, 1)).toEqual([20, 20, 20])
  })

  test('of more sectors than columns ends at once in those without any', () => {
    expect(rowsOf(4, 1, '##', '##')).toEqual([2, 0, 2, 0])
  })
})

describe('metres', () => {
  const mounting = { height_m: 1.5, pitch_deg: 0, focal_px: 1000 }

  test('of a level camera are focal length times height over pixels below the middle', () => {
    expect(metresTo(0.5 + 150 / 720, 720, mounting)).toBeCloseTo(10, 6)
    expect(metresTo(0.5 + 30 / 720, 720, mounting)).toBeCloseTo(50, 6)
  })

  test('of one that looks down are height over the tangent of the angle below the horizon', () => {
    for (const [pitch, pixels] of [
      [5, 0],
      [5, 200],
      [12, -100],
      [45, 300],
    ] as const) {
      const angle = (pitch * Math.PI) / 180 + Math.atan(pixels / 1000)
      expect(metresTo(0.5 + pixels / 720, 720, { ...mounting, pitch_deg: pitch })).toBeCloseTo(1.5 / Math.tan(angle), 6)
    }
  })

  test('of a point on the ground that is turned into the camera and projected are its own', () => {
    // x to the right, y down, z ahead; turned about x by the pitch, divided by depth: the other way round than the code goes.
    const pitch = (7 * Math.PI) / 180
    for (const [x, ahead] of [
      [0, 6],
      [-3, 20],
      [5, 60],
    ] as const) {
      const y = 1.5
      const [downwards, depth] = [y * Math.cos(pitch) - ahead * Math.sin(pitch), y * Math.sin(pitch) + ahead * Math.cos(pitch)]
      expect(x / depth).toBeTypeOf('number')
      const row = 360 + (1000 * downwards) / depth
      expect(metresTo(row / 720, 720, { ...mounting, pitch_deg: 7 })).toBeCloseTo(ahead, 6)
    }
  })

  test('are none at and above the horizon, nor beyond 200 m', () => {
    expect(metresTo(0.5, 720, mounting)).toBeNull()
    expect(metresTo(0.2, 720, mounting)).toBeNull()
    expect(metresTo(0.5 + 7 / 720, 720, mounting)).toBeNull()
    expect(metresTo(0.5 + 8 / 720, 720, mounting)).toBeCloseTo(187.5, 6)
  })
})

describe('a zone', () => {
  const shareOf = (polygon: [number, number][], ...rows: string[]) => {
    const mask = draw(...rows)
    return roadShare(mask.road, runsOf(polygon, plainView(mask)))
  }
  const rows = [
    '........', //
    '..####..',
    '..####..',
    '..######',
  ]

  test('tells which share of its pixels is road', () => {
    const box = (left: number, top: number, right: number, bottom: number): [number, number][] => [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
    ]
    expect(shareOf(box(0, 0, 1, 1), ...rows)).toBe(14 / 32)
    expect(shareOf(box(0.25, 0.25, 0.75, 1), ...rows)).toBe(1)
    expect(shareOf(box(0, 0, 0.25, 1), ...rows)).toBe(0)
    expect(shareOf(box(0.5, 0.5, 1, 1).reverse(), ...rows)).toBe(6 / 8)
  })

  test('may have any shape: what two strokes of its outline enclose twice is outside', () => {
    const triangle = paint(200, 100, () => true)
    const runs = runsOf([[0, 0], [1, 1], [0, 1]], plainView(triangle)) // biome-ignore format: one line
    const pixels = runs.reduce((sum, at, i) => sum + (i % 2 ? at : -at), 0)
    expect(pixels / 20_000).toBeCloseTo(0.5, 2)
    const bow = runsOf([[0, 0], [1, 1], [1, 0], [0, 1]], plainView(triangle)) // biome-ignore format: one line
    expect(bow.reduce((sum, at, i) => sum + (i % 2 ? at : -at), 0) / 20_000).toBeCloseTo(0.5, 2)
  })

  test('counts only what the model sees, and says so where that is nothing', () => {
    const all = paint(64, 48, () => true).road
    const left = (x: number): [number, number][] => [[0, 0], [x, 0], [x, 1], [0, 1]] // biome-ignore format: one line
    expect(roadShare(all, runsOf(left(0.5), crop))).toBe(1)
    expect(runsOf(left(0.5), crop).reduce((sum, at, i) => sum + (i % 2 ? at : -at), 0)).toBe(32 * 48)
    expect(roadShare(all, runsOf(left(0.1), crop))).toBeUndefined()
    expect(runsOf(left(1), letterbox).reduce((sum, at, i) => sum + (i % 2 ? at : -at), 0)).toBe(64 * 36)
  })
})
