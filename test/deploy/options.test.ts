import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { optionFaults, parseOptions } from '../../deploy/options.ts'

const options = { epochs: { type: 'string' }, 'batch-norm': { type: 'string' }, json: { type: 'boolean' } } as const
const parse = (...args: string[]) => parseOptions({ args, options }).values

afterEach(() => vi.unstubAllEnvs())

describe('the command lines', () => {
  test('are read as Node reads them', () => {
    expect(parse('--epochs', '3', '--json')).toEqual({ epochs: '3', json: true })
  })

  test('name the option that was meant', () => {
    expect(() => parse('--epoch', '3')).toThrow('Unknown option --epoch; did you mean --epochs? --help lists them all.')
    expect(() => parse('--batchnorm=on')).toThrow('did you mean --batch-norm?')
    expect(() => parse('--colour')).toThrow('Unknown option --colour. --help lists them all.')
  })

  test('say in one line what else is wrong', () => {
    for (const args of [['--epochs'], ['here'], ['--json=yes'], ['--epochs', '--json']]) {
      expect(() => parse(...args)).toThrow(/^[^\n]+--help lists them all\.$/)
    }
  })

  test('notice that npm kept options for itself, which would do something else than was asked for', () => {
    vi.stubEnv('npm_lifecycle_event', 'trainer')
    vi.stubEnv('npm_config_json', 'true')
    expect(parse()).toEqual({})
    vi.stubEnv('npm_config_epochs', 'true')
    vi.stubEnv('npm_config_batch_norm', 'true')
    expect(() => parse('30')).toThrow(
      'npm kept --epochs and --batch-norm for itself. Write -- before the options: npm run trainer -- --epochs …',
    )
  })

  test('say of each value what was expected and found', () => {
    const number = z.coerce.number()
    const schema = z.object({
      compute: z.enum(['float32', 'float16', 'int8']),
      epochs: number.pipe(z.int().min(1)),
      share: number.max(0.9),
      size: z.string().regex(/x/, 'expected WIDTHxHEIGHT, found no x'),
    })
    const given = { compute: 'int9', epochs: '0', share: '1', size: '5' }
    expect(optionFaults(schema.safeParse(given).error!, given).split('\n')).toEqual([
      '--compute: expected float32, float16 or int8, found int9',
      '--epochs: expected 1 or more, found 0',
      '--share: expected 0.9 or less, found 1',
      '--size: expected WIDTHxHEIGHT, found no x',
    ])
    const fraction = { ...given, epochs: '1.5' }
    expect(optionFaults(schema.safeParse(fraction).error!, fraction)).toContain('--epochs: expected a whole number, found 1.5')
    expect(optionFaults(schema.safeParse({ ...given, compute: undefined }).error!, {})).toContain('or int8, found nothing')
  })
})
