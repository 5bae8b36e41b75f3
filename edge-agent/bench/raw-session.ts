// The bundle alone, as fast as it goes: a process that answers each line, a number of seconds, with the milliseconds of
// each call.  node raw-session.js BUNDLE BATCH
import { createInterface } from 'node:readline'
import { loadBundle } from '../../deploy/run-bundle.ts'

const [dir = '', batch = '1'] = process.argv.slice(2)
const { manifest, serve } = await loadBundle(dir)
const n = Number(batch)
const { width, height } = manifest.input
// Not all of one value, though no kernel is known to care.
const pictures = Uint8Array.from({ length: n * width * height * 3 }, (_, i) => (i * 7919) % 251)
for (let i = 0; i < 3; i++) serve(pictures, n)
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const ms: number[] = []
  const end = performance.now() + 1000 * Number(line)
  while (performance.now() < end) {
    const began = performance.now()
    serve(pictures, n)
    ms.push(performance.now() - began)
  }
  console.log(JSON.stringify(ms))
}
