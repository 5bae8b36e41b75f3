// The request for a training job.
import type { CreateTrainingJobRequest, TrainingInstanceType } from '@aws-sdk/client-sagemaker'
import { below, type Place, uriOf } from '../../deploy/s3.ts'
import { metricDefinitions } from './metrics.ts'

export interface Job {
  name: string
  image: string
  role: string
  instance: string
  /** Options of the trainer by name. */
  options: Record<string, string>
  /** Channel -> where its objects lie. */
  channels: Record<string, Place>
  output: Place
  spot: boolean
  hours: number
  volumeGigabytes: number
}

/** SageMaker's own longest value of a hyper-parameter, in characters. */
const longestValue = 2500

/** CreateTrainingJob's request. Throws where an option is too long for it. */
export function jobRequest(job: Job): CreateTrainingJobRequest {
  for (const [name, value] of Object.entries(job.options))
    if (value.length > longestValue)
      throw new Error(`--${name}: expected ${longestValue} characters at most, as SageMaker takes, found ${value.length}`)
  const seconds = Math.round(3600 * job.hours)
  return {
    TrainingJobName: job.name,
    RoleArn: job.role,
    AlgorithmSpecification: { TrainingImage: job.image, TrainingInputMode: 'File', MetricDefinitions: metricDefinitions },
    HyperParameters: job.options,
    InputDataConfig: Object.entries(job.channels).map(([ChannelName, place]) => ({
      ChannelName,
      DataSource: {
        // The slash: without it, everything whose name begins so would come too.
        S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `${uriOf(place)}/`, S3DataDistributionType: 'FullyReplicated' },
      },
    })),
    OutputDataConfig: { S3OutputPath: uriOf(below(job.output, 'jobs')) },
    // Of its own, so that an interrupted job finds its own checkpoints and no other's.
    CheckpointConfig: { S3Uri: uriOf(below(job.output, 'checkpoints', job.name)) },
    ResourceConfig: {
      InstanceType: job.instance as TrainingInstanceType,
      InstanceCount: 1,
      VolumeSizeInGB: job.volumeGigabytes,
    },
    EnableManagedSpotTraining: job.spot,
    // Of a spot job, waiting counts too: as long again.
    StoppingCondition: { MaxRuntimeInSeconds: seconds, ...(job.spot && { MaxWaitTimeInSeconds: 2 * seconds }) },
  }
}
