// HTTP: the page, health, the API and the WebSocket's door. Reads what is known now and changes nothing.
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import type { Config } from '../config.ts'
import type { Known } from '../known.ts'
import type { SocketOutput } from '../publish/websocket.ts'
import { refuse } from './guard.ts'
import { listen } from './listen.ts'
import { servePage } from './page.ts'

export interface Site {
  url: string
  port: number
  close(): Promise<void>
}

/** Opens the site on the configured port, or on the next free one from 8080. */
export async function openSite({ host, port, names }: Config['http'], known: Known, sockets: SocketOutput): Promise<Site> {
  const site = new Hono()
  site.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'blob:', 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'self'"],
      },
      strictTransportSecurity: false, // plain HTTP; whoever puts TLS in front says this
      referrerPolicy: 'no-referrer',
    }),
  )
  site.use(async (context, next) => {
    const refusal = refuse({ host: context.req.header('host'), origin: context.req.header('origin') }, names)
    if (refusal) return context.text(refusal.reason, refusal.status)
    return next()
  })

  site.get('/healthz', (context) => context.json({ ok: true }))
  site.get('/readyz', (context) => {
    const cameras = Object.fromEntries(known.statuses().map(({ camera, state, reason }) => [camera, { state, reason }]))
    const model = known.modelReady()
    const ready = model && known.statuses().some(({ state }) => state !== 'offline')
    return context.json({ ready, model: model ? 'ready' : 'loading', cameras }, ready ? 200 : 503)
  })
  site.get('/api/cameras', (context) =>
    context.json(known.statuses().map((status) => ({ ...status, result: known.latest(status.camera)?.result ?? null }))),
  )
  site.get('/api/stats', async (context) => context.json(await known.stats()))
  site.get('/api/cameras/:name/:file{mask\\.png|picture\\.jpg}', (context) => {
    const { name, file } = context.req.param()
    const bytes = file === 'mask.png' ? known.latest(name)?.mask : known.picture(name)
    if (!known.statuses().some(({ camera }) => camera === name)) return context.text(`There is no camera ${name}`, 404)
    if (!bytes) return context.text(`Camera ${name} has given no ${file === 'mask.png' ? 'mask' : 'picture'} yet`, 404)
    const type = file === 'mask.png' ? 'image/png' : 'image/jpeg'
    return context.body(new Uint8Array(bytes), 200, { 'content-type': type, 'cache-control': 'no-store' })
  })
  servePage(site)
  site.notFound((context) => context.text('Not found', 404))

  const server = createServer(getRequestListener(site.fetch))
  server.on('upgrade', (request, socket, head) => {
    // Node listens no longer on a socket that asks for an upgrade; one that breaks must not take the agent with it.
    socket.on('error', () => socket.destroy())
    const refusal = refuse(request.headers, names)
    const path = (request.url ?? '').split('?')[0]
    if (!refusal && path === '/ws') return sockets.upgrade(request, socket, head)
    const status = refusal
      ? `${refusal.status} ${refusal.status === 403 ? 'Forbidden' : 'Misdirected Request'}`
      : '404 Not Found'
    const body = refusal?.reason ?? 'The WebSocket is at /ws'
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  })
  const { reach, port: taken } = await listen(server, { host, port, from: 8080, setting: 'http.port' })
  return {
    url: `http://${reach}:${taken}/`,
    port: taken,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
