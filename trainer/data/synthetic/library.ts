// The things that stand in all scenes, built once a process, and the colours they come in.
import { type Random, random } from '../random.ts'
import { makeBlock, makeHouse } from './buildings.ts'
import { carShapes } from './car-shapes.ts'
import { makeCar } from './cars.ts'
import { makeBin, makeDelineator, makeLamp, makePerson, makeSign } from './furniture.ts'
import type { Mesh, Point } from './mesh.ts'
import { makeBush, makeConifer, makeGrass, makeTree } from './plants.ts'

export interface Library {
  trees: Mesh[]
  slimTrees: Mesh[]
  conifers: Mesh[]
  bushes: Mesh[]
  grass: Mesh[]
  cars: { mesh: Mesh; halfLength: number; halfWidth: number }[]
  houses: { mesh: Mesh; brick: boolean }[]
  blocks: { mesh: Mesh; brick: boolean }[]
  lamp: Mesh
  signs: Mesh[]
  delineator: Mesh
  bin: Mesh
  people: Mesh[]
}

let built: Library | undefined

export function sharedLibrary(): Library {
  if (built !== undefined) return built
  const next = random(77)
  const several = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
  built = {
    trees: several(5, (index) => makeTree(index, 7 + 1.3 * index, 0.9 + 0.12 * (index % 3))),
    slimTrees: several(2, (index) => makeTree(20 + index, 11 + 2 * index, 0.42)),
    conifers: several(2, (index) => makeConifer(index, 10 + 3 * index)),
    bushes: several(3, makeBush),
    grass: [makeGrass(1, 2, 0.17, 420), makeGrass(2, 2, 0.3, 330)],
    cars: Object.values(carShapes).map((shape) => {
      const { stations } = shape
      const length = stations.at(-1)!.z - stations[0]!.z
      return { mesh: makeCar(shape), halfLength: length / 2, halfWidth: Math.max(...stations.map(({ half }) => half)) }
    }),
    houses: several(7, (index) => {
      const brick = index % 3 === 1
      const [wide, deep, floors] = [9 + 5 * next(), 7.5 + 3 * next(), index % 3 === 0 ? 1 : 2]
      return { brick, mesh: makeHouse(index, { wide, deep, floors, brick }) }
    }),
    blocks: several(4, (index) => {
      const brick = index % 2 === 1
      const [wide, deep, floors] = [13 + 9 * next(), 10 + 4 * next(), 3 + (index % 3)]
      return { brick, mesh: makeBlock(index, { wide, deep, floors, brick }) }
    }),
    lamp: makeLamp(7.5),
    signs: (['limit', 'warning', 'bend', 'place'] as const).map(makeSign),
    delineator: makeDelineator(),
    bin: makeBin(),
    people: [makePerson(0.2), makePerson(0.6)],
  }
  return built
}

export const pick = <T>(items: readonly T[], next: Random): T =>
  items[Math.min(items.length - 1, Math.floor(next() * items.length))]!

/** A colour with each channel up to `spread` of itself more or less. */
export const vary = ([r, g, b]: Point, spread: number, next: Random): Point => {
  const all = 1 + spread * (2 * next() - 1)
  const own = () => all * (1 + 0.4 * spread * (2 * next() - 1))
  return [r * own(), g * own(), b * own()]
}

export const paints: Point[] = [
  [0.66, 0.66, 0.64],
  [0.66, 0.66, 0.64],
  [0.4, 0.41, 0.42],
  [0.36, 0.37, 0.38],
  [0.14, 0.145, 0.15],
  [0.1, 0.105, 0.11],
  [0.018, 0.019, 0.022],
  [0.018, 0.019, 0.022],
  [0.02, 0.05, 0.17],
  [0.05, 0.13, 0.26],
  [0.38, 0.02, 0.02],
  [0.17, 0.015, 0.02],
  [0.03, 0.075, 0.05],
  [0.3, 0.26, 0.19],
  [0.5, 0.2, 0.03],
]

export const plasters: Point[] = [
  [0.7, 0.66, 0.58],
  [0.74, 0.72, 0.68],
  [0.66, 0.54, 0.36],
  [0.6, 0.42, 0.3],
  [0.56, 0.58, 0.56],
  [0.7, 0.6, 0.5],
]

export const bricks: Point[] = [
  [0.32, 0.12, 0.075],
  [0.26, 0.115, 0.08],
  [0.36, 0.19, 0.11],
  [0.34, 0.26, 0.17],
]

export const roofs: Point[] = [
  [0.33, 0.115, 0.06],
  [0.27, 0.1, 0.06],
  [0.2, 0.095, 0.06],
  [0.085, 0.088, 0.095],
  [0.13, 0.115, 0.1],
]

export const leaves: Point[] = [
  [0.105, 0.16, 0.036],
  [0.08, 0.135, 0.032],
  [0.135, 0.17, 0.042],
  [0.07, 0.115, 0.034],
]
export const autumnLeaves: Point[] = [
  [0.42, 0.2, 0.03],
  [0.36, 0.11, 0.025],
  [0.4, 0.28, 0.05],
  [0.2, 0.18, 0.04],
]
export const needles: Point = [0.045, 0.085, 0.038]

export const clothes: Point[] = [
  [0.35, 0.04, 0.05],
  [0.05, 0.1, 0.3],
  [0.5, 0.5, 0.48],
  [0.04, 0.04, 0.05],
  [0.5, 0.33, 0.06],
  [0.1, 0.2, 0.12],
]
