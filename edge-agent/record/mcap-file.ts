// One MCAP file that is being written, and what to do with one that was not finished. Chunks are small, so that a crash costs
// little: what is in a whole chunk can be read, by the reader of the library and by `mcap recover`.
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { McapStreamReader, McapWriter } from '@mcap/core'
import { type Kind, schemaOf, topicOf } from './recording.ts'

/** About 3 s of one camera's masks and facts at 5 a second. */
const chunkSize = 32 * 1024
const magic = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a])

export interface McapFile {
  path: string
  bytes(): number
  /** Writes a message. One call at a time. */
  add(kind: Kind, camera: string | undefined, micros: number, json: unknown): Promise<void>
  /** Writes the index, so that readers need not look through it all. */
  end(): Promise<void>
}

/** Makes the file, which must not be there. */
export async function createMcap(path: string): Promise<McapFile> {
  const file = await open(path, 'wx', 0o600)
  const { writer, bytes } = await writeTo(file)
  const channels = new Map<string, number>()
  const schemaIds = new Map<string, number>()
  let sequence = 0

  async function channelOf(kind: Kind, topic: string): Promise<number> {
    const known = channels.get(topic)
    if (known !== undefined) return known
    const { name, schema } = schemaOf(kind)
    const data = Buffer.from(JSON.stringify(schema))
    const schemaId = schemaIds.get(name) ?? (await writer.registerSchema({ name, encoding: 'jsonschema', data }))
    schemaIds.set(name, schemaId)
    const channel = await writer.registerChannel({ topic, schemaId, messageEncoding: 'json', metadata: new Map() })
    channels.set(topic, channel)
    return channel
  }

  return {
    path,
    bytes,
    async add(kind, camera, micros, json) {
      const channelId = await channelOf(kind, topicOf(kind, camera))
      const data = Buffer.from(JSON.stringify(json))
      const logTime = BigInt(Math.round(micros)) * 1000n
      await writer.addMessage({ channelId, sequence: sequence++, logTime, publishTime: BigInt(Date.now()) * 1_000_000n, data })
    },
    async end() {
      try {
        await writer.end()
        await file.datasync()
      } finally {
        await file.close()
      }
    },
  }
}

async function writeTo(file: FileHandle) {
  let position = 0
  const writable = {
    async write(buffer: Uint8Array) {
      for (let at = 0; at < buffer.length; ) at += (await file.write(buffer, at)).bytesWritten
      position += buffer.length
    },
    position: () => BigInt(position),
  }
  const writer = new McapWriter({ writable, chunkSize })
  await writer.start()
  return { writer, bytes: () => position }
}

/** Whether a file was written to its end. */
async function isWhole(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  const end = Buffer.alloc(magic.length)
  if (size < 2 * magic.length) return false
  await file.read(end, 0, end.length, size - end.length)
  return end.equals(magic)
}

/** Gives a file that broke off its index, with all of its whole messages; one without any is removed. */
export async function repairMcap(path: string): Promise<'whole' | 'repaired' | 'removed'> {
  const file = await open(path, 'r')
  const made = `${path}.repaired`
  try {
    if (await isWhole(file)) return 'whole'
    await rm(made, { force: true })
    const copy = await open(made, 'wx', 0o600)
    let messages = 0
    try {
      const { writer } = await writeTo(copy)
      messages = await copyMessages(file, writer)
      await writer.end()
      await copy.datasync()
    } catch (error) {
      await rm(made, { force: true })
      throw error
    } finally {
      await copy.close()
    }
    if (messages === 0) {
      await Promise.all([rm(made), rm(path)])
      return 'removed'
    }
    await rename(made, path)
    return 'repaired'
  } finally {
    await file.close()
  }
}

/** Copies what can be read, and gives the number of messages. */
async function copyMessages(file: FileHandle, writer: McapWriter): Promise<number> {
  const reader = new McapStreamReader()
  const schemaIds = new Map<number, number>()
  const channelIds = new Map<number, number>()
  let messages = 0
  try {
    for await (const bytes of file.createReadStream({ highWaterMark: 256 * 1024, autoClose: false })) {
      reader.append(bytes as Buffer)
      for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
        if (record.type === 'Schema') schemaIds.set(record.id, await writer.registerSchema(record))
        if (record.type === 'Channel')
          channelIds.set(record.id, await writer.registerChannel({ ...record, schemaId: schemaIds.get(record.schemaId) ?? 0 }))
        const channelId = record.type === 'Message' ? channelIds.get(record.channelId) : undefined
        if (record.type !== 'Message' || channelId === undefined) continue
        await writer.addMessage({ ...record, channelId })
        messages++
      }
    }
  } catch {
    // A crash of the whole machine leaves blocks of zeros: what came before them is kept.
  }
  return messages
}

/** Size and time of a file; undefined where it is gone. */
export const sizeOf = (path: string) =>
  stat(path).then(
    ({ size, mtimeMs }) => ({ path, size, mtimeMs }),
    () => undefined,
  )
