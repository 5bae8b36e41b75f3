// A bundle's answers in the tfjs-node that lies nearest: a child process of the compat command, once for each TensorFlow.
// answer.js BUNDLE PICTURES OUT: see answer.py.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-node-gpu'
import type { NodeJSKernelBackend } from '@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js'
import { loadBundle } from '../run-bundle.ts'

const [dir, file, out] = process.argv.slice(2) as [string, string, string]
const bundle = await loadBundle(dir)
const pictures = new Uint8Array(await readFile(file))
await writeFile(join(out, 'mask'), bundle.serve(pictures, 2).masks)
await writeFile(join(out, 'probability'), bundle.score(pictures, 2))
bundle.dispose()
console.log((tf.backend() as NodeJSKernelBackend).binding.TF_Version)
