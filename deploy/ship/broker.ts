// The broker of a fleet, as the commands reach it: the same options for all.
import { readFileSync } from 'node:fs'
import { connectAsync, type MqttClient } from 'mqtt'

export const brokerOptions = {
  broker: { type: 'string' },
  prefix: { type: 'string', default: 'roadmask' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
} as const

export const brokerHelp = `--broker URL           mqtt://HOST:1883 or mqtts://HOST:8883; may also stand in ROADMASK_MQTT_URL
--prefix TOPIC         as in the devices' "mqtt.prefix"; default: roadmask
--username NAME        with --password-file FILE, or the password in ROADMASK_MQTT_PASSWORD
--ca, --cert, --key    PEM files: the broker's authority, a certificate of one's own and its key`

export type BrokerValues = {
  [Name in keyof typeof brokerOptions]?: string | undefined
}

const patienceMs = 15_000

/** Connects; with `stays` again whenever the connection is lost. Throws what is wrong, without the password. */
export async function openBroker(values: BrokerValues, stays = false): Promise<MqttClient> {
  const url = values.broker ?? process.env.ROADMASK_MQTT_URL
  if (!url || !/^(mqtts?|wss?):\/\/./.test(url))
    throw new Error(
      `--broker or ROADMASK_MQTT_URL: expected an address such as mqtts://broker.example.com:8883, found ${url ?? 'none'}`,
    )
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
  const password = read(values['password-file'])?.toString().trim() ?? process.env.ROADMASK_MQTT_PASSWORD
  const [ca, cert, key] = [values.ca, values.cert, values.key].map(read)
  try {
    const client = await connectAsync(
      url,
      {
        protocolVersion: 4, // every broker has it, and nothing of 5 is needed
        connectTimeout: patienceMs,
        reconnectPeriod: stays ? 2000 : 0,
        ...(values.username !== undefined && { username: values.username }),
        ...(password !== undefined && { password }),
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
      },
      false,
    )
    if (stays) client.on('error', () => {}) // `close` follows, and the next try
    return client
  } catch (cause) {
    const { host } = new URL(url)
    throw new Error(`The broker ${host} cannot be reached: ${(cause as Error).message || 'no connection'}`, { cause })
  }
}
