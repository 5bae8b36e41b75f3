// What the training image runs: `train` learns from the folders under /opt/ml, `serve` answers with the model in them.
// SageMaker starts it so; on a workstation and in Kubernetes it is the same.
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import type { RunningBundle } from '../../deploy/run-bundle.ts'
import { mlFolders } from './folders.ts'
import { trainJob } from './train-job.ts'

const folders = mlFolders()
/** Of the failure, what SageMaker shows. */
const shown = 1024

async function train(more: string[]): Promise<void> {
  try {
    process.exitCode = await trainJob(folders, more)
  } catch (error) {
    await mkdir(dirname(folders.failure), { recursive: true })
    await writeFile(folders.failure, (error as Error).message.slice(0, shown))
    throw error
  }
}

async function serve(): Promise<void> {
  const { serveBundle } = await import('./serve-bundle.ts')
  let bundle: RunningBundle | undefined
  const server = serveBundle(() => bundle)
  server.listen(Number(process.env.SAGEMAKER_BIND_TO_PORT ?? 8080))
  await once(server, 'listening')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0))
  // TensorFlow takes a while to load: /ping answers before.
  const { loadBundle } = await import('../../deploy/run-bundle.ts')
  const loaded = await loadBundle(folders.model)
  const { width, height } = loaded.manifest.input
  loaded.serve(new Uint8Array(width * height * 3), 1) // the first call is slow
  bundle = loaded
  console.log(`${loaded.manifest.name} answers on port ${(server.address() as AddressInfo).port}, on the ${loaded.compute}`)
}

async function main([command, ...more]: string[]): Promise<void> {
  if (command === 'train') await train(more)
  else if (command === 'serve') await serve()
  else throw new Error(`Expected train or serve, found ${command ?? 'nothing'}`)
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(`\n${error.message}`)
  process.exit(1)
})
