// The request for a Ground Truth job in which people adjust masks, and the two files that it names.
import type { CreateLabelingJobRequest } from '@aws-sdk/client-sagemaker'
import { attribute } from '../../deploy/first-label.ts'
import { type Place, uriOf } from '../../deploy/s3.ts'

/** Accounts of the functions that AWS runs before and after the work, by region: API reference of CreateLabelingJob, HumanTaskConfig. */
const accounts: Record<string, string> = {
  'ap-northeast-1': '477331159723',
  'ap-northeast-2': '845288260483',
  'ap-south-1': '565803892007',
  'ap-southeast-1': '377565633583',
  'ap-southeast-2': '454466003867',
  'ca-central-1': '918755190332',
  'eu-central-1': '203001061592',
  'eu-west-1': '568282634449',
  'eu-west-2': '487402164563',
  'us-east-1': '432418664414',
  'us-east-2': '266458841044',
  'us-west-2': '081040173940',
}

export interface Labelling {
  name: string
  role: string
  workteam: string
  region: string
  manifest: Place
  categories: Place
  template: Place
  output: Place
}

const hour = 3600

/** CreateLabelingJob's request. Throws where Ground Truth is not known to be in the region. */
export function labellingRequest(job: Labelling): CreateLabelingJobRequest {
  const account = accounts[job.region]
  if (!account)
    throw new Error(
      `--region: expected a region of Ground Truth, one of ${Object.keys(accounts).join(', ')}, found ${job.region}`,
    )
  const lambda = (stage: 'PRE' | 'ACS') =>
    `arn:aws:lambda:${job.region}:${account}:function:${stage}-AdjustmentSemanticSegmentation`
  return {
    LabelingJobName: job.name,
    LabelAttributeName: `adjusted-${attribute}`,
    InputConfig: { DataSource: { S3DataSource: { ManifestS3Uri: uriOf(job.manifest) } } },
    OutputConfig: { S3OutputPath: uriOf(job.output) },
    RoleArn: job.role,
    LabelCategoryConfigS3Uri: uriOf(job.categories),
    HumanTaskConfig: {
      WorkteamArn: job.workteam,
      UiConfig: { UiTemplateS3Uri: uriOf(job.template) },
      PreHumanTaskLambdaArn: lambda('PRE'),
      TaskTitle: 'Correct the mask of the road',
      TaskDescription: 'A model has marked the road in this picture. Correct what it has missed or marked wrongly.',
      NumberOfHumanWorkersPerDataObject: 1,
      TaskTimeLimitInSeconds: hour,
      TaskAvailabilityLifetimeInSeconds: 10 * 24 * hour,
      AnnotationConsolidationConfig: { AnnotationConsolidationLambdaArn: lambda('ACS') },
    },
  }
}

/** What the people see: a Liquid template with the crowd element for segmentation, which begins with our mask. */
export const template = `<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation
    name="crowd-semantic-segmentation"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Correct the mask of the road"
    labels="{{ task.input.labels | to_json | escape }}"
    initial-value='{
      "src": "{{ task.input.manifestLine["${attribute}"] | grant_read_access }}",
      "labelMappings": {
        {% assign comma = "" %}
        {% for class in task.input.manifestLine["${attribute}-metadata"]["internal-color-map"] %}
          {% if class[1]["class-name"] != "BACKGROUND" %}
            {{ comma }} {{ class[1]["class-name"] | to_json | escape }}: { "color": {{ class[1]["hex-color"] | to_json | escape }} }
            {% assign comma = "," %}
          {% endif %}
        {% endfor %}
      }
    }'
  >
    <full-instructions header="What is road">
      <p>A model has marked the road. Paint what it has missed and erase what is none.</p>
      <p>Road is what vehicles drive on, with its markings and shadows; kerbs, pavements, grass and vehicles are not.</p>
    </full-instructions>
    <short-instructions>
      <p>Correct the edge of the road and whatever is marked wrongly. Leave a mask that is right as it is.</p>
    </short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
`
