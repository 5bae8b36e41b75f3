// The model view: which bundle runs, how good it is, what it sees and was made of, and its model card.
import type { Stats } from '../../edge-agent/wire.ts'
import { make } from '../ui/dom.ts'
import { bytes, dateTime, number } from '../ui/numbers.ts'
import type { Around, View } from '../ui/view.ts'
import { openUpdatePanel, type UpdatePanel } from './update-panel.ts'

/** GET /api/model. */
interface Model {
  name: string
  created: string
  architecture: { net: string; encoder: string; width: number; fc: number; batchNorm: boolean; parameters: number }
  input: { width: number; height: number; fit: 'crop' | 'letterbox' }
  classes: { name: string; colour: string }[]
  road: number
  threshold?: number
  measures: Record<string, number>
  precision?: { storage: string; compute: string; pixels_differing: number }
  data: { name: string; pictures: number; licence?: string }[]
  commit: string
  bytes: number
  card_html: string | null
}

/** What leads, in words; the rest of the measures follow in the table. */
const leading: Record<string, string> = {
  road_iou: 'Road IoU',
  mean_iou: 'Mean IoU',
  pixel_accuracy: 'Pixel accuracy',
  max_f: 'MaxF (KITTI)',
}
const names: Record<string, string> = {
  weighted_iou: 'Weighted IoU',
  class_accuracy: 'Class accuracy',
  ap: 'Average precision',
  precision: 'Precision',
  recall: 'Recall',
  fpr: 'False positives',
  fnr: 'False negatives',
  covered: 'Pixels covered',
}
/** Counts and settings among the measures, which are no shares. */
const counts = ['pictures', 'pixels', 'threshold']

const share = (value: number) => `${number(100 * value, 2)} %`
const fits = { crop: 'the middle is cut out', letterbox: 'the whole picture, with bars' }

export function openView(around: Around): View {
  const { agent, api } = around
  let turn = 0
  let panel: UpdatePanel | undefined
  let deaf = () => {}

  async function load(root: HTMLElement) {
    const mine = ++turn
    try {
      const [model, stats] = await Promise.all([api.get<Model>('api/model'), api.get<Stats>('api/stats')])
      if (mine !== turn) return
      panel?.stop()
      panel = openUpdatePanel(around)
      const [head, ...parts] = contents(model, stats)
      root.replaceChildren(head!, panel.element, ...parts)
    } catch (error) {
      if (mine !== turn) return
      const again = make('button', { type: 'button', click: () => load(root) }, 'Try again')
      root.replaceChildren(make('p', { class: 'empty', role: 'alert' }, `${(error as Error).message}. `, again))
    }
  }

  return {
    show(root) {
      deaf()
      deaf = agent.hear({ hello: () => load(root) }) // an agent says it again when another model has taken over, or when it was started again
    },
    hide() {
      deaf()
      panel?.stop()
      turn++
    },
  }
}

function contents(model: Model, stats: Stats): HTMLElement[] {
  const { measures, precision, input, architecture } = model
  const head = make(
    'header',
    { class: 'model-head' },
    make('h2', {}, model.name),
    make(
      'p',
      {},
      `Made ${dateTime(Date.parse(model.created))}, runs since ${dateTime(stats.at_us / 1000 - 1000 * stats.uptime_s)}`,
    ),
  )
  const figures = Object.entries(leading).filter(([key]) => measures[key] !== undefined)
  const lead = make('dl', { class: 'figures' }, ...figures.map(([key, name]) => figure(name, share(measures[key]!))))
  const facts: Record<string, string | undefined> = {
    Device: stats.compute === 'loading' ? 'loading the model' : stats.compute.toUpperCase(),
    'Weights stored in': precision?.storage ?? 'float32',
    'Computed in': stats.precision,
    'Pixels that differ from float32': precision && `${number(100 * precision.pixels_differing, 4)} %`,
    Size: bytes(model.bytes),
    Sees: `${input.width} × ${input.height}, ${fits[input.fit]}`,
    Network: `${architecture.net} on ${architecture.encoder}, width ${number(architecture.width, 2)}`,
    Parameters: number(architecture.parameters),
    'Road from': model.threshold === undefined ? 'the more probable class' : `a probability of ${number(model.threshold, 2)}`,
    'Validation pictures': measures.pictures === undefined ? undefined : number(measures.pictures),
    Commit: model.commit.slice(0, 12),
  }
  const rest = Object.entries(measures).filter(([key]) => !(key in leading) && !counts.includes(key))
  const parts = [
    head,
    part('Measures on validation pictures', lead),
    part('This device', rows(Object.entries(facts).filter((fact): fact is [string, string] => fact[1] !== undefined))),
    part('More measures', rows(rest.map(([key, value]) => [names[key] ?? key.replace(/^iou\./, 'IoU of '), share(value)]))),
    part('Classes', classes(model)),
    part('Trained on', data(model), 'part broad'),
  ]
  return [...parts, ...(model.card_html === null ? [] : [card(model.card_html)])]
}

const figure = (name: string, value: string) => make('div', {}, make('dt', {}, name), make('dd', {}, value))
const rows = (facts: [string, string][]) => make('dl', { class: 'rows' }, ...facts.map(([name, text]) => figure(name, text)))
const part = (title: string, content: HTMLElement, kind = 'part') =>
  make('section', { class: kind }, make('h3', {}, title), content)

function classes({ classes, road }: Model): HTMLElement {
  const items = classes.map(({ name, colour }, id) => {
    const swatch = make('i', { class: 'class-colour' })
    swatch.style.background = colour
    return make(
      'li',
      {},
      swatch,
      `${id} ${name}`,
      ...(id === road && name !== 'road' ? [make('strong', {}, ' counts as road')] : []),
    )
  })
  return make('ul', { class: 'classes' }, ...items)
}

function data({ data }: Model): HTMLElement {
  const heads = ['Data', 'Pictures', 'Licence'].map((name) => make('th', { scope: 'col' }, name))
  const lines = data.map(({ name, pictures, licence }) =>
    make('tr', {}, make('td', {}, name), make('td', {}, number(pictures)), make('td', {}, licence ?? 'not stated')),
  )
  return scrolling('Trained on', make('table', {}, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...lines)))
}

/** The agent made it of Markdown, with everything in it that is HTML as text. */
function card(html: string): HTMLElement {
  const { body } = new DOMParser().parseFromString(html, 'text/html')
  for (const table of body.querySelectorAll('table')) {
    const frame = scrolling('Table of the model card')
    table.replaceWith(frame)
    frame.append(table)
  }
  for (const link of body.querySelectorAll('a')) link.rel = 'noreferrer noopener'
  // The card's own title repeats the name; its headings go below those of this view.
  const title = body.firstElementChild
  if (title?.tagName === 'H1') title.remove()
  for (const heading of body.querySelectorAll('h1, h2, h3')) {
    const lower = make('h4')
    lower.append(...heading.childNodes)
    heading.replaceWith(lower)
  }
  return make('article', { class: 'part card' }, make('h3', {}, 'Model card'), ...body.childNodes)
}

/** Wide content scrolls inside, by the keyboard too. */
const scrolling = (name: string, ...content: HTMLElement[]) =>
  make('div', { class: 'scrolling', tabindex: 0, role: 'region', 'aria-label': name }, ...content)
