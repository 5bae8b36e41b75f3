// HTTP: the page, health, metrics, the API and the WebSocket, behind one door (door.ts) that everything passes.
import { createServer, STATUS_CODES } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { getRequestListener } from '@hono/node-server'
import { OpenAPIHono } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import type { Bundle } from '../../deploy/bundle.ts'
import type { HardFrames } from '../collect/hard-frames.ts'
import type { History } from '../history/history.ts'
import type { Log } from '../log.ts'
import type { SocketOutput } from '../publish/websocket.ts'
import type { Config } from '../settings/config.ts'
import type { Updates } from '../update/updates.ts'
import { type ApiSurroundings, type Site as App, type SiteEnv, serveApi } from './api.ts'
import { openDoor } from './door.ts'
import { serveHardFrames } from './hard-frames.ts'
import { serveHealth } from './health.ts'
import { serveHistory } from './history.ts'
import { listen } from './listen.ts'
import type { Metrics } from './metrics.ts'
import { serveModel } from './model.ts'
import { serveDocument } from './openapi.ts'
import { servePage } from './page.ts'
import { problem, problemText, problemType } from './problem.ts'
import { keepRoom, patience } from './room.ts'
import { type Setup, serveSetup } from './setup.ts'
import { keepCertificate } from './tls.ts'
import { serveUpdate } from './update.ts'

export interface Site {
  url: string
  port: number
  /** The settings changed while the agent runs. */
  settings(config: Config): void
  close(): Promise<void>
}

export interface SiteSurroundings extends Omit<ApiSurroundings, 'config' | 'hold'> {
  bundle(): Bundle
  sockets: SocketOutput
  metrics: Metrics
  hardFrames: HardFrames
  history: History
  setup: Setup
  updates: Updates
  log: Log
}

const keepAliveMs = 15_000
/** Time to read why a WebSocket was refused. */
const lingerMs = 1000

/** Opens the site on the configured port, or on the next free one from 8080. */
export async function openSite(config: Config, around: SiteSurroundings): Promise<Site> {
  const { known, metrics, access, sockets, log } = around
  const { host, port, names, cert, key } = config.http
  let running = config
  const door = openDoor(access, host, names)
  const site: App = new OpenAPIHono<SiteEnv>({
    defaultHook: (result, context) => {
      if (result.success) return
      const [issue] = result.error.issues
      const at = issue?.path.length ? `"${issue.path.join('.')}": ` : ''
      return problem(400, `${context.req.path}: ${at}${issue?.message}`).getResponse()
    },
  })
  site.onError((error, context) => {
    if (!(error instanceof HTTPException)) log.error(error, 'HTTP')
    if (!(error instanceof HTTPException)) return problem(500, 'The agent failed at this; its log says how').getResponse()
    const found = context.req.header('content-type') ?? 'none'
    const detail = error.status === 415 ? `Expected JSON with "content-type: application/json", found ${found}` : error.message
    return error.res ?? problem(error.status, detail).getResponse()
  })
  site.notFound((context) => problem(404, `There is nothing at ${context.req.path}`).getResponse())

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
      strictTransportSecurity: false, // the same name may serve something else in plain HTTP; whoever owns it says this
      referrerPolicy: 'no-referrer',
    }),
  )
  site.use(async (context, next) => {
    const { person, refused } = door.admit(context.env.incoming, context.req.path)
    if (refused?.status === 401) throw problem(401, refused.detail, { 'www-authenticate': 'Bearer' })
    if (refused) throw problem(refused.status, refused.detail)
    context.set('person', person)
    return next()
  })

  serveHealth(site, known, metrics)
  serveApi(site, { ...around, config: () => running, hold: door.hold })
  serveHardFrames(site, around.hardFrames, (name) => known.statuses().some(({ camera }) => camera === name))
  serveHistory(site, around.history)
  serveSetup(site, around.setup, () => running)
  serveModel(site, around.bundle)
  serveUpdate(site, around.updates)
  serveDocument(site)
  servePage(site)

  const respond = getRequestListener(site.fetch)
  const certificate = cert && key ? await keepCertificate({ cert, key }, log) : undefined
  const options = { ...patience, keepAlive: true, keepAliveInitialDelay: keepAliveMs } // a phone that left the network says no goodbye
  const server = certificate ? createSecureServer({ ...options, ...certificate.now }, respond) : createServer(options, respond)
  if (certificate && 'setSecureContext' in server) certificate.renewed((pair) => server.setSecureContext(pair))
  keepRoom(server)
  server.on('upgrade', (request, socket, head) => {
    // Node listens no longer on a socket that asks for an upgrade; one that breaks must not take the agent with it.
    socket.on('error', () => socket.destroy())
    const path = (request.url ?? '').split('?')[0]!
    const { refused } = door.admit(request, path)
    if (!refused && path === '/ws') {
      door.hold(request, path)
      return sockets.upgrade(request, socket, head)
    }
    const { status, detail } = refused ?? { status: 404, detail: 'The WebSocket is at /ws' }
    const body = problemText(status, detail)
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'connection: close', `content-type: ${problemType}`]
    socket.resume() // else the client's goodbye is not heard
    const gone = () => setTimeout(() => socket.destroy(), lingerMs).unref() // it may say none
    socket.end([...lines, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'), gone)
  })
  const { reach, port: taken } = await listen(server, { host, port, from: 8080, setting: 'http.port' })
  return {
    url: `${certificate ? 'https' : 'http'}://${reach}:${taken}/`,
    port: taken,
    settings(changed) {
      running = changed
    },
    close: () =>
      new Promise((closed) => {
        certificate?.stop()
        door.close()
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
