// A line of a manifest of SageMaker Ground Truth for semantic segmentation: a picture, its label picture, and the colours of
// the label's classes. Whoever reads or writes such lines does it by this file.
// https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html#sms-output-segmentation
import { z } from 'zod'

const Line = z.looseObject({ 'source-ref': z.string().min(1) })
const Metadata = z.looseObject({
  'internal-color-map': z.record(
    z.string(),
    z.looseObject({ 'class-name': z.string().min(1), 'hex-color': z.string().regex(/^#[0-9a-f]{6}$/i, 'expected #rrggbb') }),
  ),
})
const taskType = 'groundtruth/semantic-segmentation'

/** What of a picture is none of the classes; white. */
export const background = { name: 'BACKGROUND', colour: '#ffffff' }

/** A colour of a label picture, 0xrrggbb, and what it means. */
export interface ClassColour {
  code: number
  name: string
}

export interface GroundTruthLine {
  picture: string
  /** Absent where nothing is labelled. */
  label?: { ref: string; attribute: string; colours: ClassColour[]; metadata: unknown }
}

/** The line as text. Labels of a model are valid input to a job in which people adjust them. */
export function formatLine(line: {
  picture: string
  label: string
  /** Ends in -ref. */
  attribute: string
  classes: readonly { name: string; colour: string }[]
  /** Mean probability of what the label says, 0 to 1. */
  confidence: number
  /** Who made the label. */
  job: string
  created: Date
}): string {
  const { picture, label, attribute, classes, confidence, job, created } = line
  const named = [background, ...classes].map(({ name, colour }, id) => [
    id,
    { 'class-name': name, 'hex-color': colour, confidence: Number(confidence.toFixed(3)) },
  ])
  return JSON.stringify({
    'source-ref': picture,
    [attribute]: label,
    [`${attribute}-metadata`]: {
      'internal-color-map': Object.fromEntries(named),
      type: taskType,
      'human-annotated': 'no',
      'creation-date': created.toISOString().replace('Z', '000'),
      'job-name': job,
    },
  })
}

/** Reads a line; of adjusted labels the last adjustment. `where` names it in errors. Throws where it is none. */
export function readLine(line: string, where: string): GroundTruthLine {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (cause) {
    throw new Error(`${where}: expected a JSON object in a line, found ${line.slice(0, 60)}`, { cause })
  }
  const read = Line.safeParse(json)
  if (!read.success) throw new Error(`${where}: expected an object with source-ref, the picture, found ${line.slice(0, 60)}`)
  const { 'source-ref': picture, ...rest } = read.data
  const attribute = Object.keys(rest)
    .filter((key) => key.endsWith('-ref') && isSegmentation(rest[`${key}-metadata`]))
    // Each adjustment puts one more adjusted- in front.
    .sort((a, b) => b.length - a.length)[0]
  if (attribute === undefined) return { picture }
  const [ref, metadata] = [z.string().min(1).safeParse(rest[attribute]), Metadata.safeParse(rest[`${attribute}-metadata`])]
  if (!ref.success) throw new Error(`${where}: expected ${attribute} to be the path of a label picture`)
  if (!metadata.success)
    throw new Error(
      `${where}: expected ${attribute}-metadata to have an internal-color-map with a class-name and a hex-color for each class: ${metadata.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
    )
  const colours = readColours(metadata.data['internal-color-map'], where)
  return { picture, label: { ref: ref.data, attribute, colours, metadata: metadata.data } }
}

const isSegmentation = (metadata: unknown) =>
  typeof metadata === 'object' && metadata !== null && (!('type' in metadata) || metadata.type === taskType)

const codeOf = (hex: string) => Number.parseInt(hex.slice(1), 16)

function readColours(map: z.infer<typeof Metadata>['internal-color-map'], where: string): ClassColour[] {
  const names = new Map<number, string>()
  for (const { 'class-name': name, 'hex-color': hex } of Object.values(map)) {
    const other = names.get(codeOf(hex))
    if (other !== undefined && other !== name)
      throw new Error(`${where}: expected a colour for each class, found ${hex.toLowerCase()} for ${other} and ${name}`)
    names.set(codeOf(hex), name)
  }
  if (!names.has(codeOf(background.colour))) names.set(codeOf(background.colour), background.name)
  return [...names].map(([code, name]) => ({ code, name }))
}
