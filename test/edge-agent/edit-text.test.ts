// What a change leaves of a config file: all but what is changed, byte for byte.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { editText } from '../../edge-agent/settings/edit-text.ts'

interface Camera {
  [key: string]: unknown
  name: string
  zones?: Record<string, unknown>[]
}
const cameras = (text: string, change: (cameras: Camera[]) => unknown) =>
  editText(text, (settings) => {
    settings.cameras ??= []
    change(settings.cameras as Camera[])
  })
const triangle = [
  [0, 0],
  [1, 0],
  [0.5, 0.25],
]
const example = readFileSync('deploy/agent.example.yaml', 'utf8')
/** The example with one piece of it in another form, which must be there once. */
function withPiece(piece: string, other: string) {
  expect(example.split(piece)).toHaveLength(2)
  return example.replace(piece, other)
}

test('nothing changed is nothing touched', () => {
  expect(editText(example, () => {})).toBe(example)
  expect(cameras(example, (all) => Object.assign(all[0]!, { rotation: 0 }))).toBe(example)
})

test('the example file: a zone is moved, renamed, added, removed; nothing else of its 250 lines changes', () => {
  const polygon = 'polygon: [[0.35, 0.95], [0.45, 0.65], [0.55, 0.65], [0.65, 0.95]]'
  expect(cameras(example, ([front]) => Object.assign(front!.zones![0]!, { polygon: triangle }))).toBe(
    withPiece(polygon, 'polygon: [[0, 0], [1, 0], [0.5, 0.25]]'),
  )
  expect(cameras(example, ([front]) => Object.assign(front!.zones![0]!, { name: 'our lane' }))).toBe(
    withPiece('- name: ahead', '- name: our lane'),
  )
  const whole = '        clear_above: 60\n        hold_s: 1\n'
  expect(cameras(example, ([front]) => void front!.zones!.push({ name: 'left', polygon: triangle, hold_s: 2 }))).toBe(
    withPiece(whole, `${whole}      - name: left\n        polygon: [[0, 0], [1, 0], [0.5, 0.25]]\n        hold_s: 2\n`),
  )
  expect(cameras(example, ([front]) => void delete front!.zones)).toBe(
    withPiece(/ {4}zones:\n[\s\S]*?hold_s: 1\n/.exec(example)![0], ''),
  )
})

test('the example file: settings of a camera change in their places, new ones come behind them, a camera goes with what is said of it', () => {
  expect(cameras(example, ([, rear]) => Object.assign(rear!, { rotation: 90, width: 640, height: 480 }))).toBe(
    withPiece(
      '    width: 1280\n    height: 720\n    fps: 30\n',
      '    width: 640\n    height: 480\n    fps: 30\n    rotation: 90\n',
    ),
  )
  const rear = /\n {2}- name: rear\n[\s\S]*?fps: 30\n/.exec(example)![0]
  expect(cameras(example, (all) => void all.splice(1, 1))).toBe(withPiece(rear, '\n'))
  const drive = '    pace: clock\n'
  expect(cameras(example, (all) => void all.push({ name: 'new', source: 'rtsp://u:p@h/1' }))).toBe(
    withPiece(drive, `${drive}  - name: new\n    source: rtsp://u:p@h/1\n`),
  )
})

