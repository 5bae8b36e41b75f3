// A camera's settings, for a new one or one that is there: what it is, tested before it is saved, how it hangs, and which part of
// the picture the model looks at.
import { make, say } from '../ui/dom.ts'
import { number } from '../ui/numbers.ts'
import { toast } from '../ui/toast.ts'
import type { Around } from '../ui/view.ts'
import { decodeNewest, drawSeen } from './live-mask.ts'
import { regionShapes } from './region-shapes.ts'
import type { CameraSettings, Settings } from './settings.ts'
import type { Box } from './shapes.ts'
import { type Kind, kinds, readSource, settingsOf, writeSource } from './source.ts'
import { openStage } from './stage.ts'
import type { Panel } from './zone-panel.ts'

interface Tested {
  width: number
  height: number
  format: string
  fps: number
  decoder?: string
  jpeg: string
}
interface Device {
  path: string
  name: string
}

const placeTexts: Record<Kind, { label: string; example: string }> = {
  rtsp: { label: 'Address', example: 'rtsp://192.168.1.20/stream1' },
  v4l2: { label: 'Device', example: '/dev/video0' },
  csi: { label: 'Sensor number', example: '0' },
  file: { label: 'Path on the device', example: '/srv/drive.mp4' },
  gst: { label: 'Pipeline text, up to raw video', example: 'videotestsrc is-live=true' },
  test: { label: '', example: '' },
  demo: { label: '', example: '' },
}

