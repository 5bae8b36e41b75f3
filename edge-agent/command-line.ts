// The command line, and the help that teaches it.
import { settings } from './settings/config-keys.ts'
import { ConfigError } from './settings/read-config.ts'

export interface Command {
  help: boolean
  file: string | undefined
  /** Settings given as flags. */
  flags: string[]
}

/** Takes the command line apart; what it does not know is left for the settings to accept or refuse. */
export function readCommand(words: readonly string[]): Command {
  const command: Command = { help: false, file: undefined, flags: [] }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--help' || word === '-h') command.help = true
    else if (word === '--config' || word === '-c') command.file = words[++i] ?? ''
    else if (word.startsWith('--config=')) command.file = word.slice('--config='.length)
    else command.flags.push(word)
  }
  return command
}

/** What the agent's program does beside running cameras, by its first argument. Loaded when it is asked for. */
const commands: Record<string, (args: string[]) => Promise<void>> = {
  check: async (args) => (await import('./settings/check.ts')).check(args),
  'export-frames': async (args) => (await import('./collect/export-frames.ts')).exportFrames(args),
  replay: async (args) => (await import('./replay/replay.ts')).replay(args),
  'verify-image': async (args) => (await import('./update/verify-image.ts')).verifyImage(args),
  user: async (args) => (await import('./serve/credentials.ts')).makeCredential('user', args),
  token: async (args) => (await import('./serve/credentials.ts')).makeCredential('token', args),
}

/** Those of them that have a help of their own; --help of the others is the agent's. */
const withOwnHelp = ['replay', 'export-frames']

/** Does what the words ask for: `run` the agent, or something beside it. Sets the exit code: 1 for an error, 2 for wrong settings. */
export function dispatch(words: string[], run: (command: Command) => Promise<void>): void {
  const other = commands[words[0] ?? '']
  const command = readCommand(words)
  if (command.help && !withOwnHelp.includes(words[0] ?? '')) return void console.log(help)
  const work = other ? other(words.slice(1)) : run(command)
  work.catch((error: Error) => {
    const beside = other || error instanceof ConfigError
    console.error(beside ? error.message : `The agent cannot start: ${error.message}`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  })
}

const width = Math.max(...settings.map(({ flag }) => flag.length))

const help = `Roadmask edge agent: cameras in, road masks out by MQTT and WebSocket, and a page to watch them.

  npm run agent                                   plays the demo drive
  npm run agent -- --source rtsp://HOST/PATH      one camera, the rest by default
  npm run agent -- --config FILE                  settings from a YAML file
  npm run agent -- check FILE                     what these settings would run, and whether they are right (exit code 0, or 2)
  npm run agent -- replay --help                  a video, pictures or a recording through a bundle, for regression tests
  npm run agent -- export-frames --help           hard frames of this device as a labelling job's input
  npm run agent -- user NAME --role operator      the config's line for somebody with a password (or --role viewer)
  npm run agent -- token NAME --role viewer       the same for a program, with an API token

The smallest file:

  device: jetson01
  mqtt: { url: mqtt://127.0.0.1:1883, prefix: roadmask }   # left out: a broker inside the agent
  bundle: path/to/bundle                                   # left out: the one that comes with it
  cameras:
    - name: front
      source: test     # test | demo | file:PATH | rtsp://… | v4l2:/dev/video0 | csi:0 | gst:PIPELINE TEXT

deploy/agent.example.yaml explains every key. File < environment < flags:

  ${'--source SOURCE'.padEnd(width)}   ROADMASK_SOURCE
${settings.map(({ flag, variable }) => `  ${flag.padEnd(width)}   ${variable}`).join('\n')}

Masks go to <mqtt.prefix>/<device>/<camera>/mask as PNG, their facts to …/result as JSON; SIGTERM ends it cleanly.`
