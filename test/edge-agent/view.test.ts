// Where the model looks: regions and turns, against a picture whose pixels are turned by hand.
import { describe, expect, test } from 'vitest'
import type { ModelInput } from '../../deploy/bundle.ts'
import { turned, viewOf } from '../../edge-agent/capture/view.ts'

const input = { width: 40, height: 20, fit: 'crop' } as ModelInput
const given = { width: 120, height: 80 }

describe('a region', () => {
  const whole = viewOf(given, { region: undefined, rotation: 0 }, input)

  test('left out is the whole picture, of which the model takes its shape', () => {
    expect(whole).toMatchObject({ upright: given, region: { x: 0, y: 10, width: 120, height: 60 } })
    expect(whole.cut).toEqual(whole.region)
  })

  test.each([
    ['in pixels', [20, 40, 100, 40]],
    ['in shares of the picture', [1 / 6, 0.5, 5 / 6, 0.5]],
  ] as const)('%s is where the model looks; the message tells it in the coordinates of the whole', (_, region) => {
    const view = viewOf(given, { region: [...region], rotation: 0 }, input)
    expect(view.region).toEqual({ x: 30, y: 40, width: 80, height: 40 })
    expect(view.upright).toEqual(given)
  })

  test('with a letterbox has bars of its own', () => {
    const view = viewOf(given, { region: [0, 0, 40, 40], rotation: 0 }, { ...input, fit: 'letterbox' })
    expect(view.region).toEqual({ x: -20, y: 0, width: 80, height: 40 })
    expect(view.seen).toEqual({ x: 0, y: 0, width: 40, height: 40 })
    expect(view.cut).toEqual(view.seen)
    expect(view.target).toEqual({ x: 10, y: 0, width: 20, height: 20 })
  })

  test('beyond the picture is refused with both sizes', () => {
    expect(() => viewOf(given, { region: [100, 0, 40, 40], rotation: 0 }, input)).toThrow(
      'The region [100, 0, 40, 40] of the config does not lie within the picture of 120 x 80',
    )
    expect(() => viewOf(given, { region: [0, 80, 40, 40], rotation: 90 }, input)).not.toThrow()
    expect(() => viewOf(given, { region: [0, 80, 40, 40], rotation: 0 }, input)).toThrow('120 x 80')
  })
})

describe.each([90, 180, 270] as const)('turned clockwise by %i degrees', (rotation) => {
  const upright = turned(given, rotation)

  /** The place of a camera's pixel in the upright picture. */
  function place(x: number, y: number): [number, number] {
    let [u, v, height, width] = [x, y, given.height, given.width]
    for (let quarter = 0; quarter < rotation / 90; quarter++) {
      ;[u, v] = [height - 1 - v, u]
      ;[width, height] = [height, width]
    }
    return [u, v]
  }

  test('the picture is cut where the region lies in it', () => {
    const { cut, region } = viewOf(given, { region: [10, 20, 40, 30], rotation }, input)
    const corners = [place(cut.x, cut.y), place(cut.x + cut.width - 1, cut.y + cut.height - 1)]
    const [left, right] = corners.map(([x]) => x).sort((a, b) => a - b)
    const [top, bottom] = corners.map(([, y]) => y).sort((a, b) => a - b)
    expect({ x: left, y: top, width: right! - left! + 1, height: bottom! - top! + 1 }).toEqual(region)
  })

  test('people see the upright picture', () => {
    expect(viewOf(given, { region: undefined, rotation }, input).upright).toEqual(upright)
    expect(upright.width).toBe(rotation === 180 ? 120 : 80)
  })
})
