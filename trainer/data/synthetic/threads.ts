// Work shared out to threads, each of which takes one job after another.
import { parentPort, Worker } from 'node:worker_threads'

/**
 * Runs `script` in `count` threads and hands each a job whenever it has answered the last. `onAnswer` is called once a
 * job, in the order in which they end. The first error ends all threads and is thrown.
 */
export async function runInThreads<Job, Answer>(
  script: URL,
  jobs: Job[],
  count: number,
  onAnswer: (answer: Answer, job: Job) => void | Promise<void>,
): Promise<void> {
  const waiting = [...jobs]
  const threads: Worker[] = []
  const run = () =>
    new Promise<void>((resolve, reject) => {
      // Flags of this process such as --input-type are not meant for a thread's script.
      const thread = new Worker(script, { execArgv: ['--enable-source-maps'] })
      threads.push(thread)
      let job = waiting.shift()
      thread.on('message', async (answer: Answer) => {
        try {
          await onAnswer(answer, job!)
          job = waiting.shift()
          if (job === undefined) resolve()
          else thread.postMessage(job)
        } catch (error) {
          reject(error)
        }
      })
      thread.on('error', reject)
      thread.on('exit', (code) => reject(new Error(`A rendering thread ended with code ${code} before its work was done`)))
      thread.postMessage(job)
    })
  try {
    await Promise.all(Array.from({ length: Math.min(count, jobs.length) }, run))
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()))
  }
}

/** The other side: answers each job of `runInThreads`. */
export function answerJobs<Job, Answer>(work: (job: Job) => Promise<Answer>): void {
  parentPort?.on('message', async (job: Job) => {
    parentPort?.postMessage(await work(job))
  })
}
