// A thread that renders one world after another and answers with the count of pictures.
import { parentPort } from 'node:worker_threads'
import { renderWorld, type WorldJob } from './render-world.ts'

parentPort?.on('message', async (job: WorldJob) => {
  parentPort?.postMessage(await renderWorld(job))
})
