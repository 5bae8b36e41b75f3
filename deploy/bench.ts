// npm run bench -- WHAT: the benchmark of the room that it is about.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const programs: Record<string, string> = {
  agent: 'edge-agent/bench/bench.js',
  page: 'edge-agent/bench/page.js',
  fleet: 'edge-agent/bench/fleet/bench.js',
  update: 'edge-agent/bench/update.js',
  inference: 'trainer/bench/bench.js',
  training: 'trainer/bench/bench.js',
}
const help = `npm run bench -- agent|page|fleet|update|inference|training [options]

  agent        the whole agent beside the bundle alone, and beside an agent in Python
  page         the agent's page in Chromium with 1, 4 and 16 cameras
  fleet        a thousand light agents and one Mosquitto: a rollout in waves, a broker that restarts
  update       an agent that is killed at every step of an update of its model
  inference    the exported network beside Keras, tfjs, OpenVINO and ONNX Runtime
  training     a training step beside Keras, tfjs and PyTorch

npm run bench -- WHAT --help has the options of each.`

const [what = '', ...options] = process.argv.slice(2)
const program = programs[what]
if (program) {
  const args = program.startsWith('trainer/') ? [what, ...options] : options
  const path = join(import.meta.dirname, '..', program)
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', path, ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} else if (what === '--help' || what === '-h') console.log(help)
else {
  console.error(`Expected ${Object.keys(programs).join(', ')}, found ${what || 'nothing'}\n\n${help}`)
  process.exitCode = 1
}
