// npm run deploy -- offer: tells a device, a group or the fleet by a retained message to take a release, or to go back.
import { createHash, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type UpdateWish, updateTopics } from '../../edge-agent/wire.ts'
import { manifestFile } from '../bundle.ts'
import { parseOptions } from '../options.ts'
import { type Release, releaseFile } from '../release.ts'
import { type BrokerValues, brokerHelp, brokerOptions, openBroker } from './broker.ts'
import { readRelease } from './signed-bundle.ts'

const help = `npm run deploy -- offer BUNDLE --url URL WHOM [options]     a signed bundle, fetched from URL
npm run deploy -- offer IMAGE.json WHOM [options]           a signed image of the agent
npm run deploy -- offer --withdraw WHOM [options]           nothing any more; a download under way ends
npm run deploy -- offer --rollback --device NAME [options]  back to the model before

WHOM is --device NAME (several times), --group NAME or --fleet. The message is retained: a device that is away takes it when it
comes back. Where several say something to a device, the release that was signed last counts.

--url URL              the folder that "publish" filled: http, https or s3
--unchecked            does not look first whether that is there, as where only devices reach it
${brokerHelp}`

/** What every command takes that offers something to somebody. */
export const offerOptions = {
  ...brokerOptions,
  url: { type: 'string' },
  device: { type: 'string', multiple: true, default: [] as string[] },
  group: { type: 'string', multiple: true, default: [] as string[] },
  fleet: { type: 'boolean', default: false },
  unchecked: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
} as const

export async function offer(args: string[]): Promise<void> {
  const { values, positionals } = parseOptions({
    args,
    allowPositionals: true,
    options: {
      ...offerOptions,
      withdraw: { type: 'boolean', default: false },
      rollback: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  const [path, more] = positionals
  const { withdraw, rollback, device: devices, group: groups, fleet } = values
  if (more || [path !== undefined, withdraw, rollback].filter(Boolean).length !== 1)
    throw new Error(`Expected one bundle or image, --withdraw or --rollback\n\n${help}`)
  if (rollback && (fleet || groups.length))
    throw new Error('--rollback: expected --device NAME, since each goes back on its own')
  const wrong = [...devices, ...groups].find((name) => !/^[^/+#\s]+$/.test(name))
  if (wrong !== undefined) throw new Error(`Expected names without "/", "+", "#" and spaces, found ${wrong}`)
  const topic = (device: string) => updateTopics(values.prefix, device)
  const all = [...devices.map((name) => topic(name).set), ...groups.map(topic('').group), ...(fleet ? [topic('').fleet] : [])]
  if (!all.length) throw new Error('Expected --device NAME, --group NAME or --fleet')
  const payload = withdraw ? '' : JSON.stringify(rollback ? back() : (await wishOf(path!, values.url, values.unchecked)).wish)
  await publishAll(values, all, payload, !rollback)
}

const back = (): UpdateWish => ({ rollback: true, id: randomBytes(6).toString('hex') })

/** A device that is away must not go back when it returns: only what is offered is retained. */
async function publishAll(values: BrokerValues, all: string[], payload: string, retain: boolean) {
  const client = await openBroker(values)
  try {
    for (const to of all) {
      await client.publishAsync(to, payload, { qos: 1, retain })
      console.log(`${to}: ${payload ? `${payload.length} bytes${retain ? ', retained' : ''}` : 'withdrawn'}`)
    }
  } finally {
    await client.endAsync()
  }
}

/** What is offered: a bundle at its address, or an image. Throws where it is not there. */
export async function wishOf(path: string, url: string | undefined, unchecked: boolean) {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false
  const { envelope, release, id } = await readRelease(isFolder ? join(path, releaseFile) : path)
  if (release.kind === 'image') return { id, release, wish: { release: envelope } satisfies UpdateWish }
  if (!url || !URL.canParse(url)) throw new Error(`--url: expected the folder that "publish" filled, found ${url ?? 'none'}`)
  if (!unchecked && /^https?:/.test(url)) await expectThere(url, release)
  return { id, release, wish: { release: envelope, url } satisfies UpdateWish }
}

/** Better one refusal here than one on each device. */
async function expectThere(url: string, release: Extract<Release, { kind: 'bundle' }>) {
  const folder = new URL(url)
  if (!folder.pathname.endsWith('/')) folder.pathname += '/'
  const manifest = new URL(manifestFile, folder)
  manifest.search = folder.search
  const answer = await fetch(manifest).catch((cause: Error) => {
    throw new Error(`${folder.host} cannot be reached from here (--unchecked offers all the same): ${cause.message}`, { cause })
  })
  const found = createHash('sha256')
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest('hex')
  if (!answer.ok)
    throw new Error(`--url: ${manifest.pathname} is not there: ${answer.status}. npm run deploy -- publish puts it there`)
  if (found !== release.manifest_sha256) throw new Error(`--url: ${manifest.pathname} is not of this release; publish it first`)
}
