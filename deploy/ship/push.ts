// npm run deploy -- push: a signed bundle straight to one device, over HTTPS.
import { open, readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { UpdateState } from '../../edge-agent/wire.ts'
import { parseOptions } from '../options.ts'
import { openSigned, type SignedBundle } from './signed-bundle.ts'

const help = `npm run deploy -- push BUNDLE --to https://HOST:PORT [options]

Sends a signed bundle to a device: what is missing there, in pieces, each again where the connection breaks off. The device
verifies it, tries it beside its model, and switches: --wait stays until that has ended well or not (exit code 0 or 1).

--to URL             the device's page
--token-file FILE    an operator's API token, which may also stand in ROADMASK_TOKEN
--ca FILE            authority that signed the device's certificate (PEM), where the system does not know it
--wait               stays until the device has settled on the model or has taken it back`

interface Device {
  url: URL
  token: string | undefined
  ca: Buffer | undefined
}
interface Part {
  sha256: string
  bytes: number
  have: number
}

/** The most that a device takes at once. */
const pieceBytes = 1024 * 1024
const tries = 8
const patienceMs = 60_000
const lookEveryMs = 1000

/** What a device answered in the place of doing it. */
class Answered extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function push(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      'token-file': { type: 'string' },
      ca: { type: 'string' },
      wait: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const [dir, more] = positionals
  if (!dir || more) throw new Error(`Expected one bundle, found ${positionals.length}\n\n${help}`)
  if (!values.to || !/^https?:\/\//.test(values.to) || !URL.canParse(values.to))
    throw new Error(`--to: expected the address of a device such as https://jetson01:8080, found ${values.to ?? 'none'}`)
  const bundle = await openSigned(dir)
  const token = values['token-file'] ? (await readFile(values['token-file'], 'utf8')).trim() : process.env.ROADMASK_TOKEN
  const device: Device = { url: new URL(values.to), token, ca: values.ca ? await readFile(values.ca) : undefined }
  await send(device, bundle)
  const state = await follow(device, bundle.id, values.wait)
  if (['refused', 'failed', 'rolled_back'].includes(state.state)) process.exitCode = 1
}

/** Sends what is missing; goes on after a break where the device says. */
async function send(device: Device, bundle: SignedBundle) {
  const paths = new Map(Object.entries(bundle.manifest.files).map(([path, { sha256 }]) => [sha256, join(bundle.dir, path)]))
  const of = bundle.release.bytes
  let reached = false // what was never there, or has another certificate, is not for trying again
  for (let failures = 0; ; ) {
    try {
      const offer = { release: bundle.envelope, manifest: bundle.manifestBytes.toString() }
      const { wanted } = await ask<{ wanted: Part[] }>(device, 'POST', '/api/update', JSON.stringify(offer))
      reached = true
      let left = wanted.reduce((sum, { bytes, have }) => sum + bytes - have, 0)
      if (left < of) say(`${megabytes(of - left)} of ${megabytes(of)} are there`)
      for (const part of wanted) {
        const file = await open(paths.get(part.sha256)!)
        try {
          for (let { have } = part; have < part.bytes; ) {
            const bytes = Buffer.alloc(Math.min(pieceBytes, part.bytes - have))
            await file.read(bytes, 0, bytes.length, have)
            const range = `bytes ${have}-${have + bytes.length - 1}/${part.bytes}`
            const now = await ask<Part>(device, 'PUT', `/api/update/files/${part.sha256}`, bytes, { 'content-range': range })
            left -= now.have - have
            have = now.have
            failures = 0
            say(`${megabytes(of - left)} of ${megabytes(of)}`)
          }
        } finally {
          await file.close()
        }
      }
      return
    } catch (error) {
      if (error instanceof Answered || !reached || ++failures >= tries) throw error
      say(`${(error as Error).message}; again in ${2 ** failures} s`)
      await delay(1000 * 2 ** failures)
    }
  }
}

/** Tells what the device does with it. */
async function follow(device: Device, id: string, toTheEnd: boolean): Promise<UpdateState> {
  for (;;) {
    const state = await ask<UpdateState>(device, 'GET', '/api/update')
    say(`${state.device}: ${state.state.replace('_', ' ')}${state.reason ? `: ${state.reason}` : ''}`)
    const isOurs = state.release?.id === id
    const ended = ['settled', 'refused', 'failed', 'rolled_back'].includes(state.state)
    const underWay = ['verifying', 'downloading'].includes(state.state)
    if (isOurs ? ended || (!toTheEnd && !underWay) : !underWay) return state
    await delay(lookEveryMs)
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

let said = ''
/** The same is not told again. */
function say(line: string) {
  if (line !== said) console.log(line)
  said = line
}

function ask<Answer>(
  { url, token, ca }: Device,
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
  const bytes = body === undefined ? undefined : Buffer.from(body)
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, url),
      {
        method,
        timeout: patienceMs,
        ...(ca && { ca }),
        headers: {
          ...headers,
          ...(token && { authorization: `Bearer ${token}` }),
          ...(bytes && { 'content-type': type, 'content-length': bytes.length }),
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          try {
            const answer = JSON.parse(text) as Answer & { detail?: string }
            if (status < 300) return resolve(answer)
            reject(new Answered(status, `${url.host} answered ${status}: ${answer.detail ?? text}`))
          } catch {
            reject(new Answered(status, `${url.host} answered ${status} and no JSON: is it a Roadmask agent with updates?`))
          }
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`nothing came for ${patienceMs / 1000} s`)))
    asked.on('error', (cause) =>
      reject(new Error(`${url.host} cannot be reached: ${cause.message || 'no connection'}`, { cause })),
    )
    asked.end(bytes)
  })
}
