// GStreamer: its version, the elements the agent can use, and a pipeline that really runs.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DecoderProof } from './decoder-proof.ts'
import type { Finding, Part } from './finding.ts'
import { lastLines, run } from './run.ts'

const words = (text: string) => text.split(' ')

/** By what they are for. Of `needed` all must be there, of the others those that the cameras and the board call for. */
const elements = {
  needed: words(
    'appsink capsfilter decodebin fakesink filesrc gdppay identity queue tee videotestsrc videocrop videoscale videoconvert',
  ),
  sources: words('filesrc videotestsrc rtspsrc v4l2src nvarguscamerasrc'),
  decoders: words('avdec_h264 avdec_h265 v4l2h264dec vah264dec nvh264dec nvv4l2decoder jpegdec nvjpegdec'),
  encoders: words('jpegenc nvjpegenc x264enc'),
  converters: words('videocrop aspectratiocrop videoscale videoconvert nvvidconv'),
}

/** Debian's package of an element, where it is not in the base. */
const packages: Record<string, string> = {
  'gstreamer1.0-plugins-good': 'videocrop rtspsrc v4l2src jpegenc jpegdec aspectratiocrop',
  'gstreamer1.0-plugins-bad': 'gdppay',
  'gstreamer1.0-libav': 'avdec_h264 avdec_h265',
  'gstreamer1.0-plugins-ugly': 'x264enc',
}

export interface GstreamerFacts {
  version: string
  /** Every element doctor knows of, and whether it is here. */
  elements: Record<string, boolean>
  /** Whether a pipeline like the agent's gave pictures. */
  pipelineRuns: boolean
  /** Which elements the agent's pipelines have for the heavy work; an empty text where there is none. */
  chosen: { h264: string; h265: string; jpeg: string; converter: string; encoder: string }
}

const decoders265 = words('nvv4l2decoder nvh265dec vah265dec v4l2slh265dec v4l2h265dec avdec_h265 libde265dec')

/** Lists GStreamer's elements in one go, and runs short pipelines through the addon. `repository` holds the demo drive. */
export async function examineGstreamer(repository: string): Promise<Part<GstreamerFacts>> {
  const program = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  const drive = join(repository, 'edge-agent/demo/drive.mp4')
  const [version, list, proof, decoders] = await Promise.all([
    run('gst-inspect-1.0', ['--version']),
    run('gst-inspect-1.0', [], { timeoutMs: 60_000, env: { LC_ALL: 'C' } }), // the first time, GStreamer looks at all plugins
    run(process.execPath, [program('pipeline-proof')], { timeoutMs: 60_000 }),
    run(process.execPath, [program('decoder-proof'), drive], { timeoutMs: 60_000 }),
  ])
  if (!list.ok)
    return {
      facts: { version: '', elements: {}, pipelineRuns: false, chosen: nothing },
      findings: [
        line('version', 'problem', `gst-inspect-1.0 does not work: ${list.reason}`, 'npm run setup installs GStreamer.'),
      ],
    }
  const here = new Set(Array.from(list.out.matchAll(/^\s*\S+:\s+(\S+): /gm), ([, name]) => name!))
  const facts: GstreamerFacts = {
    version: /version (\S+)/.exec(version.out)?.[1] ?? 'unknown',
    elements: Object.fromEntries([...new Set(Object.values(elements).flat())].map((name) => [name, here.has(name)])),
    pipelineRuns: proof.ok,
    chosen: {
      ...(decoders.ok ? (JSON.parse(decoders.out) as DecoderProof) : nothing),
      h265: await highestRank(decoders265.filter((name) => here.has(name))),
      converter: here.has('nvvidconv') ? 'nvvidconv' : here.has('videoconvert') ? 'videoconvert' : '',
      encoder: here.has('nvjpegenc') ? 'nvjpegenc' : here.has('jpegenc') ? 'jpegenc' : '',
    },
  }
  const there = (names: readonly string[]) => names.filter((name) => here.has(name))
  const absent = (names: readonly string[]) => names.filter((name) => !here.has(name))
  const kinds = (['sources', 'decoders', 'encoders', 'converters'] as const).map((kind) => {
    const away = absent(elements[kind])
    const text = [there(elements[kind]).join(' '), away.length ? `not here: ${away.join(' ')}` : ''].filter(Boolean).join('; ')
    return line(kind, 'ok', text)
  })
  const findings = [line('version', 'ok', facts.version), ...kinds, line('chosen', 'ok', describe(facts.chosen))]
  const missing = absent(elements.needed)
  if (missing.length) findings.push(line('needed', 'problem', `missing: ${missing.join(' ')}`, install(missing)))
  if (!facts.chosen.h264)
    findings.push(
      line('H.264', 'problem', 'nothing decodes it, so neither videos nor IP cameras play', install(['avdec_h264'])),
    )
  if (!here.has('jpegenc') && !here.has('nvjpegenc'))
    findings.push(line('JPEG', 'problem', 'nothing encodes it, so people see no pictures', install(['jpegenc'])))
  findings.push(
    proof.ok
      ? line('pipeline', 'ok', proof.out.trim())
      : line(
          'pipeline',
          'problem',
          `a short one does not run (${proof.reason}): ${lastLines(proof.error)}`,
          'Build everything again: rm node_modules/.set-up && npm run setup',
        ),
  )
  return { facts, findings }
}

const nothing = { h264: '', h265: '', jpeg: '', converter: '', encoder: '' }

/** The decoder that decodebin tries first. */
async function highestRank(names: readonly string[]): Promise<string> {
  const answers = await Promise.all(names.map((name) => run('gst-inspect-1.0', [name], { env: { LC_ALL: 'C' } })))
  const ranks = answers.map(({ out }) => Number(/^\s*Rank\s.*\((\d+)\)/m.exec(out)?.[1] ?? 0))
  return names[ranks.indexOf(Math.max(...ranks))] ?? ''
}

/** What a camera's picture goes through here. */
function describe({ h264, h265, jpeg, converter, encoder }: GstreamerFacts['chosen']): string {
  const where = (name: string) => (/^(nv|v4l2|va|omx|qsv|msdk)/.test(name) ? `${name} (hardware)` : name || 'nothing')
  return (
    `H.264 is decoded by ${where(h264)}, JPEG by ${where(jpeg)}, as playing them showed, H.265 by ${where(h265)}; ` +
    `pictures are converted by ${where(converter)} and encoded by ${where(encoder)}`
  )
}

function line(name: string, state: Finding['state'], text: string, advice?: string): Finding {
  return { section: 'GStreamer', name, state, text, ...(advice ? { advice } : {}) }
}

function install(missing: readonly string[]): string {
  const names = Object.entries(packages).flatMap(([name, holds]) =>
    missing.some((element) => holds.split(' ').includes(element)) ? [name] : [],
  )
  return `sudo apt-get install ${(names.length ? names : ['gstreamer1.0-plugins-base']).join(' ')}`
}
