// Who takes connections and does nothing with them, over real sockets.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, expect, test } from 'vitest'
import { type MadeSite, openMadeSite } from './made-site.ts'

const dir = mkdtempSync(join(tmpdir(), 'roadmask-'))
let made: MadeSite
let clients: Socket[] = []
afterEach(async () => {
  for (const client of clients) client.destroy()
  clients = []
  await made.close()
})
afterAll(() => rmSync(dir, { recursive: true }))

/** Clients that send a line and then a letter every now and then, and never come to an end. */
async function crowd(count: number, line: string) {
  for (let i = 0; i < count; i++) {
    const client = connect(made.site.port, '127.0.0.1').on('error', () => {})
    clients.push(client)
    await once(client, 'connect')
    client.write(line)
  }
}
const left = () => clients.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded)

test('three hundred that never finish a request leave room for one who does, and end within seconds', async () => {
  made = await openMadeSite()
  await crowd(300, 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
  const drip = setInterval(() => clients.forEach((client) => void client.write('a')), 200)
  const [last] = clients.slice(-1)
  const answer = text(last!)
  expect((await made.ask('healthz')).status).toBe(200)
  await expect.poll(() => left().length).toBeLessThanOrEqual(256)
  await expect.poll(() => left().length, { timeout: 30_000 }).toBe(0)
  clearInterval(drip)
  expect(await answer).toMatch(/^HTTP\/1\.1 408 /)
}, 40_000)

test('bodies that never come leave room too, and so do connections that are kept alive', async () => {
  made = await openMadeSite()
  const post = 'POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{'
  await crowd(200, post)
  await crowd(100, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect((await made.ask('healthz')).status).toBe(200)
  await expect.poll(() => left().length).toBeLessThanOrEqual(256)
})

test('who watches a stream is not the one that makes place', async () => {
  made = await openMadeSite()
  const watching = connect(made.site.port, '127.0.0.1')
  clients.push(watching)
  watching.write('GET /api/cameras/front/picture.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(watching, 'data')
  await crowd(300, 'GET')
  await expect.poll(() => left().length).toBeLessThanOrEqual(256)
  expect(watching.destroyed || watching.readableEnded).toBe(false)
})

test('under TLS it is the same for those who never say a word', async () => {
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const subject = ['-nodes', '-subj', '/CN=localhost', '-keyout', files.key, '-out', files.cert]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', ...subject], {
    stdio: 'ignore',
  })
  made = await openMadeSite(`http: { cert: ${files.cert}, key: ${files.key} }`)
  await crowd(300, '\x16')
  const agent = new Agent({ rejectUnauthorized: false })
  const [response] = await once(request(new URL('healthz', made.site.url), { agent }).end(), 'response')
  expect(response.statusCode).toBe(200)
  await expect.poll(() => left().length).toBeLessThanOrEqual(256)
})
