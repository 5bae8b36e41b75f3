// The command lines of all programs but the agent's.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { z } from 'zod'
import { nearest } from './nearest.ts'

/** Options that npm has too, and may have from somebody's .npmrc. */
const ofNpm = ['json', 'help', 'prefix', 'ca', 'cert', 'key']

/** Node's parseArgs, with errors that say what to do. Throws a sentence for what it cannot read. */
export function parseOptions<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  const known = Object.keys(config.options ?? {})
  const command = process.env.npm_lifecycle_event
  const taken = known.filter((name) => !ofNpm.includes(name) && `npm_config_${name.replaceAll('-', '_')}` in process.env)
  if (command && taken.length > 0)
    throw new Error(
      `npm kept --${taken.join(' and --')} for itself. Write -- before the options: npm run ${command} -- --${taken[0]} …`,
    )
  try {
    return parseArgs(config)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const option = /'(--?[^' ]+)/.exec(error.message)?.[1] ?? ''
    if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
      throw new Error(`${error.message.split('\n')[0]} --help lists them all.`)
    const meant = nearest(option.replace(/^-+/, ''), known)
    throw new Error(`Unknown option ${option}${meant ? `; did you mean --${meant}?` : '.'} --help lists them all.`)
  }
}

const either = (values: readonly unknown[]) =>
  [values.slice(0, -1).join(', '), values.at(-1)].filter((part) => part !== '').join(' or ')

/** What is wrong with the values of options, a line each: `--compute: expected float32 or int8, found int9`. */
export function optionFaults({ issues }: z.ZodError, given: Readonly<Record<string, unknown>>): string {
  return issues
    .map((issue) => {
      const name = String(issue.path[0])
      const said = expectation(issue)
      return `--${name}: ${said ? `expected ${said}, found ${given[name] ?? 'nothing'}` : issue.message}`
    })
    .join('\n')
}

/** What was expected, where a schema says so in zod's own words alone. */
function expectation(issue: z.core.$ZodIssue): string | undefined {
  if (!/^(Invalid|Too)/.test(issue.message)) return undefined
  if (issue.code === 'invalid_value') return either(issue.values)
  if (issue.code === 'invalid_type') return issue.expected === 'int' ? 'a whole number' : `a ${issue.expected}`
  if (issue.code === 'too_small') return `${issue.minimum} or more`
  if (issue.code === 'too_big') return `${issue.maximum} or less`
  return undefined
}
