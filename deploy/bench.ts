// npm run bench -- WHAT: the benchmark of the room that it is about.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const programs: Record<string, string> = { agent: 'edge-agent', page: 'edge-agent', inference: 'trainer', training: 'trainer' }
const help = `npm run bench -- agent|page|inference|training [options]

  agent        the whole agent beside the bundle alone, and beside an agent in Python
  page         the agent's page in Chromium with 1, 4 and 16 cameras
  inference    the exported network beside Keras, tfjs, OpenVINO and ONNX Runtime
  training     a training step beside Keras, tfjs and PyTorch

npm run bench -- WHAT --help has the options of each.`

const [what = '', ...options] = process.argv.slice(2)
const room = programs[what]
if (room) {
  const program = join(import.meta.dirname, `../${room}/bench/${what === 'page' ? 'page' : 'bench'}.js`)
  const args = room === 'trainer' ? [what, ...options] : options
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', program, ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} else if (what === '--help' || what === '-h') console.log(help)
else {
  console.error(`Expected ${Object.keys(programs).join(', ')}, found ${what || 'nothing'}\n\n${help}`)
  process.exitCode = 1
}
