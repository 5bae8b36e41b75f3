// The pictures of a run's report: overlays, small, as JPEG within the page.

import { escapeHtml } from '../../deploy/report/chart.ts'
import type { Mark } from './contact-sheet.ts'
import { legendOf } from './contact-sheet.ts'
import { drawOverlay, type OverlayCase, rawPicture } from './overlay.ts'
import type { OverlayGroup } from './overlays.ts'

/** Twice as wide as a picture is in the page, for fine screens. */
const pictureWidth = 600
/** Test pictures in the page; more are in the run's folder. */
const testShown = 6

const words: Record<string, { title: string; note: string }> = {
  worst: { title: 'Worst', note: 'The validation pictures with the smallest road IoU: look here first.' },
  uncertain: {
    title: 'Most uncertain',
    note: 'Of the other pictures, those in which the model is least sure of its own mask. It needs no label to say so: pictures like these are worth labelling next.',
  },
  middling: { title: 'Middling', note: 'What to expect of an ordinary picture.' },
  best: { title: 'Best', note: '' },
  test: { title: 'Test pictures', note: 'Some pictures without labels, or kept apart from training and validation.' },
}

const order = Object.keys(words)

/** Heading, note and pictures of each group, worst first. */
export async function pictureSections(
  groups: readonly OverlayGroup[],
  uncertainty: ReadonlyMap<string, number>,
): Promise<string> {
  const shown = groups
    .toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    .map((group) => (group.name === 'test' ? { ...group, cases: group.cases.slice(0, testShown) } : group))
  const sections: string[] = []
  for (const { name, title, cases } of shown) {
    const told = words[name] ?? { title, note: '' }
    const figures: string[] = []
    // One after the other: a picture in full size is large, and sharp uses all cores for each.
    for (const one of cases) figures.push(await figure(one, name === 'uncertain' ? uncertainty.get(one.name) : undefined))
    sections.push(`<h3>${told.title}</h3><p class="note">${told.note}</p><div class="pictures">${figures.join('')}</div>`)
  }
  return `<ul class="legend">${legendOf(shown.flatMap(({ cases }) => cases))
    .map(entry)
    .join('')}</ul>${sections.join('')}`
}

const entry = ([mark, said]: Mark) =>
  `<li><svg viewBox="0 0 20 14" style="width:20px;height:14px" aria-hidden="true">${mark.replaceAll('#ffffff', 'currentColor')}</svg>${escapeHtml(said)}</li>`

async function figure(shown: OverlayCase, uncertainty: number | undefined): Promise<string> {
  const { name, roadIou } = shown
  const picture = await drawOverlay(shown)
  const { data, info } = await rawPicture(picture)
    .resize({ width: pictureWidth, withoutEnlargement: true })
    .jpeg({ quality: 78, mozjpeg: true })
    .toBuffer({ resolveWithObject: true })
  const iou = roadIou === undefined || Number.isNaN(roadIou) ? '' : `road IoU ${(100 * roadIou).toFixed(1)} %`
  const unsure = uncertainty === undefined ? '' : `${(100 * uncertainty).toFixed(1)} % unsure`
  return `<figure><img src="data:image/jpeg;base64,${data.toString('base64')}" width="${info.width}" height="${info.height}" alt="${escapeHtml(name)} with its road tinted"><figcaption><span title="${escapeHtml(name)}">${escapeHtml(name)}</span><b>${[unsure, iou].filter((part) => part).join(' · ')}</b></figcaption></figure>`
}
