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
  const s3 = openS3(region)
  const configuration = region ? { region } : {}
  const sagemaker = new SageMakerClient(configuration)
  const found = await sagemaker.config.region().catch((cause: unknown) => {
    throw new Error('Expected a region of AWS, found none: name it by --region or AWS_REGION, for example eu-west-1', { cause })
  })
  if (needed)
    await sagemaker.config.credentials().catch((cause: unknown) => {
      throw new Error(
        'Expected credentials of AWS, found none: aws configure or aws sso login, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
        { cause },
      )
    })
  return { sagemaker, s3, logs: new CloudWatchLogsClient(configuration), region: found }
}
