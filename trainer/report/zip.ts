// A ZIP archive of files that are compressed already: stored as they are (PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.4).
import { crc32 } from 'node:zlib'

/** 1 January 1980, midnight: the first moment the format knows, so that the same files make the same archive. */
const date = 0x21

/** The archive's bytes. Names are ASCII, with no folder; at most 65 535 files and 4 GB. */
export function zip(files: readonly { name: string; bytes: Uint8Array }[]): Buffer {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const { name, bytes } of files) {
    // Version needed 1.0, no flags, stored, time and date, checksum, two sizes, lengths of the name and of what follows it.
    const about = Buffer.alloc(26)
    about.writeUInt16LE(10, 0)
    about.writeUInt16LE(date, 8)
    about.writeUInt32LE(crc32(bytes), 10)
    about.writeUInt32LE(bytes.length, 14)
    about.writeUInt32LE(bytes.length, 18)
    about.writeUInt16LE(name.length, 22)
    const local = [Buffer.from('PK\x03\x04'), about, Buffer.from(name, 'ascii'), bytes]
    // Made by version 1.0; after the lengths: comment, disk, attributes, and where the file begins.
    const where = Buffer.alloc(14)
    where.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02\x0a\x00', 'latin1'), about, where, Buffer.from(name, 'ascii'))
    parts.push(...local)
    offset += local.reduce((sum, { length }) => sum + length, 0)
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  )
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, ...directory, end])
}
