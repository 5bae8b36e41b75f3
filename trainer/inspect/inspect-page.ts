// inspect/report.html: a data set as a person would look through it, in one file.
import sharp from 'sharp'
import { decodePicture } from '../../deploy/fit-picture.ts'
import { escapeHtml } from '../../deploy/report/chart.ts'
import { style } from '../../deploy/report/style.ts'
import { type Dataset, ignore, type Sample } from '../data/dataset.ts'
import { fitLabel } from '../data/fit-label.ts'
import { factsOf } from '../data/print-statistics.ts'
import { unseen } from '../report/overlay.ts'
import { factsTable, percent } from '../report/report-tables.ts'
import type { DriveShares, Inspected, Suspect } from './find-suspects.ts'

const pictureWidth = 600
const [suspectsShown, samplesShown] = [12, 24]
/** How strongly a class is painted over its picture. */
const strength = 0.45

const groups: Record<Suspect['kind'], { title: string; note: string }> = {
  shifted: {
    title: 'Labels that seem shifted',
    note: 'Their borders would lie on stronger edges of the picture elsewhere. A good label may be here too, where shadows and kerbs compete.',
  },
  'no road': { title: 'No road', note: 'A label may have been forgotten.' },
  'all road': { title: 'Nothing but road', note: 'Of what is labelled; a tool may have filled the picture.' },
  unlabelled: { title: 'Nothing labelled', note: 'They teach nothing.' },
  'near-duplicate': {
    title: 'Validated on what is nearly trained on',
    note: 'Measures on such pictures say little about other roads; --split drive keeps neighbouring frames together.',
  },
}

/** The page as text. Pictures that cannot be drawn are left out: they are among the faults. */
export async function inspectPage(dataset: Dataset, found: Inspected): Promise<string> {
  const { statistics, suspects, faults, ofKnownDrives: known, shares } = found
  const sections: string[] = []
  for (const [kind, { title, note }] of Object.entries(groups)) {
    const those = suspects.filter((suspect) => suspect.kind === kind)
    if (those.length === 0) continue
    const pictures = those
      .slice(0, suspectsShown)
      .flatMap(({ sample, about, split, twin }) => [
        figure(dataset, sample, `${split}: ${about}`),
        ...(twin ? [figure(dataset, twin, 'train')] : []),
      ])
    const count = those.length > suspectsShown ? `${those.length}, of which ${suspectsShown} are shown` : those.length
    sections.push(
      `<h3>${title}: ${count}</h3><p class="note">${note}</p><div class="pictures">${(await Promise.all(pictures)).join('')}</div>`,
    )
  }
  const odd = new Set(suspects.map(({ sample }) => sample))
  const samples = spread([...dataset.train, ...dataset.val].filter((sample) => sample.label && !odd.has(sample)))
  const body = [
    `<p class="over">Roadmask · a look at a data set</p><h1>${escapeHtml(dataset.name)}</h1>`,
    known > 0
      ? `<p class="warn">${known} of the ${dataset.val.length} validation pictures are of drives that are also trained on. On roads that a model has never seen, expect less.</p>`
      : '',
    faults.length > 0
      ? `<p class="warn">Training refuses this data until mended:<br>${faults.slice(0, 20).map(escapeHtml).join('<br>')}${faults.length > 20 ? `<br>and ${faults.length - 20} more` : ''}</p>`
      : '',
    `<div class="card" style="margin-top:20px">${factsTable(factsOf(statistics).map(([title, text]) => [title, text.trim().replace('   ', ': ')]))}</div>`,
    `<h2>Classes</h2>${sharesTable(dataset, shares)}`,
    `<h2>Worth a second look</h2>${sections.join('') || '<p>Nothing: every label has road and something else, lies where its picture has it, and no validation picture is nearly trained on.</p>'}`,
    `<h2>Pictures with their labels</h2>${legend(dataset)}<div class="pictures">${(await Promise.all(samples.map((sample) => figure(dataset, sample, sample.drive)))).join('')}</div>`,
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(dataset.name)}: a look at the data</title><style>${style}
.shares :is(th, td):first-child { position: sticky; left: 0; background: var(--surface); white-space: nowrap; }
.swatch { display: inline-block; width: 14px; height: 14px; border-radius: 3px; margin-right: 7px; vertical-align: -2px; }
.pictures figcaption { flex-wrap: wrap; } .pictures figcaption b { white-space: normal; }</style></head>
<body>${body.filter((part) => part).join('\n')}</body></html>
`
}

/** So many at even distances. */
const spread = (samples: readonly Sample[]) =>
  Array.from(
    { length: Math.min(samplesShown, samples.length) },
    (_, i) => samples[Math.floor((i * samples.length) / Math.min(samplesShown, samples.length))]!,
  )

const legend = ({ classes }: Dataset) =>
  `<ul class="legend" style="margin-bottom:10px">${classes.map(({ name, colour }) => `<li><span class="swatch" style="background:${colour}"></span>${escapeHtml(name)}</li>`).join('')}<li>dark: counts nowhere</li></ul>`

function sharesTable({ classes, road }: Dataset, shares: readonly DriveShares[]): string {
  // Road first: it is what this is about.
  const order = classes.map((_, id) => id).sort((a, b) => Number(b === road) - Number(a === road))
  const head = order.map((id) => `<th class="n">${escapeHtml(classes[id]!.name)}</th>`).join('')
  const rows = shares.map(
    (one) =>
      `<tr><td>${escapeHtml(one.drive)}</td><td>${one.split}</td><td class="n">${one.pictures}</td>${order.map((id) => `<td class="n">${percent(one.shares[id]!)}</td>`).join('')}<td class="n">${percent(one.ignored)}</td></tr>`,
  )
  return `<div class="card"><p class="note">Shares of the labelled pixels; what is ignored, of all.</p><div class="scroll"><table class="shares"><tr><th>drive</th><th>split</th><th class="n">pictures</th>${head}<th class="n">ignored</th></tr>${rows.join('')}</table></div></div>`
}

/** The picture with its classes painted over it, as JPEG within the page. */
async function figure(dataset: Dataset, { name, picture, label }: Sample, about: string): Promise<string> {
  const [{ pixels, width, height }, truth] = await Promise.all([decodePicture(picture), dataset.readLabel(label!)])
  const ids = fitLabel(truth, { width, height, fit: 'crop' })
  const colours = dataset.classes.map(({ colour }) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)))
  for (let i = 0; i < ids.length; i++)
    for (let c = 0; c < 3; c++) {
      const old = pixels[3 * i + c]!
      pixels[3 * i + c] = ids[i] === ignore ? old * unseen : old * (1 - strength) + colours[ids[i]!]![c]! * strength
    }
  const { data, info } = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: pictureWidth, withoutEnlargement: true })
    .jpeg({ quality: 78, mozjpeg: true })
    .toBuffer({ resolveWithObject: true })
  return `<figure><img src="data:image/jpeg;base64,${data.toString('base64')}" width="${info.width}" height="${info.height}" alt="${escapeHtml(name)} with its label"><figcaption><span title="${escapeHtml(name)}">${escapeHtml(name)}</span><b>${escapeHtml(about)}</b></figcaption></figure>`
}
