// `agent user NAME` and `agent token NAME`: what goes into the config for somebody who is let in. Only hashes do.

import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { Config } from '../settings/config.ts'
import { hashToken, makeToken } from './access.ts'
import { hashPassword } from './passwords.ts'

const shortestPassword = 8

/** Asks for what is needed and prints the lines of the config. */
export async function makeCredential(kind: 'user' | 'token', args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { role: { type: 'string' } } })
  const [name] = positionals
  const { role } = values
  if (name === undefined || role === undefined || positionals.length > 1)
    throw new Error(`Expected ${kind} NAME --role viewer, or --role operator, found ${kind} ${args.join(' ')}`)
  const token = kind === 'token' ? makeToken() : undefined
  const entry = {
    name,
    role,
    ...(token ? { sha256: hashToken(token) } : { password: await hashPassword(await askPassword(name)) }),
  }
  const access = { [`${kind}s`]: [entry] }
  const { error } = Config.safeParse({ access })
  const [issue] = error?.issues ?? []
  if (issue) throw new Error(`The ${String(issue.path.at(-1))} of the ${kind}: ${issue.message}`)
  if (token) console.error(`The token, which is shown this once: ${token}\n`)
  console.error('For the config file:\n')
  console.log(stringify({ access }).trimEnd())
}

/** Twice from a terminal, without showing it; else the first line of standard input. */
async function askPassword(name: string): Promise<string> {
  const terminal = process.stdin.isTTY
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal })
  const ask = async (question: string) => {
    if (terminal) process.stderr.write(question)
    const line = await Promise.race([lines.question(''), new Promise<string>((ended) => lines.once('close', () => ended('')))])
    if (terminal) process.stderr.write('\n')
    return line
  }
  const password = await ask(`Password for ${name}: `)
  const again = terminal ? await ask('Once more: ') : password
  lines.close()
  if (password !== again) throw new Error('The two passwords differ')
  if (password.length < shortestPassword)
    throw new Error(`Expected a password of at least ${shortestPassword} characters, found ${password.length}`)
  return password
}
