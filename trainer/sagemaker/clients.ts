// The clients of AWS. Region and credentials are found as every AWS tool finds them.
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { S3Client } from '@aws-sdk/client-s3'
import { SageMakerClient } from '@aws-sdk/client-sagemaker'
import { openS3 } from '../../deploy/s3.ts'

export interface Clients {
  s3: S3Client
  sagemaker: SageMakerClient
  logs: CloudWatchLogsClient
  region: string
}

/** Opens them. Throws what is missing: a region, or credentials where they will be needed. */
export async function openClients(region: string | undefined, { needed = true } = {}): Promise<Clients> {
  const s3 = await openS3(region, { needed })
  const configuration = { region: await s3.config.region() }
  return { ...configuration, s3, sagemaker: new SageMakerClient(configuration), logs: new CloudWatchLogsClient(configuration) }
}
