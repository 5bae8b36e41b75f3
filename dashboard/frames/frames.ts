// The hard frames view: what the agent has kept for labelling, to look through, keep, discard and export.
import type { Result } from '../../edge-agent/wire.ts'
import { roadTint } from '../live/draw.ts'
import { takeBrush } from '../live/painter.ts'
import { addressOf } from '../ui/api.ts'
import { confirmed, openDialog } from '../ui/dialog.ts'
import { make, say } from '../ui/dom.ts'
import { bytes, clock, dateTime, number } from '../ui/numbers.ts'
import { toast, toastFault } from '../ui/toast.ts'
import type { Around, View } from '../ui/view.ts'

/** GET /api/hard-frames. */
interface HardFrame {
  id: string
  camera: string
  reason: keyof typeof reasons
  captured_us: number
  bytes: number
  keep: boolean
}

const reasons = {
  unsure: 'Unsure',
  flicker: 'Mask jumps',
  drift: 'Unlike training',
  operator: 'Asked for',
  random: 'By chance',
}
/** Cards at a time; their pictures load as they are scrolled to. */
const page = 48

const at = (id: string, file: string) => `api/hard-frames/${encodeURIComponent(id)}/${file}`

export function openView({ agent, api, isOperator }: Around): View {
  let frames: HardFrame[] = []
  let collecting = false
  let deaf = () => {}
  let most = page
  const filter = { camera: '', reason: '', kept: '' }

  const choice = (name: keyof typeof filter, label: string) => {
    const select = make('select', {
      name,
      change: () => {
        filter[name] = select.value
        most = page
        draw()
      },
    })
    return { select, field: make('label', { class: 'field' }, label, select) }
  }
  const cameras = choice('camera', 'Camera')
  const why = choice('reason', 'Reason')
  const kept = choice('kept', 'Show')
  const title = make('h2', {}, 'Hard frames')
  const count = make('p', { class: 'count', role: 'status' })
  const exporting = make('button', { type: 'button', click: () => exportAll() }, 'Export')
  const grid = make('ul', { class: 'frames' })
  const more = make('button', {
    type: 'button',
    class: 'more',
    hidden: true,
    click: () => {
      most += page
      draw()
    },
  })
  const empty = make('p', { class: 'empty' })

  const options = (select: HTMLSelectElement, all: [value: string, text: string][]) => {
    const { value } = select
    select.replaceChildren(...all.map(([value, text]) => make('option', { value }, text)))
    select.value = all.some(([known]) => known === value) ? value : ''
    filter[select.name as keyof typeof filter] = select.value
  }

  async function load() {
    try {
      frames = await api.get<HardFrame[]>('api/hard-frames')
    } catch (error) {
      return toastFault('Hard frames could not be read')(error)
    }
    const named = [...new Set(frames.map(({ camera }) => camera))].sort()
    options(cameras.select, [['', 'all'], ...named.map((name): [string, string] => [name, name])])
    options(why.select, [['', 'all'], ...Object.entries(reasons)])
    options(kept.select, [
      ['', 'all'],
      ['keep', 'marked to keep'],
      ['not', 'not marked'],
    ])
    draw()
  }

  function draw() {
    const found = frames.filter(
      ({ camera, reason, keep }) =>
        (!filter.camera || camera === filter.camera) &&
        (!filter.reason || reason === filter.reason) &&
        (!filter.kept || keep === (filter.kept === 'keep')),
    )
    const size = bytes(found.reduce((sum, frame) => sum + frame.bytes, 0))
    say(count, frames.length ? `${number(found.length)} of ${number(frames.length)} frames, ${size}` : '')
    exporting.hidden = !isOperator() || frames.length === 0
    const cards = new Map([...grid.children].map((card) => [card.getAttribute('data-id'), card]))
    grid.replaceChildren(...found.slice(0, most).map((frame) => card(frame, cards.get(frame.id))))
    more.hidden = found.length <= most
    say(more, `Show ${number(Math.min(page, found.length - most))} more`)
    empty.hidden = found.length > 0
    say(empty, frames.length ? 'No frame is so.' : none())
  }

  const none = () =>
    collecting
      ? 'Nothing is kept yet. Pictures of which the model is unsure, whose mask jumps, or which look unlike its training will appear here.'
      : 'Hard frames are not collected: "collect: { enabled: true }" in the agent’s settings keeps pictures that the model should learn from.'

  /** A card that is there stays, so that its picture is not asked for again. */
  function card(frame: HardFrame, known: Element | undefined): Element {
    const mark = frame.keep ? 'yes' : 'no'
    if (known?.getAttribute('data-keep') === mark) return known
    const when = make('time', { datetime: new Date(frame.captured_us / 1000).toISOString() })
    when.append(clock(frame.captured_us / 1000, Date.now()))
    const label = `${frame.camera}, ${reasons[frame.reason]}, ${dateTime(frame.captured_us / 1000)}`
    const picture = make('img', {
      src: addressOf(at(frame.id, 'picture.jpg')).href,
      alt: '',
      loading: 'lazy',
      decoding: 'async',
    })
    return make(
      'li',
      { 'data-id': frame.id, 'data-keep': mark },
      make('button', { type: 'button', class: 'thumb', 'aria-label': `Open ${label}`, click: () => openFrame(frame) }, picture),
      make('p', {}, make('strong', {}, frame.camera), make('span', { class: 'reason' }, reasons[frame.reason])),
      make('p', { class: 'muted' }, when, ...(frame.keep ? [make('span', { class: 'kept' }, 'kept')] : [])),
    )
  }

  async function openFrame(frame: HardFrame) {
    const canvas = make('canvas', { role: 'img', 'aria-label': `What ${frame.camera} saw, with its road` })
    const facts = make('p', { class: 'muted' })
    const mask = make('input', { type: 'checkbox', checked: true })
    const buttons = make('footer', {}, make('label', { class: 'field' }, mask, 'Mask'), make('span', { class: 'spacer' }))
    const stage = make('div', { class: 'frame-stage' }, canvas)
    const dialog = openDialog(`${frame.camera}, ${dateTime(frame.captured_us / 1000)}`, stage, facts, buttons)
    canvas.closest('dialog')?.classList.add('wide')
    if (isOperator()) {
      const keep = make('button', { type: 'button', disabled: frame.keep }, frame.keep ? 'Kept' : 'Keep')
      keep.onclick = () => keepFrame(frame).then(dialog.close, toastFault('The frame could not be kept'))
      const discard = make('button', { type: 'button', class: 'danger' }, 'Discard')
      discard.onclick = () => discardFrame(frame).then((gone) => gone && dialog.close(), toastFault('It is still there'))
      buttons.append(keep, discard)
    }
    const brush = takeBrush()
    dialog.closed.then(brush.forget)
    try {
      const parts = ['facts.json', 'mask.png', 'picture.jpg'].map((file) => api.ask(at(frame.id, file)))
      const [json, png, jpeg] = await Promise.all(parts)
      const { detail, result } = (await json!.json()) as { detail: string; result: Result }
      const [maskBytes, picture] = await Promise.all(
        [png!, jpeg!].map(async (answer) => new Uint8Array(await answer.arrayBuffer())),
      )
      say(
        facts,
        [reasons[frame.reason], detail, `${number(result.road_percent)} % road`, result.model].filter(Boolean).join(' · '),
      )
      const message = { result, mask: maskBytes!, picture: picture! }
      const paint = async (fresh: boolean) => {
        const width = Math.min(result.camera_width, 1600)
        const height = Math.max(1, Math.round((result.camera_height * width) / result.camera_width))
        const mode = mask.checked ? ('tint' as const) : ('picture' as const)
        const look = { mode, opacity: 0.45, tint: roadTint, scale: width / 900, zones: [], space: false }
        const bitmap = await brush.paint({ ...(fresh && { message }), look, width, height })
        if (!bitmap) return
        Object.assign(canvas, { width, height })
        canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap)
      }
      await paint(true)
      mask.onchange = () => paint(false)
    } catch (error) {
      say(facts, `The frame cannot be shown: ${(error as Error).message}`)
    }
  }

  async function keepFrame({ id }: HardFrame) {
    await api.send('POST', at(id, 'keep'))
    toast('The frame stays when older ones make room')
    await load()
  }

  async function discardFrame({ id, camera }: HardFrame): Promise<boolean> {
    const question = {
      title: 'Discard this frame?',
      text: `The picture of ${camera} and its mask are deleted for good.`,
      yes: 'Discard',
    }
    if (!(await confirmed(question))) return false
    await api.send('DELETE', `api/hard-frames/${encodeURIComponent(id)}`)
    await load()
    return true
  }

  async function exportAll() {
    exporting.disabled = true
    say(exporting, 'Exporting …')
    try {
      const { frames, folder } = await api.send<{ frames: number; folder: string }>('POST', 'api/hard-frames/export')
      make('a', { href: addressOf('api/hard-frames/export.tar').href, download: 'hard-frames.tar' }).click()
      toast(`${number(frames)} frames as a Ground Truth manifest: downloaded, and in ${folder} on the device`)
    } catch (error) {
      toastFault('The frames could not be exported')(error)
    } finally {
      exporting.disabled = false
      say(exporting, 'Export')
    }
  }

  return {
    show(root) {
      if (!root.firstChild) {
        const again = make('button', { type: 'button', click: () => load() }, 'Look again')
        const bar = make('div', { class: 'view-bar' }, title, count, make('span', { class: 'spacer' }))
        bar.append(cameras.field, why.field, kept.field, again, exporting)
        root.append(bar, grid, more, empty)
      }
      deaf()
      deaf = agent.hear({
        hello(hello) {
          collecting = hello.collecting
          load()
        },
      })
    },
    hide() {
      deaf()
      frames = []
      grid.replaceChildren()
    },
  }
}
