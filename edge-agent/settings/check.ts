// npm run agent -- check FILE: what the agent would run, what is unwise about it and what cannot work. Files are looked for;
// streams and the broker are not asked, and the model is not loaded.
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { openBundle } from '../../deploy/bundle.ts'
import { sourceFault } from '../capture/source-fault.ts'
import { readCommand } from '../command-line.ts'
import { recordingsFolder } from '../record/recorder.ts'
import { stateFolder } from '../state.ts'
import { topics } from '../wire.ts'
import type { Config } from './config.ts'
import { ConfigError } from './read-config.ts'
import { withoutSecrets } from './redact.ts'
import { readSettings, settingsPlace } from './settings-file.ts'
import { warningsOf } from './warnings.ts'

/** Exit code 2 where the agent would not run so, as at its start. */
export async function check(words: string[]): Promise<void> {
  const { file, flags } = readCommand(words[0] && !words[0].startsWith('-') ? ['--config', ...words] : words)
  try {
    const place = settingsPlace(file, process.env, flags)
    const config = await readSettings(place, process.env, flags)
    const [faults, model] = await faultsOf(config)
    for (const [what, text] of plan(config, model)) console.log(`${what.padEnd(12)}${text}`)
    for (const warning of warningsOf(config, place.path)) console.log(`warning     ${warning}`)
    if (!faults.length) return console.log('The settings are right.')
    throw new ConfigError(faults.join('\n'))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    process.exitCode = 2
  }
}

/** What the agent would run: lines of a word and a text. */
function plan(config: Config, model: string): [string, string][] {
  const { device, mqtt, broker, http, cameras, compute, outbox, gps, record, collect, access } = config
  const { status } = topics(mqtt.prefix, device).camera('<camera>')
  const overlays = mqtt.overlays_per_minute ? `, ${mqtt.overlays_per_minute} overlays a minute` : ''
  const rates = `${mqtt.masks_per_second} masks and ${mqtt.results_per_second} results a second of each camera${overlays}`
  const who = mqtt.username === undefined ? '' : ` as ${mqtt.username}`
  const at = (host: string, port: number | undefined, usual: number) =>
    port === undefined ? `${host}, port ${usual} or the next free one` : `${host}, ${port ? `port ${port}` : 'any free port'}`
  const state = stateFolder(config, process.env)
  const recorded = `${record.pictures ? 'masks, facts and pictures' : 'masks and facts'} in ${recordingsFolder(config, state)}`
  const lines: [string, string | false | undefined][] = [
    ['model', `${model}, computes on ${compute === 'auto' ? 'what TensorFlow finds' : compute}`],
    ...cameras.map(({ name, source, enabled }): [string, string] => [
      'camera',
      `${name}: ${withoutSecrets(source)}${enabled ? '' : ' (switched off)'}`,
    ]),
    ['topics', status.replace(/status$/, '…')],
    ['mqtt', mqtt.url ? `${withoutSecrets(mqtt.url)}${who}` : `a broker of its own on ${at(broker.host, broker.port, 1883)}`],
    ['', rates],
    ['', mqtt.home_assistant && `discovery for Home Assistant below ${mqtt.home_assistant}/`],
    ['outbox', `events and states, up to ${outbox.max_mib} MiB and ${outbox.max_days} days`],
    ['page', `${at(http.host, http.port, 8080)}${http.cert ? ', TLS' : ''}`],
    ['access', [...access.users, ...access.tokens].map(({ name, role }) => `${name} (${role})`).join(', ')],
    ['gps', gps && `gpsd on ${gps.host}, port ${gps.port}`],
    ['record', record.enabled && `${recorded}, up to ${record.max_mib} MiB and ${record.max_hours} hours`],
    ['collect', collect.enabled && `${collect.per_day} hard frames a day of each reason, up to ${collect.max_mib} MiB`],
    ['state', state],
  ]
  return lines.filter((line): line is [string, string] => Boolean(line[1]))
}

/** What will not work, and the model in words. */
async function faultsOf({ bundle, cameras, mqtt, http }: Config): Promise<[string[], string]> {
  const faults: string[] = []
  const model = await openBundle(bundle).then(
    ({ manifest: { name, input, classes } }) =>
      `${name}, ${input.width} x ${input.height}, ${classes.map((each) => each.name).join(', ')}`,
    (error: Error) => {
      faults.push(error.message)
      return bundle
    },
  )
  for (const { name, source } of cameras) {
    const fault = await sourceFault(source)
    if (fault) faults.push(`Camera ${name}: ${fault}`)
  }
  const files = {
    'mqtt.ca': mqtt.ca,
    'mqtt.cert': mqtt.cert,
    'mqtt.key': mqtt.key,
    'http.cert': http.cert,
    'http.key': http.key,
  }
  for (const [key, path] of Object.entries(files)) {
    const fault = path && (await access(path, constants.R_OK).catch((error: Error) => error))
    if (fault) faults.push(`"${key}" cannot be read: ${fault.message}`)
  }
  return [faults, model]
}
