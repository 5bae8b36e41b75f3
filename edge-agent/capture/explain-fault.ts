// Why a camera gives no picture, for whoever stands at it: what GStreamer says, in words that tell what to look after.
import { once } from 'node:events'
import { connect } from 'node:net'
import type { CameraConfig } from '../settings/config.ts'
import { withoutSecrets } from '../settings/redact.ts'
import { sourceKind } from '../settings/source-kind.ts'

/** A camera on the network that does not answer by now has the wrong address or no power. */
const answersMs = 4000

/** GStreamer's words, which it takes in part from servers and drivers, and what they mean. */
const meanings: [RegExp, string][] = [
  [/unauthori[sz]ed|not authori[sz]ed|forbidden/i, 'The camera refuses the user or the password'],
  [/not found|404/i, 'The camera has no stream at this path'],
  [
    /missing a plug-?in|no suitable|no decoder/i,
    'Nothing here can decode this: it is no video and no picture, or a decoder is missing, which "npm run doctor" names',
  ],
  [/could not determine type/i, 'This is no video and no picture that can be played'],
  [/not-negotiated|negotiat|could not link/i, 'It offers no picture of the width, height and rate that are asked for'],
]

export function explainFault(
  reason: string,
  { source, name }: Pick<CameraConfig, 'source' | 'name'>,
  running: readonly Pick<CameraConfig, 'source' | 'name'>[],
): string {
  if (/busy|in use/i.test(reason)) {
    const user = running.find((other) => other.source === source)
    const who = user
      ? `camera ${user.name} of this agent plays it${user.name === name ? ' as it is now' : ''}: switch it off`
      : 'another program has it open: end that one'
    return `${source.slice(source.indexOf(':') + 1)} is busy, ${who}, and test again`
  }
  if (sourceKind(source) === 'gst') return reason // whoever writes a pipeline reads GStreamer's own words
  const [, meaning] = meanings.find(([words]) => words.test(reason)) ?? []
  return meaning ? `${meaning} (${reason})` : reason
}

/** Why nothing can be heard of a camera on the network; undefined where it answers, and for sources of other kinds. */
export async function unreachable(source: string): Promise<string | undefined> {
  if (!/^rtsps?:/.test(source)) return undefined
  if (!URL.canParse(source)) return `${withoutSecrets(source)} is no address`
  const { protocol, hostname, port: given } = new URL(source)
  const port = Number(given) || (protocol === 'rtsps:' ? 322 : 554)
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect(port, host)
  const fault = await once(socket, 'connect', { signal: AbortSignal.timeout(answersMs) }).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => code ?? 'no answer',
  )
  socket.on('error', () => {}) // what comes later is not of interest
  socket.destroy()
  if (fault === undefined) return undefined
  if (fault === 'ECONNREFUSED') return `${host} answers, but nothing listens on its port ${port}`
  if (fault === 'ENOTFOUND' || fault === 'EAI_AGAIN') return `No machine is known under the name ${host}`
  if (fault === 'ABORT_ERR')
    return `${host} does not answer on port ${port} within ${answersMs / 1000} s: wrong address, no power, no cable`
  return `${host} cannot be reached on port ${port} (${fault})`
}
