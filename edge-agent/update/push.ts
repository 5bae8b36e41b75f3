// A bundle that is pushed: first its release and manifest, which say what is missing, then that in pieces, each of which goes on
// where the one before ended.
import { open, rm } from 'node:fs/promises'
import type { Manifest } from '../../deploy/bundle.ts'
import { Refused } from '../settings/refused.ts'
import { type Arrived, type Offer, wantedOf } from './arrival.ts'
import { keepWhole, longestManifest, type Wanted } from './download.ts'
import type { Progress } from './progress.ts'
import { sizeOf } from './store.ts'

/** Of a file at once: on a slow link it must arrive before the server's patience ends. */
export const longestPiece = 1024 * 1024
/** Of a release with its manifest, as JSON. */
export const longestOffer = 2 * longestManifest

export interface Push {
  /** Which files are wanted, with how much of each is here. Throws `ReleaseRefused` or `Refused`. */
  offer(release: unknown, manifest: Uint8Array): Promise<{ id: string; wanted: Part[] }>
  /** A piece of a file. Throws `Refused` where it does not go on where the last one ended. */
  piece(sha256: string, from: number, bytes: Uint8Array): Promise<Part>
}

export interface Part {
  sha256: string
  bytes: number
  have: number
}

interface Surroundings {
  take(release: unknown, manifest: Uint8Array): Promise<{ offer: Offer; manifest: Manifest }>
  active(): Offer | undefined
  pathOf(offer: Offer, file: Wanted): string
  report(progress: Progress): void
  complete(offer: Offer, arrived: Arrived): Promise<void>
}

export function makePush({ take, active, pathOf, report, complete }: Surroundings): Push {
  let pushed: { offer: Offer; arrived: Arrived; files: Wanted[] } | undefined
  let last: Promise<unknown> = Promise.resolve()

  const partOf = async (file: Wanted): Promise<Part> => {
    const path = pathOf(pushed!.offer, file)
    const have = (await sizeOf(path)) || (await sizeOf(`${path}.part`))
    return { sha256: file.sha256, bytes: file.bytes, have }
  }

  async function say() {
    const { offer, files } = pushed!
    const parts = await Promise.all(files.map(partOf))
    const bytes = parts.reduce((sum, { have }) => sum + have, 0)
    const of = files.reduce((sum, file) => sum + file.bytes, 0)
    report({ state: 'downloading', release: offer.name, progress: { bytes, of } })
    return parts
  }

  /** One piece after the other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }

  async function piece(sha256: string, from: number, bytes: Uint8Array): Promise<Part> {
    if (!pushed || active() !== pushed.offer) throw new Refused(409, 'Nothing is being pushed: send the release first')
    const file = pushed.files.find((known) => known.sha256 === sha256)
    if (!file) throw new Refused(404, `The manifest lists no file with sha256 ${sha256}`)
    const before = await partOf(file)
    if (before.have === file.bytes) return before
    if (from !== before.have) throw new Refused(409, `Expected the bytes from ${before.have} on, found those from ${from}`)
    if (from + bytes.length > file.bytes)
      throw new Refused(422, `The signed file has ${file.bytes} bytes, ${from + bytes.length} were sent`)
    const path = pathOf(pushed.offer, file)
    const part = await open(`${path}.part`, 'a', 0o600)
    try {
      await part.writeFile(bytes)
      if (from + bytes.length === file.bytes) await part.sync()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      await rm(`${path}.part`)
      throw new Refused(409, 'The disk of the device is full')
    } finally {
      await part.close()
    }
    if (from + bytes.length === file.bytes) await keepWhole(file, path)
    const parts = await say()
    if (parts.every(({ have, bytes }) => have === bytes)) {
      const { offer, arrived } = pushed
      pushed = undefined
      await complete(offer, arrived)
      return { sha256, bytes: file.bytes, have: file.bytes }
    }
    return partOf(file)
  }

  return {
    offer: (release, manifestBytes) =>
      inTurn(async () => {
        const { offer, manifest } = await take(release, manifestBytes)
        const arrived = { manifest, manifestBytes }
        pushed = { offer, arrived, files: wantedOf(manifest) }
        const parts = await say()
        const wanted = parts.filter(({ have, bytes }) => have !== bytes)
        if (wanted.length === 0) {
          pushed = undefined
          await complete(offer, arrived)
        }
        return { id: offer.id, wanted }
      }),
    piece: (sha256, from, bytes) => inTurn(() => piece(sha256, from, bytes)),
  }
}