/** `saved`: undefined for a new one. `done` is told the name of what was saved. */
export function openCamera(
  { agent, api, announce }: Around,
  settings: Settings,
  saved: CameraSettings | undefined,
  done: (name: string) => void,
): Panel {
  const old = readSource(saved?.source ?? 'rtsp:')
  if (!saved) old.place = ''
  let picture: { width: number; height: number } | undefined
  let end: (() => void) | undefined
  let testing: AbortController | undefined
  let submitting = false

  const input = (name: string, more: Record<string, string | number | boolean> = {}) =>
    make('input', { name, autocomplete: 'off', spellcheck: 'false', ...more })
  const numeric = (name: keyof CameraSettings, more: Record<string, string | number | boolean>) =>
    input(name, { type: 'number', ...more, ...(saved?.[name] !== undefined && { value: String(saved[name]) }) })
  const select = (name: string, options: Record<string, string>, value: string) => {
    const element = make('select', { name })
    for (const [key, text] of Object.entries(options))
      element.append(make('option', { value: key, selected: key === value }, text))
    return element
  }
  const field = (label: string, element: HTMLElement, parts = '') => make('label', { 'data-part': parts }, label, element)

  const pipelines = settings.now()?.pipelines || old.kind === 'gst'
  const offered = Object.fromEntries(Object.entries(kinds).filter(([key]) => key !== 'gst' || pipelines))
  const name = input('name', {
    required: true,
    pattern: '[^\\/+#\\s]+',
    title: 'no space, "/", "+" or "#"',
    maxlength: 64,
    value: saved?.name ?? '',
  })
  const kind = select('kind', offered, old.kind)
  const devices = make('datalist', { id: 'setup-devices' })
  const place = input('place', { value: old.place })
  const text = make('textarea', { name: 'text', rows: 3, spellcheck: 'false' }, old.kind === 'gst' ? old.place : '')
  const placeLabel = make('span')
  const user = input('user', { placeholder: old.kept ? 'as it is' : 'none' })
  const password = input('password', {
    type: 'password',
    autocomplete: 'new-password',
    placeholder: old.kept ? 'as it is' : 'none',
  })
  const rotation = select(
    'rotation',
    { 0: 'upright', 90: '90° clockwise', 180: 'upside down', 270: '90° the other way' },
    String(saved?.rotation ?? 0),
  )
  const enabled = input('enabled', { type: 'checkbox', checked: saved?.enabled !== false })
  const loop = input('loop', { type: 'checkbox', checked: saved?.loop !== false })
  const whole = input('whole', { type: 'checkbox', checked: saved?.region === undefined })
  const found = make('p', { class: 'hint' })
  const fault = make('p', { class: 'fault', role: 'alert' })
  const outcome = make('p', { class: 'outcome', role: 'status' })
  const test = make('button', { type: 'button' }, 'Test')
  const submit = make('button', { type: 'submit', class: 'primary' }, saved ? 'Save settings' : 'Add camera')

  const shapes = regionShapes(() => {
    stage.draw()
    showDirty()
  })
  const stage = openStage('Region that the model looks at', shapes)
  stage.notice(saved ? `${saved.name} has sent no picture yet. Test shows one.` : 'Test shows the picture here.')

  const form = make(
    'form',
    { class: 'setup-side', 'aria-label': saved ? `Settings of ${saved.name}` : 'New camera' },
    make(
      'div',
      { class: 'fields' },
      ...(saved ? [] : [make('label', { class: 'wide' }, 'Name', name)]),
      make('label', { class: 'wide' }, 'Kind', kind),
      make('label', { class: 'wide', 'data-part': 'place' }, placeLabel, place, text),
      make('div', { class: 'wide', 'data-part': 'v4l2' }, found),
      field('User', user, 'rtsp'),
      field('Password', password, 'rtsp'),
      field('Width', numeric('width', { min: 16, max: 16384, placeholder: 'as it comes' }), 'size'),
      field('Height', numeric('height', { min: 16, max: 16384, placeholder: 'as it comes' }), 'size'),
      field('Pictures a second', numeric('fps', { min: 0.1, max: 1000, step: 'any', placeholder: 'as it comes' }), 'fps'),
      field(
        'Transport',
        select('transport', { tcp: 'TCP', udp: 'UDP', auto: 'what works' }, saved?.transport ?? 'tcp'),
        'transport',
      ),
      field('Late packets, ms', numeric('latency_ms', { min: 0, placeholder: '200' }), 'latency_ms'),
      field('Turn the picture', rotation),
      field('Masks a second', numeric('masks_per_second', { min: 0.01, max: 1000, step: 'any', placeholder: 'no limit' })),
      field('Lost after, ms', numeric('timeout_ms', { min: 500, placeholder: '2000' })),
      make('label', { class: 'check', 'data-part': 'loop' }, loop, 'Begin again at its end'),
      make('label', { class: 'check' }, enabled, 'Switched on at the start'),
      make('label', { class: 'check' }, whole, 'The model looks at the whole picture'),
    ),
    outcome,
    fault,
    make('div', { class: 'setup-tools' }, test, submit),
  )
  const hint = make('p', { class: 'hint' })
  const root = make('div', { class: 'setup-split' }, make('div', {}, stage.root, hint), form)

  const kindNow = () => kind.value as Kind
  const value = (field: string) => form.querySelector<HTMLInputElement | HTMLSelectElement>(`[name="${field}"]`)?.value ?? ''
  const parts = () => ({
    kind: kindNow(),
    place: kindNow() === 'gst' ? text.value : place.value,
    user: user.value,
    password: password.value,
    kept: old.kept,
  })

  /** What differs from what is saved; null takes a setting back to its default. */
  function patch(): Record<string, unknown> {
    const rules = settingsOf[kindNow()]
    const numberOf = (field: string) => (value(field) === '' ? null : Number(value(field)))
    const wanted: Record<string, unknown> = {
      source: writeSource(parts()),
      rotation: Number(rotation.value) || null,
      enabled: enabled.checked ? null : false,
      masks_per_second: numberOf('masks_per_second'),
      timeout_ms: numberOf('timeout_ms'),
      width: rules.includes('size') ? numberOf('width') : null,
      height: rules.includes('size') ? numberOf('height') : null,
      fps: rules.includes('fps') ? numberOf('fps') : null,
      transport: rules.includes('transport') && value('transport') !== 'tcp' ? value('transport') : null,
      latency_ms: rules.includes('latency_ms') ? numberOf('latency_ms') : null,
      loop: rules.includes('loop') && !loop.checked ? false : null,
      region: shapes.box() && !whole.checked ? shapes.box() : null,
    }
    const usual: Record<string, unknown> = { enabled: true, rotation: 0, transport: 'tcp', loop: true }
    const before = { ...saved, region: savedBox() ?? saved?.region } as Record<string, unknown>
    const same = (key: string, is: unknown) =>
      JSON.stringify(is) === JSON.stringify(before[key] === usual[key] ? null : (before[key] ?? null))
    return Object.fromEntries(Object.entries(wanted).filter(([key, is]) => !same(key, is) || (!saved && is !== null)))
  }
  const dirty = () => Object.keys(patch()).length > 0 && (saved !== undefined || place.value !== '' || name.value !== '')

  /** A region in pixels is one of a picture whose size is known. */
  function savedBox(): Box | undefined {
    const region = saved?.region
    if (!region || region.every((number) => number <= 1)) return region
    if (!picture) return undefined
    const [x, y, width, height] = region
    const round = (share: number) => Math.round(10_000 * share) / 10_000
    return [round(x / picture.width), round(y / picture.height), round(width / picture.width), round(height / picture.height)]
  }
  function showDirty() {
    const refused = settings.now()?.fault
    submit.disabled = submitting || refused !== undefined || (saved !== undefined && !dirty())
    if (refused) say(fault, refused)
  }
  function showKind() {
    const now = kindNow()
    const rules: readonly string[] = [
      ...settingsOf[now],
      ...(now === 'rtsp' ? ['rtsp'] : []),
      ...(now === 'v4l2' ? ['v4l2'] : []),
      ...(placeTexts[now].label ? ['place'] : []),
    ]
    for (const part of form.querySelectorAll<HTMLElement>('[data-part]'))
      part.hidden = part.dataset.part !== '' && !rules.includes(part.dataset.part!)
    say(placeLabel, placeTexts[now].label)
    place.placeholder = placeTexts[now].example
    text.placeholder = placeTexts.gst.example
    place.hidden = now === 'gst'
    text.hidden = now !== 'gst'
    place.required = !['gst', 'test', 'demo'].includes(now)
    if (now === 'v4l2') place.setAttribute('list', devices.id)
    else place.removeAttribute('list')
    showDirty()
  }
  function showRegion() {
    if (whole.checked) shapes.set(undefined)
    else if (!shapes.box()) shapes.set(savedBox() ?? [0, 0.4, 1, 0.6])
    say(
      hint,
      whole.checked
        ? ''
        : 'Drag the region or its corners, or Tab to them and use the arrow keys. What lies beside it gets no mask.',
    )
  }

  async function tryIt() {
    if (testing) return testing.abort()
    name.required = false // a name is for keeping
    const valid = form.reportValidity()
    name.required = true
    if (!valid) return
    testing = new AbortController()
    say(test, 'Cancel')
    say(fault, '')
    say(outcome, 'Connecting to the camera; this takes up to 20 seconds.')
    const asked = {
      ...patch(),
      name: saved?.name ?? (name.value || 'new-camera'),
      ...(!saved && { source: writeSource(parts()) }),
    }
    try {
      const response = await api.ask('api/cameras/test', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(asked),
        signal: testing.signal,
      })
      const { width, height, format, fps, decoder, jpeg } = (await response.json()) as Tested
      await showSnapshot(jpeg)
      say(
        outcome,
        `It works: ${width} × ${height} ${format}, ${number(fps, 1)} pictures a second${decoder ? `, decoded by ${decoder}` : ''}.`,
      )
    } catch (error) {
      say(outcome, '')
      if (!testing.signal.aborted) say(fault, error instanceof Error ? error.message : String(error))
    }
    testing = undefined
    say(test, 'Test')
  }
  async function showSnapshot(jpeg: string) {
    const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0))
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }))
    end?.() // it is what the settings give, not what the camera gave before
    end = undefined
    known(bitmap)
    stage.canvas.width = bitmap.width
    stage.canvas.height = bitmap.height
    stage.canvas.getContext('2d')!.drawImage(bitmap, 0, 0)
    bitmap.close()
    stage.notice('')
  }
  /** The upright picture's size, as far as its shape goes. */
  function known(size: { width: number; height: number }) {
    const first = picture === undefined
    picture = { width: size.width, height: size.height }
    stage.shape(size.width / size.height)
    if (first && saved?.region && !whole.checked && !shapes.box()) shapes.set(savedBox())
  }

  async function store() {
    submitting = true
    showDirty()
    say(fault, '')
    try {
      const wanted = saved?.name ?? name.value
      const told = saved
        ? await settings.save('PATCH', `api/cameras/${encodeURIComponent(wanted)}`, wanted, patch())
        : await settings.save('POST', 'api/cameras', wanted, { ...patch(), name: wanted, source: writeSource(parts()) })
      submitting = false
      if (told) {
        toast(`${wanted}: ${told}`)
        return done(wanted)
      }
    } catch (error) {
      say(fault, error instanceof Error ? error.message : String(error))
    }
    submitting = false
    showDirty()
  }

  form.oninput = () => {
    say(fault, '') // it was of what stood there before
    showDirty()
  }
  kind.onchange = showKind
  whole.onchange = showRegion
  test.onclick = () => void tryIt()
  form.onsubmit = (event) => {
    event.preventDefault()
    void store()
  }
  root.append(devices)
  api.get<Device[]>('api/devices').then(
    (list) => {
      devices.replaceChildren(...list.map(({ path, name }) => make('option', { value: path }, name)))
      say(
        found,
        list.length
          ? `Found: ${list.map(({ path, name }) => `${path} (${name})`).join(', ')}`
          : 'No USB camera is found on the device now.',
      )
    },
    () => say(found, ''),
  )
  if (saved?.region) shapes.set(savedBox())
  showKind()
  showRegion()

  const receive = decodeNewest((seen) => {
    if (!end) return seen.picture?.close()
    known({ width: seen.result.camera_width, height: seen.result.camera_height })
    if (seen.picture) stage.notice('')
    drawSeen(stage.canvas, seen)
  })
  return {
    root,
    dirty,
    watch(yes) {
      end?.()
      end = yes && saved ? agent.watch([saved.name], receive) : undefined
      if (yes && !saved) announce('New camera')
    },
    close() {
      testing?.abort()
      end?.()
      stage.close()
    },
  }
}
