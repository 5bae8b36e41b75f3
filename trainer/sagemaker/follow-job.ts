// Following a training job: its states, its log as it is written, its measures, and why it failed.
import { setTimeout } from 'node:timers/promises'
import { type CloudWatchLogsClient, DescribeLogStreamsCommand, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { DescribeTrainingJobCommand, type DescribeTrainingJobResponse } from '@aws-sdk/client-sagemaker'
import type { Clients } from './clients.ts'

const logGroup = '/aws/sagemaker/TrainingJobs'
const everyMs = 5000

/** Prints what a job does until it has ended, and gives its last description; undefined where `signal` stops the watching. */
export async function followJob(
  { sagemaker, logs }: Pick<Clients, 'sagemaker' | 'logs'>,
  name: string,
  signal: AbortSignal,
): Promise<DescribeTrainingJobResponse | undefined> {
  const readLog = logReader(logs, name)
  let [transitions, ended] = [0, false]
  while (!signal.aborted) {
    const job = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }))
    const all = job.SecondaryStatusTransitions ?? []
    for (const { Status, StatusMessage } of all.slice(transitions))
      console.log(`${clock()} ${Status}${StatusMessage ? `: ${StatusMessage}` : ''}`)
    transitions = all.length
    await readLog()
    // Once more after the end: the log comes a little later.
    if (ended) return job
    ended = ['Completed', 'Failed', 'Stopped'].includes(job.TrainingJobStatus ?? '')
    await setTimeout(everyMs, undefined, { signal }).catch(() => {})
  }
  return undefined
}

const clock = () => new Date().toISOString().slice(11, 19)

/** Prints what is new in the job's log streams; an interrupted spot job has more than one. */
function logReader(logs: CloudWatchLogsClient, name: string): () => Promise<void> {
  const places = new Map<string, string | undefined>()
  return async () => {
    try {
      const request = { logGroupName: logGroup, logStreamNamePrefix: `${name}/` }
      const { logStreams = [] } = await logs.send(new DescribeLogStreamsCommand(request))
      for (const { logStreamName: stream } of logStreams) {
        for (;;) {
          const before = places.get(stream!)
          const page = await logs.send(
            new GetLogEventsCommand({
              logGroupName: logGroup,
              logStreamName: stream!,
              startFromHead: true,
              ...(before && { nextToken: before }),
            }),
          )
          for (const { message } of page.events ?? []) console.log(`  ${message}`)
          places.set(stream!, page.nextForwardToken)
          if (page.nextForwardToken === before || page.events?.length === 0) break
        }
      }
    } catch (error) {
      // The group and the stream are made when the container has said something.
      if ((error as Error).name !== 'ResourceNotFoundException') throw error
    }
  }
}
