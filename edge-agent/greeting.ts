// What a person needs to know once the agent listens: where to look and how to subscribe.
import { createSocket } from 'node:dgram'
import { existsSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import type { Log } from './log.ts'
import type { Access } from './serve/access.ts'
import type { Site } from './serve/site.ts'
import type { Config } from './settings/config.ts'
import { withoutSecrets } from './settings/redact.ts'
import { warningsOf } from './settings/warnings.ts'

export interface Places {
  page: Site
  /** Address of the broker that is used. */
  broker: string
  model: string
  access: Access
  /** The config file, which need not be there. */
  file: string
}

/** Says where everything is: as text on a terminal, as one log line elsewhere. */
export async function greet(log: Log, config: Config, places: Places): Promise<void> {
  const { page, model, access, file } = places
  const { prefix } = config.mqtt
  const url = await openable(page.url, config.http.host)
  const broker = config.mqtt.url ?? (await openable(places.broker, config.broker.host))
  const { hostname: host, port, protocol } = new URL(broker)
  const defaultPort = /^(mqtts|ssl|tls):$/.test(protocol) ? '8883' : '1883'
  const subscribe = `mosquitto_sub -h ${host || hostname()} -p ${port || defaultPort} -t '${prefix}/${config.device}/+/result'`
  const mqtt = `${withoutSecrets(broker)}${config.mqtt.url ? '' : " (the agent's own broker)"}`
  if (config.http.port === undefined && page.port !== 8080) log.info(`port 8080 is taken; the page is on ${page.port}`)
  if (!config.mqtt.url && config.broker.port === undefined && port !== '1883')
    log.info(`port 1883 is taken; the agent's own broker is on ${port}`)
  for (const warning of warningsOf(config, file)) log.warn(warning)
  // Not by the log, which others may keep.
  if (access.fresh)
    process.stdout.write(`
  Operator token, shown this once:  ${access.fresh}
  Sign in with it on the page, or send it as "Authorization: Bearer …".${config.mqtt.url ? '' : ' It is a password for the own broker too.'}
`)
  if (!process.stdout.isTTY) log.info({ page: url, mqtt, subscribe, model }, 'listening')
  else
    process.stdout.write(`
  Page        ${url}
  MQTT        ${mqtt}
  Subscribe   ${subscribe}
  Model       ${model}
  Settings    ${file}${existsSync(file) ? '' : ' (not there yet)'}

`)
}

/** What listens on every address is opened from elsewhere by the device's own. */
async function openable(url: string, host: string): Promise<string> {
  if (host !== '0.0.0.0' && host !== '::') return url
  const own = new URL(url)
  own.hostname = (await routedAddress()) ?? firstAddress() ?? own.hostname
  return own.href.replace(/\/$/, url.endsWith('/') ? '/' : '')
}

/** The address that goes out by the default route, of the many that a machine with containers has. Sends nothing. */
const routedAddress = () =>
  new Promise<string | undefined>((found) => {
    const socket = createSocket('udp4')
    const end = (address?: string) => socket.close(() => found(address))
    socket.once('connect', () => end(socket.address().address)).once('error', () => end())
    socket.connect(9, '192.0.2.1') // TEST-NET-1, RFC 5737
  })

/** Without a route, as in a closed network. */
const firstAddress = () =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address
