// What is unwise about settings that are right: said by `check` and at every start.
import { readFileSync } from 'node:fs'
import { isLoopback } from '../serve/access.ts'
import { type Config, usesTls } from './config.ts'
import { withoutSecrets } from './redact.ts'
import { readableByAll } from './secrets.ts'

/** One sentence each. `file`: where the settings were read, if anywhere. */
export const warningsOf = (config: Config, file: string | undefined): string[] => [
  ...unencrypted(config),
  ...readable(config, file),
]

/** Passwords that cross the network for all to read. */
function unencrypted({ mqtt, broker, http }: Config): string[] {
  const warnings: string[] = []
  const plain = mqtt.url && mqtt.password !== undefined && !usesTls(mqtt.url)
  if (plain && !isLoopback(new URL(mqtt.url!).hostname.replace(/^\[|\]$/g, '')))
    warnings.push(`"mqtt.url" is ${withoutSecrets(mqtt.url!)}: the password crosses the network unencrypted; mqtts:// encrypts`)
  if (!mqtt.url && !isLoopback(broker.host))
    warnings.push(`"broker.host" is ${broker.host}: passwords cross the network unencrypted; a broker of its own can use TLS`)
  if (!isLoopback(http.host) && !http.cert)
    warnings.push(`"http.host" is ${http.host} without "http.cert": passwords and pictures cross the network unencrypted`)
  return warnings
}

/** Secrets that everybody on this machine may read. */
function readable({ mqtt, http, cameras }: Config, file: string | undefined): string[] {
  const secrets = [mqtt.password_file, mqtt.key, http.key, ...cameras.map(({ password_file }) => password_file)]
  const warnings = secrets
    .filter((path) => path !== undefined)
    .filter(readableByAll)
    .map((path) => `${path} is a secret that everybody on this machine can read: chmod o-r ${path}`)
  if (!file || !readableByAll(file)) return warnings
  const text = readFileSync(file, 'utf8')
  const holds = withoutSecrets(text) !== text || (mqtt.password !== undefined && text.includes(mqtt.password))
  if (holds) warnings.push(`${file} holds a password and everybody on this machine can read it: chmod o-r ${file}`)
  return warnings
}
