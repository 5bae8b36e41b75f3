// Fetching published weights, from a server of our own that breaks off as networks do.
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fetchFile } from '../../../trainer/transfer/fetch.ts'

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251))
const md5 = createHash('md5').update(content).digest('hex')

let dir: string
let server: Server
let url: string
/** The range that each request asked for. */
let asked: (string | undefined)[]
/** Of a request, how many bytes it gets before the connection ends; all where there is nothing. */
let breaks: number[]
let ranges: boolean

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-fetch-'))
  ;[asked, breaks, ranges] = [[], [], true]
  server = createServer((request, response) => {
    asked.push(request.headers.range)
    if (request.url !== '/weights.h5') return response.writeHead(404).end()
    const from = ranges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0
    if (from >= content.length) return response.writeHead(416).end()
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from })
    const end = breaks.shift()
    if (end === undefined) return response.end(content.subarray(from))
    response.write(content.subarray(from, from + end), () => setTimeout(() => response.destroy(), 50))
    return response
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights.h5`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  await rm(dir, { recursive: true, force: true })
})

const file = () => join(dir, 'vgg16', 'weights.h5')

it('goes on where it broke off, and fetches nothing twice', async () => {
  breaks = [100_000, 70_000]
  expect(await fetchFile(url, file(), md5, [1, 1, 1])).toBe(file())
  expect(await readFile(file())).toEqual(content)
  expect(asked).toEqual([undefined, 'bytes=100000-', 'bytes=170000-'])
  await fetchFile(url, file(), md5)
  expect(asked).toHaveLength(3)
  expect(await readdir(join(dir, 'vgg16'))).toEqual(['weights.h5'])
})

it('begins again where the server knows no ranges', async () => {
  breaks = [100_000]
  ranges = false
  await fetchFile(url, file(), md5, [1])
  expect(await readFile(file())).toEqual(content)
})

it('gives up after some attempts, keeps what it has for another time, and says what to do', async () => {
  breaks = [1000, 1000, 1000]
  await expect(fetchFile(url, file(), md5, [1, 1])).rejects.toThrow(/cannot be fetched .*--vgg16 FILE/)
  expect(asked).toHaveLength(3)
  expect(await readdir(join(dir, 'vgg16'))).toEqual(['weights.h5.part'])
  await fetchFile(url, file(), md5)
  expect(asked.at(-1)).toBe('bytes=3000-')
  expect(await readFile(file())).toEqual(content)
})

it('keeps nothing that has another hash', async () => {
  await expect(fetchFile(url, file(), '0'.repeat(32))).rejects.toThrow(`MD5 hash ${'0'.repeat(32)}, found ${md5}`)
  expect(await readdir(join(dir, 'vgg16'))).toEqual([])
})

it('does not try again what the server refuses', async () => {
  await expect(fetchFile(`${url}x`, file(), md5, [1, 1])).rejects.toThrow(/the server says 404 Not Found/)
  expect(asked).toHaveLength(1)
})
