// A new model in the model view: how what was offered gets on, how it compares with the one that runs, and the ways to switch to it,
// forget it or go back, each asked once.
import type { ModelComparison, RunningModel, UpdateState } from '../../edge-agent/wire.ts'
import { confirmed } from '../ui/dialog.ts'
import { make } from '../ui/dom.ts'
import { bytes, dateTime, number } from '../ui/numbers.ts'
import { toast, toastFault } from '../ui/toast.ts'
import type { Around } from '../ui/view.ts'

type State = UpdateState['state']

const words: Record<State, string> = {
  idle: 'Nothing is offered',
  verifying: 'Looked at',
  downloading: 'Being fetched',
  shadow: 'Runs beside the model of now',
  trial: 'Runs, on trial',
  settled: 'Runs, and has proven itself',
  refused: 'Refused',
  failed: 'Did not work',
  rolled_back: 'Taken back',
}
const faults: State[] = ['refused', 'failed', 'rolled_back']
/** A release that is under way and can still be forgotten. */
const waiting: State[] = ['verifying', 'downloading', 'shadow']

const askEveryMs = 2000

export interface UpdatePanel {
  element: HTMLElement
  stop(): void
}

/** Follows the device's update while it is shown. */
export function openUpdatePanel({ api, isOperator, announce }: Around): UpdatePanel {
  const element = make('section', { class: 'part broad update', hidden: true })
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  let shown = ''
  let before: State | undefined

  async function ask() {
    clearTimeout(timer)
    // An agent that is away is told by the page as a whole.
    const state = await api.get<UpdateState>('api/update').catch(() => undefined)
    if (stopped) return
    if (state) show(state)
    timer = setTimeout(ask, askEveryMs)
  }

  function show(state: UpdateState) {
    const text = JSON.stringify([state, isOperator()])
    if (text === shown) return
    shown = text
    if (before && before !== state.state) announce(`${state.release?.name ?? 'Models'}: ${words[state.state]}`)
    before = state.state
    const focused = (document.activeElement as HTMLElement | null)?.dataset.act
    element.replaceChildren(
      make('h3', {}, 'Models over the air'),
      ...contents(state),
      ...(isOperator() ? [buttons(state)] : []),
    )
    element.hidden = false
    if (focused) element.querySelector<HTMLElement>(`[data-act="${focused}"]`)?.focus()
  }

  function buttons({ state, release, model, previous }: UpdateState): HTMLElement {
    const name = release?.name ?? 'the new model'
    const acts: { act: string; label: string; when: boolean; text: string; run(): Promise<unknown> }[] = [
      {
        act: 'switch',
        label: 'Switch now',
        when: state === 'shadow',
        text: `${name} takes the place of ${model.name} without waiting for the comparison to end. ${model.name} stays on the device.`,
        run: () => api.send('POST', 'api/update/switch'),
      },
      {
        act: 'forget',
        label: 'Forget it',
        when: waiting.includes(state),
        text: `${name} is removed from the device, and is taken again only when it is signed anew.`,
        run: () => api.send('DELETE', 'api/update'),
      },
      {
        act: 'back',
        label: `Back to ${previous?.name || 'the model before'}`,
        when: previous !== undefined && !waiting.includes(state),
        text: `${previous?.name || 'The model before'} takes the place of ${model.name}. Cameras and connections go on.`,
        run: () => api.send('POST', 'api/update/rollback'),
      },
    ]
    const made = acts
      .filter(({ when }) => when)
      .map(({ act, label, text, run }) => {
        const click = async () => {
          if (!(await confirmed({ title: `${label}?`, text, yes: label }))) return
          await run().then(() => toast(`${label}: asked for`), toastFault(label))
          await ask()
        }
        return make('button', { type: 'button', 'data-act': act, click }, label)
      })
    return make('p', { class: 'acts' }, ...made)
  }

  ask()
  return {
    element,
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

function contents({ state, release, model, previous, progress, comparison, reason, since_us }: UpdateState): HTMLElement[] {
  const line = make('p', { class: faults.includes(state) ? 'fault' : undefined }, make('strong', {}, words[state]))
  if (release) line.append(`: ${release.kind === 'image' ? 'the agent’s image ' : ''}${release.name} (release ${release.id})`)
  if (state !== 'idle') line.append(`, since ${dateTime(since_us / 1000)}`)
  const parts: HTMLElement[] = [line]
  if (reason) parts.push(make('p', { class: 'reason' }, reason))
  if (progress && state === 'downloading') parts.push(bar(progress))
  if (comparison) parts.push(compared(comparison))
  parts.push(models(model, waiting.includes(state) ? undefined : previous))
  return parts
}

function bar({ bytes: have, of }: NonNullable<UpdateState['progress']>): HTMLElement {
  const label = `${bytes(have)} of ${bytes(of)}`
  return make('p', { class: 'progress' }, make('progress', { value: have, max: of, 'aria-label': 'Fetched' }), label)
}

const signed = (value: number, digits: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${number(Math.abs(value), digits)}`

function compared(of: ModelComparison): HTMLElement {
  const figures: [string, string][] = [
    ['Pixels of the same class', `${number(100 * of.agreement, 1)} %`],
    ['Overlap of the road', `${number(100 * of.road_iou, 1)} %`],
    ['Time for a frame', `${number(of.latency_ratio, 2)} ×`],
    ['Memory', bytes(of.memory_mib * 2 ** 20)],
    ['Confidence', signed(of.confidence_change, 3)],
  ]
  if (of.drift_change !== undefined) figures.push(['Drift', signed(of.drift_change, 3)])
  const items = figures.map(([name, text]) => make('div', {}, make('dt', {}, name), make('dd', {}, text)))
  const caption = `Compared with the other model on ${number(of.frames)} ${of.frames === 1 ? 'frame' : 'frames'}`
  return make('figure', {}, make('figcaption', {}, caption), make('dl', { class: 'figures compared' }, ...items))
}

const called = ({ name, release, released }: RunningModel) => {
  const made = released && `signed ${dateTime(Date.parse(released))}`
  const over = [release && `release ${release}`, made].filter(Boolean).join(', ')
  return `${name || 'the bundle of the settings'}${over ? ` (${over})` : ', named by the settings'}`
}

function models(model: RunningModel, previous: RunningModel | undefined): HTMLElement {
  const lines: [string, string][] = [['Runs', called(model)]]
  if (previous) lines.push(['Stays to go back to', previous.name ? called(previous) : 'the bundle that the settings name'])
  return make(
    'dl',
    { class: 'rows' },
    ...lines.map(([name, text]) => make('div', {}, make('dt', {}, name), make('dd', {}, text))),
  )
}
