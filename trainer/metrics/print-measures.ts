// Measures as text, for a person.
import { type CategoryMeasures, roadMeasures } from './categories.ts'
import type { Measures } from './measure.ts'

/** A model's measures, one a line. */
export function printMeasures(title: string, measures: Measures): void {
  const { iou, pictures, pixels, ...shares } = measures
  console.log(`${title}: ${pictures} pictures, ${pixels} labelled pixels`)
  for (const [name, value] of Object.entries(shares)) console.log(`  ${name.padEnd(16)} ${value.toFixed(4)}`)
  for (const [name, value] of Object.entries(iou)) console.log(`  ${`IoU of ${name}`.padEnd(16)} ${value.toFixed(4)}`)
}

/** A row for each category. */
export function printCategories(title: string, categories: ReadonlyMap<string, CategoryMeasures>): void {
  const rows = Object.entries(roadMeasures(categories)).map(([name, { pictures, ...shares }]) => [
    name,
    String(pictures),
    ...Object.values(shares).map((share) => share.toFixed(6)),
  ])
  const heading = ['', ...Object.keys(Object.values(roadMeasures(categories))[0]!)]
  console.log(`${title}:`)
  for (const cells of [heading, ...rows]) console.log(`  ${cells.map((cell) => cell.padEnd(10)).join('')}`)
}
