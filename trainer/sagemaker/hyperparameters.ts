// hyperparameters.json of a SageMaker job, in which every value is a string, as options of the trainer.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { nearest } from '../../deploy/nearest.ts'
import { optionNames } from '../run/command-line.ts'

/** Options that the container sets itself, or that mean something on one machine only. */
const ours = ['data', 'run', 'resume', 'compare']

/** Options of the trainer that a job may have. */
export const jobOptions = optionNames.filter((name) => !ours.includes(name))

/** Of SageMaker's Python toolkit and of its tuner: for other programs. */
const foreign = /^(sagemaker_.*|_tuning_objective_metric)$/

/** The job's hyper-parameters; none where the file is not there. Throws where it is not an object of strings. */
export async function readHyperparameters(file: string): Promise<Record<string, string>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${file}: expected JSON, found ${text.slice(0, 60)}`, { cause })
  }
  const parsed = z.record(z.string(), z.string()).safeParse(json)
  if (!parsed.success)
    throw new Error(`${file}: expected names with strings, {"epochs":"30"}: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/**
 * The options by name that hyper-parameters stand for: `learning_rate` or `learning-rate`, a value as it is or, as the
 * Python SDK sends it, in JSON's quotes. Throws with every name that is no option, and the nearest that is one.
 */
export function optionsOf(hyperparameters: Record<string, string>): Record<string, string> {
  const options: Record<string, string> = {}
  const faults: string[] = []
  for (const [given, value] of Object.entries(hyperparameters)) {
    if (foreign.test(given)) continue
    const name = given.replaceAll('_', '-')
    const meant = nearest(name, jobOptions)
    if (ours.includes(name))
      faults.push(`${given} is set by the container: data comes by channels, a run goes on from its checkpoints`)
    else if (!jobOptions.includes(name))
      faults.push(`unknown hyper-parameter ${given}${meant ? `; did you mean ${meant}?` : ''}`)
    else if (name in options) faults.push(`${given} is there twice, with - and with _`)
    else options[name] = unquoted(value)
  }
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\nKnown are ${jobOptions.join(', ')}.`)
  return options
}

function unquoted(value: string): string {
  if (!/^".*"$/s.test(value)) return value
  try {
    return String(JSON.parse(value))
  } catch {
    return value
  }
}
