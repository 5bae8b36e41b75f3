// What stands beside a road: lamps, poles with wires, signs, delineators, rails and fences. Poles rise from y 0.
import { type Mesh, material, meshBuilder, type Point } from './mesh.ts'

/** A street lamp whose arm reaches out along -x. */
export function makeLamp(height: number): Mesh {
  const made = meshBuilder()
  made.rod([0, -0.3, 0], [0, height - 0.3, 0], 0.085, 0.05, 8, material.metal)
  made.rod([0, height - 0.35, 0], [-0.4, height, 0], 0.045, 0.04, 6, material.metal)
  made.rod([-0.4, height, 0], [-1.5, height + 0.08, 0], 0.04, 0.035, 6, material.metal)
  made.box([-2.15, height + 0.02, -0.14], [-1.4, height + 0.15, 0.14], material.metal, 90)
  made.quad(
    [-2.1, height + 0.015, -0.11],
    [-1.45, height + 0.015, -0.11],
    [-1.45, height + 0.015, 0.11],
    [-2.1, height + 0.015, 0.11],
    material.lamp,
  )
  return made.build()
}

/** A wooden pole with a cross-bar; its wires run to the next pole, `span` metres ahead and `dx`, `dy` beside and above. */
export function makePole(height: number, span: number, dx: number, dy: number): Mesh {
  const made = meshBuilder()
  made.rod([0, -0.5, 0], [0, height, 0], 0.13, 0.09, 8, material.wood)
  made.box([-0.9, height - 0.55, -0.05], [0.9, height - 0.43, 0.05], material.wood)
  for (const x of [-0.8, 0, 0.8]) {
    const top = x === 0 ? height + 0.12 : height - 0.3
    made.rod([x, top - 0.16, 0], [x, top, 0], 0.035, 0.03, 5, material.black)
    const parts = 10
    const along = (t: number): Point => [x + dx * t, top + dy * t - 4 * 0.55 * t * (1 - t), span * t]
    for (let part = 0; part < parts; part++)
      made.rod(along(part / parts), along((part + 1) / parts), 0.014, 0.014, 3, material.black)
  }
  return made.build()
}

/** A sign that faces -z. */
export function makeSign(kind: 'limit' | 'warning' | 'bend' | 'place'): Mesh {
  const made = meshBuilder()
  const tall = kind === 'place' ? 1.5 : 2.2
  const disc = (radius: number, sides: number, turn: number, what: number, z: number, back = false) => {
    for (let side = 0; side < sides; side++) {
      const p = (at: number): Point => [
        radius * Math.sin((2 * Math.PI * at) / sides + turn),
        tall + radius * Math.cos((2 * Math.PI * at) / sides + turn),
        z,
      ]
      if (back) made.triangle([0, tall, z], p(side + 1), p(side), what)
      else made.triangle([0, tall, z], p(side), p(side + 1), what)
    }
  }
  made.rod([0, -0.3, 0.05], [0, tall + 0.3, 0.05], 0.03, 0.03, 8, material.metal)
  const plate = (x0: number, y0: number, x1: number, y1: number, what: number, z: number) =>
    made.quad([x0, y0, z], [x0, y1, z], [x1, y1, z], [x1, y0, z], what)
  if (kind === 'limit') {
    disc(0.36, 20, 0, material.metal, 0.012, true)
    disc(0.36, 20, 0, material.red, 0)
    disc(0.27, 20, 0, material.white, -0.006)
    // 50
    for (const [x, bars] of [
      [
        -0.14,
        [
          [0, 0.13, 0.13, 0.17],
          [0, 0, 0.04, 0.17],
          [0, -0.01, 0.13, 0.03],
          [0.09, -0.13, 0.13, 0.03],
          [0, -0.15, 0.13, -0.11],
        ],
      ],
      [
        0.03,
        [
          [0, 0.13, 0.13, 0.17],
          [0, -0.15, 0.04, 0.17],
          [0.09, -0.15, 0.13, 0.17],
          [0, -0.15, 0.13, -0.11],
        ],
      ],
    ] as const)
      for (const [x0, y0, x1, y1] of bars) plate(x + x0, tall + y0, x + x1, tall + y1, material.black, -0.012)
  } else if (kind === 'warning') {
    disc(0.48, 3, 0, material.metal, 0.012, true)
    disc(0.48, 3, 0, material.red, 0)
    disc(0.33, 3, 0, material.white, -0.006)
    plate(-0.025, tall - 0.05, 0.025, tall + 0.15, material.black, -0.012)
    plate(-0.025, tall - 0.12, 0.025, tall - 0.08, material.black, -0.012)
  } else if (kind === 'bend') {
    plate(-0.45, tall - 0.95, 0.45, tall - 0.35, material.white, 0)
    made.quad(
      [0.45, tall - 0.95, 0.012],
      [0.45, tall - 0.35, 0.012],
      [-0.45, tall - 0.35, 0.012],
      [-0.45, tall - 0.95, 0.012],
      material.metal,
    )
    for (const x of [-0.38, -0.1, 0.18])
      for (const half of [-1, 1]) {
        const tip: [Point, Point, Point, Point] = [
          [x, tall - 0.65 + half * 0.27, -0.006],
          [x + 0.12, tall - 0.65 + half * 0.27, -0.006],
          [x + 0.26, tall - 0.65, -0.006],
          [x + 0.14, tall - 0.65, -0.006],
        ]
        if (half > 0) made.quad(...tip, material.red)
        else made.quad(tip[3], tip[2], tip[1], tip[0], material.red)
      }
  } else {
    plate(-0.7, tall - 0.3, 0.7, tall + 0.3, material.blue, 0)
    made.quad(
      [0.7, tall - 0.3, 0.012],
      [0.7, tall + 0.3, 0.012],
      [-0.7, tall + 0.3, 0.012],
      [-0.7, tall - 0.3, 0.012],
      material.metal,
    )
    plate(-0.5, tall + 0.02, 0.35, tall + 0.1, material.white, -0.006)
    plate(-0.5, tall - 0.14, 0.1, tall - 0.07, material.white, -0.006)
  }
  return made.build()
}

