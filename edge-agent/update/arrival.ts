// How an offered bundle arrives: place is made, what is not here yet is fetched, and of what has gathered a whole bundle is made.
import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, manifestFile, openBundle } from '../../deploy/bundle.ts'
import { type BundleRelease, type Envelope, manifestOf } from '../../deploy/release.ts'
import type { ReleaseName } from '../wire.ts'
import { download, fetchSmall, folderUrl, type Wanted } from './download.ts'
import type { Progress } from './progress.ts'
import { type Slot, type Store, sizeOf } from './store.ts'

/** An offer that was taken and is not yet a candidate. */
export interface Offer {
  id: string
  name: ReleaseName
  release: BundleRelease
  envelope: Envelope
  stop: AbortController
}

export interface Arrived {
  manifest: Manifest
  manifestBytes: Uint8Array
}

export interface Arrival {
  /** Fetches what is not here yet. Throws `ReleaseRefused`, or what broke off and may be tried again. */
  fetch(offer: Offer, url: string | undefined): Promise<Arrived>
  /** Makes place for an offer; which of its files are not here yet. Throws where there is no room. */
  prepare(offer: Offer, manifest: Manifest): Promise<Wanted[]>
  /** Where a file of it gathers. */
  pathOf(offer: Offer, file: Wanted): string
  /** Makes a bundle of what has gathered. Throws where that is not whole. */
  assemble(offer: Offer, arrived: Arrived): Promise<Slot>
}

interface Surroundings {
  store: Store
  /** State folder of the agent, whose disk is looked at. */
  folder: string
  kibPerSecond(): number
  report(progress: Progress): void
}

/** Stays free for what the agent writes besides. */
const reserveBytes = 8 * 1024 * 1024

export function makeArrival({ store, folder: stateFolder, kibPerSecond, report }: Surroundings): Arrival {
  const pathOf = ({ release }: Offer, { sha256 }: Wanted) => join(store.incoming(release), sha256)

  /** As where an old model is signed again. */
  const isWhole = (offer: Offer) =>
    openBundle(store.dirOf(store.slotOf(offer))).then(
      () => true,
      () => false,
    )

  async function prepare(offer: Offer, manifest: Manifest): Promise<Wanted[]> {
    await store.tidy(offer.release)
    if (await isWhole(offer)) return []
    const missing: Wanted[] = []
    let room = reserveBytes
    for (const file of wantedOf(manifest)) {
      if ((await sizeOf(pathOf(offer, file))) === file.bytes && file.bytes > 0) continue
      missing.push(file)
      room += file.bytes - (await sizeOf(`${pathOf(offer, file)}.part`))
    }
    const { bavail, bsize } = await statfs(stateFolder)
    if (missing.length && bavail * bsize < room)
      throw new Error(`The disk has ${mib(bavail * bsize)} MiB free, and ${mib(room)} are needed`)
    await mkdir(store.incoming(offer.release), { recursive: true, mode: 0o700 })
    return missing
  }

  async function fetchFiles(offer: Offer, folder: URL, manifest: Manifest) {
    const missing = await prepare(offer, manifest)
    const of = offer.release.bytes
    let bytes = of - missing.reduce((sum, file) => sum + file.bytes, 0)
    for (const file of missing) bytes += await sizeOf(`${pathOf(offer, file)}.part`)
    const say = () => report({ state: 'downloading', release: offer.name, progress: { bytes, of } })
    say()
    for (const file of missing)
      await download(file, pathOf(offer, file), {
        folder,
        signal: offer.stop.signal,
        kibPerSecond,
        arrived(more) {
          bytes += more
          say()
        },
      })
  }

  return {
    prepare,
    pathOf,
    async fetch(offer, url) {
      report({ state: 'verifying', release: offer.name })
      const folder = folderUrl(url)
      const manifestBytes = await fetchSmall(manifestFile, { folder, signal: offer.stop.signal })
      const manifest = manifestOf(offer.release, manifestBytes)
      await fetchFiles(offer, folder, manifest)
      return { manifest, manifestBytes }
    },
    async assemble(offer, arrived) {
      const slot = (await isWhole(offer)) ? store.slotOf(offer) : await store.assemble(offer, arrived)
      await openBundle(store.dirOf(slot))
      return slot
    },
  }
}

/** What a manifest lists, each once: the same file may stand there under two names. */
export function wantedOf({ files }: Manifest): Wanted[] {
  const byHash = new Map(Object.entries(files).map(([file, { bytes, sha256 }]) => [sha256, { file, bytes, sha256 }]))
  return [...byHash.values()]
}

const mib = (bytes: number) => Math.round(bytes / 2 ** 20)