test.each<[string, string, (all: Camera[]) => unknown, string]>([
  ['no file', '', (all) => void all.push({ name: 'a', source: 'test' }), 'cameras:\n  - name: a\n    source: test\n'],
  ['a comment alone', '# Hi', (all) => void all.push({ name: 'a' }), '# Hi\ncameras:\n  - name: a\n'],
  [
    'all in one line',
    'cameras: [{ name: a, rotation: 90,  source: test }]   # mine\n',
    (all) => {
      delete all[0]!.rotation
      all[0]!.zones = [{ name: 'z', polygon: triangle }]
      all.push({ name: 'b' })
    },
    'cameras: [{ name: a,  source: test, zones: [{ name: z, polygon: [[0, 0], [1, 0], [0.5, 0.25]] }] }, { name: b }]   # mine\n',
  ],
  [
    'several of a list in one line',
    'cameras: [{ name: a, x: 1 }, { name: b, x: 1 }, { name: c, x: 1 }]',
    (all) => {
      all.splice(0, 2)
      all.push({ name: 'd' })
    },
    'cameras: [{ name: c, x: 1 }, { name: d }]',
  ],
  [
    'JSON stays JSON',
    '{"cameras":[{"name":"a"}]}',
    (all) => Object.assign(all[0]!, { zones: [{ name: 'z' }] }),
    '{"cameras":[{"name":"a", "zones": [{"name":"z"}]}]}',
  ],
  [
    'a list that was empty, with a comment behind it',
    'cameras:\n- name: a\n  zones: []   # none yet\n  source: test\n',
    ([a]) => Object.assign(a!, { zones: [{ name: 'z', hold_s: 1 }] }),
    'cameras:\n- name: a\n  zones:   # none yet\n    - name: z\n      hold_s: 1\n  source: test\n',
  ],
  [
    'corners one below the other',
    'cameras:\n  - name: a\n    zones:\n      - name: z\n        polygon:\n          - [0, 0]\n          - [1, 1] # far\n        hold_s: 1 # quick\n',
    ([a]) => Object.assign(a!.zones![0]!, { polygon: triangle }),
    'cameras:\n  - name: a\n    zones:\n      - name: z\n        polygon: [[0, 0], [1, 0], [0.5, 0.25]] # far\n        hold_s: 1 # quick\n',
  ],
  [
    'the first of two goes, with the comment in it, and one comes at the end',
    'cameras:\n  - name: a\n    zones:\n      # near\n      - name: x\n        hold_s: 1\n        # of x\n\n      - name: y\n        hold_s: 1\n      # far\n    source: test',
    ([a]) => Object.assign(a!, { zones: [a!.zones![1]!, { name: 'q' }] }),
    'cameras:\n  - name: a\n    zones:\n      # near\n\n      - name: y\n        hold_s: 1\n      - name: q\n      # far\n    source: test',
  ],
  [
    "Windows' ends of lines",
    'cameras:\r\n  - name: a # x\r\n    source: test\r\n',
    (all) => {
      all[0]!.rotation = 180
      all.push({ name: 'b' })
    },
    'cameras:\r\n  - name: a # x\r\n    source: test\r\n    rotation: 180\r\n  - name: b\r\n',
  ],
  [
    'a text over several lines',
    'cameras:\n  - name: a\n    source: >-\n      gst:videotestsrc\n      ! x\n\n# end\n',
    ([a]) => Object.assign(a!, { rotation: 90 }),
    'cameras:\n  - name: a\n    source: >-\n      gst:videotestsrc\n      ! x\n    rotation: 90\n\n# end\n',
  ],
  [
    'the last setting goes and another one comes',
    'cameras:\n  - name: a\n    rotation: 90 # r\n',
    ([a]) => {
      delete a!.rotation
      a!.region = [0, 0, 1, 1]
    },
    'cameras:\n  - name: a\n    region: [0, 0, 1, 1]\n',
  ],
  [
    'what came by a merge is overruled in its place',
    'x: &x { rotation: 90, fps: 3 }\ncameras:\n  - <<: *x\n    name: a\n',
    ([a]) => Object.assign(a!, { rotation: 180 }),
    'x: &x { rotation: 90, fps: 3 }\ncameras:\n  - <<: *x\n    name: a\n    rotation: 180\n',
  ],
])('%s', (_, text, change, expected) => expect(cameras(text, change)).toBe(expected))

test('text is quoted where YAML would read something else', () => {
  for (const source of [
    'gst:a ! b="c" # d',
    'yes',
    '12',
    '',
    ' a',
    'a: b',
    '[x]',
    '*a',
    'süß',
    'a\nb',
    'null',
    '~',
    '0x1f',
    "it's",
  ]) {
    for (const text of ['cameras:\n  - name: a\n', 'cameras: [{ name: a }]\n'])
      expect(parse(cameras(text, ([a]) => Object.assign(a!, { source: source }))).cameras[0].source).toBe(source)
  }
})

test('what cannot be changed without the rest is refused, and nothing comes out', () => {
  const shared = 'a: &a { fps: 1 }\ncameras:\n  - name: x\n    preview: &p { fps: 2 }\n  - name: y\n    preview: *p\n'
  expect(() => cameras(shared, ([x]) => Object.assign(x!, { preview: 5 }))).toThrow('such as with anchors')
})

test('many changes in turn, each as if made by hand: what is read is what was wanted', () => {
  let text = example
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  for (let i = 0; i < 150; i++) {
    text = cameras(text, (all) => {
      const camera = all[random(all.length)]!
      camera.zones ??= []
      const { zones } = camera
      const what = random(7)
      if (what === 0 && all.length < 6) all.push({ name: `c${i}`, source: 'test' })
      if (what === 1 && all.length > 1) all.splice(random(all.length), 1)
      if (what === 2) zones.push({ name: `z${i}`, polygon: triangle, hold_s: i })
      if (what === 3) zones.splice(random(zones.length + 1), 1)
      if (what === 4) for (const zone of zones) zone.polygon = [...triangle, [i / 200, 0.5]]
      if (what === 5) camera.region = [0, i, 10, 10]
      if (what === 6) delete camera.region
      if (!zones.length) delete camera.zones
    })
  }
  const [head, tail] = [
    example.slice(0, example.indexOf('cameras:')),
    example.slice(example.indexOf('# The picture that people see')),
  ]
  expect(text.startsWith(head)).toBe(true)
  expect(text.endsWith(tail)).toBe(true)
})