/** A white post with a dark band and a reflector, as they stand along country roads. */
export function makeDelineator(): Mesh {
  const made = meshBuilder()
  made.box([-0.06, -0.2, -0.05], [0.06, 1, 0.05], material.white)
  made.box([-0.063, 0.68, -0.053], [0.063, 0.9, 0.053], material.black)
  made.box([-0.03, 0.72, -0.056], [0.03, 0.86, 0.056], material.lamp, 60)
  return made.build()
}

/** Bars along the way from one end to the other, `dx` and `dy` beside and above over `length` of z, as fences and rails have them. */
function bars(length: number, dx: number, dy: number, heights: [low: number, high: number, out: number][], what: number) {
  const made = meshBuilder()
  for (const [low, high, out] of heights) {
    const a: Point[] = [
      [-out, low, 0],
      [-out, high, 0],
      [out, high, 0],
      [out, low, 0],
    ]
    const b = a.map(([x, y]): Point => [x + dx, y + dy, length])
    for (let side = 0; side < 4; side++) {
      const other = (side + 1) % 4
      made.quad(a[side]!, b[side]!, b[other]!, a[other]!, what)
    }
  }
  return made
}

/** One field of a wooden fence. */
export function makeFence(length: number, dx: number, dy: number, white: boolean): Mesh {
  const what = white ? material.white : material.wood
  const made = bars(
    length,
    dx,
    dy,
    [
      [0.3, 0.42, 0.02],
      [0.62, 0.74, 0.02],
      [0.94, 1.06, 0.02],
    ],
    what,
  )
  made.box([-0.07, -0.4, -0.07], [0.07, 1.2, 0.07], what)
  return made.build()
}

/** One field of a guard rail that faces -x. */
export function makeRail(length: number, dx: number, dy: number): Mesh {
  const made = meshBuilder()
  const section: [number, number][] = [
    [0, 0.42],
    [-0.06, 0.47],
    [-0.06, 0.53],
    [0, 0.58],
    [0, 0.6],
    [-0.06, 0.65],
    [-0.06, 0.71],
    [0, 0.76],
  ]
  for (let row = 0; row + 1 < section.length; row++) {
    const [[x0, y0], [x1, y1]] = [section[row]!, section[row + 1]!]
    const [a, b, c, d]: Point[] = [
      [x0, y0, 0],
      [x1, y1, 0],
      [x1 + dx, y1 + dy, length],
      [x0 + dx, y0 + dy, length],
    ] as [Point, Point, Point, Point]
    made.quad(d!, c!, b!, a!, material.metal)
  }
  made.box([0.02, -0.4, -0.05], [0.1, 0.74, 0.05], material.metal, 100)
  return made.build()
}

/** A post-box, a bin, a bollard: small things on a pavement. */
export function makeBin(): Mesh {
  const made = meshBuilder()
  made.rod([0, 0, 0], [0, 0.95, 0], 0.24, 0.28, 12, material.paint)
  made.rod([0, 0.95, 0], [0, 1.05, 0], 0.3, 0.2, 12, material.black)
  return made.build({ creaseDegrees: 30 })
}

/** A person who stands or walks, seen along z; `stride` in metres between the feet. */
export function makePerson(stride: number): Mesh {
  const made = meshBuilder()
  const hip = 0.88
  for (const side of [-1, 1]) {
    const foot: Point = [side * 0.1, 0.05, (side * stride) / 2]
    const knee: Point = [side * 0.1, 0.48, (side * stride) / 4 + 0.06]
    made.rod([side * 0.09, hip, 0], knee, 0.09, 0.07, 7, material.black)
    made.rod(knee, foot, 0.07, 0.05, 7, material.black)
    made.box([foot[0] - 0.05, 0, foot[2] - 0.08], [foot[0] + 0.05, 0.08, foot[2] + 0.17], material.black, 60)
    made.rod([side * 0.2, 1.4, 0], [side * 0.26, 1.1, (-side * stride) / 5], 0.06, 0.05, 6, material.paint)
    made.rod(
      [side * 0.26, 1.1, (-side * stride) / 5],
      [side * 0.24, 0.86, (-side * stride) / 3 + 0.1],
      0.05,
      0.04,
      6,
      material.paint,
    )
  }
  made.rod([0, hip - 0.08, 0], [0, 1.3, 0], 0.16, 0.2, 9, material.paint)
  made.rod([0, 1.3, 0], [0, 1.48, 0], 0.2, 0.09, 9, material.paint)
  made.rod([0, 1.46, 0], [0, 1.56, 0.01], 0.06, 0.06, 7, material.skin)
  made.rod([0, 1.53, 0.02], [0, 1.66, 0.02], 0.09, 0.11, 9, material.skin)
  made.rod([0, 1.66, 0.01], [0, 1.77, 0], 0.115, 0.06, 9, material.black)
  return made.build({ creaseDegrees: 60 })
}
