// What a person needs to know once the agent listens: where to look and how to subscribe.
import { hostname } from 'node:os'
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
  /** The config file, where there is one. */
  file: string | undefined
}

/** Says where everything is: as text on a terminal, as one log line elsewhere. */
export function greet(log: Log, config: Config, { page, broker, model, access, file }: Places): void {
  const { prefix } = config.mqtt
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
  Sign in with it on the page, send it as "Authorization: Bearer …", or use it as the password for MQTT.
`)
  if (!process.stdout.isTTY) log.info({ page: page.url, mqtt, subscribe, model }, 'listening')
  else
    process.stdout.write(`
  Page        ${page.url}
  MQTT        ${mqtt}
  Subscribe   ${subscribe}
  Model       ${model}

`)
}
