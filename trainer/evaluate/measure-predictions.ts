// KITTI's measures of confidence pictures of any model beside the ground truth, a row for each category.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { roadMeasures } from '../metrics/categories.ts'
import { measurePredictions } from '../metrics/confidence-pictures.ts'
import { printCategories } from '../metrics/print-measures.ts'

export interface PredictionOptions {
  predictions?: string | undefined
  'ground-truth'?: string | undefined
  calib?: string | undefined
  json?: boolean | undefined
}

/** The options that this takes; it passes none over. */
const taken = ['predictions', 'ground-truth', 'calib', 'json']

/** Prints the measures, and with `json` as one JSON object as the last line. */
export async function evaluatePredictions(asked: PredictionOptions): Promise<void> {
  const { predictions, 'ground-truth': groundTruth, calib, json } = asked
  if (!predictions || !groundTruth) throw new Error('Expected --predictions DIR and --ground-truth DIR together')
  const other = Object.keys(asked).find((name) => !taken.includes(name))
  if (other) throw new Error(`--predictions measures pictures and no bundle: leave --${other} out`)

  const beside = join(groundTruth, '../calib')
  const calibrations = calib ?? ((await stat(beside).catch(() => undefined)) ? beside : undefined)
  const { perspective, birdsEye } = await measurePredictions(predictions, groundTruth, calibrations)
  printCategories(`${predictions} beside ${groundTruth}, in perspective`, perspective)
  if (birdsEye) printCategories("In bird's-eye view", birdsEye)
  else console.log(`No measures in bird's-eye view: there is no folder ${beside}, and no --calib DIR`)
  if (!json) return
  const categories = { categories: roadMeasures(perspective), ...(birdsEye ? { birds_eye: roadMeasures(birdsEye) } : {}) }
  console.log(JSON.stringify({ space: 'perspective', thresholds: 256, ...categories }))
}
