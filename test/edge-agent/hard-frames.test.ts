// Hard frames: which are kept, how many, and that they come back as data to train on.
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFrameStore } from '../../edge-agent/collect/frame-store.ts'
import { keepHardFrames } from '../../edge-agent/collect/hard-frames.ts'
import { judgeFrames } from '../../edge-agent/collect/verdict.ts'
import { hashToken, makeToken } from '../../edge-agent/serve/access.ts'
import { Config } from '../../edge-agent/settings/config.ts'
import type { MaskMessage, Result } from '../../edge-agent/wire.ts'
import { maskOf } from './made-messages.ts'
import { type MadeSite, openMadeSite } from './made-site.ts'

const settings = (collect: object = {}) =>
  Config.parse({
    collect: { enabled: true, min_seconds: 0, random_per_day: 0, ...collect },
    cameras: [{ name: 'front', source: 'test' }],
  })
/** A message of a frame taken at so many milliseconds. */
const frameAt = (ms: number, facts: Partial<Result> = {}, pictureBytes = 0): MaskMessage => {
  const message = maskOf('front', Math.round(ms), pictureBytes)
  return { ...message, result: { ...message.result, captured_us: 1000 * ms, confidence: 0.99, ...facts } }
}

describe('a judge', () => {
  const { collect } = settings({ confidence_below: 0.9, changed_above: 15 })

  test.each([
    ['a sure one', {}, undefined],
    ['one the model is unsure of', { confidence: 0.5 }, { reason: 'unsure', detail: 'confidence 0.5' }],
    [
      'one unlike what the model was trained on',
      { drift: { score: 1.5, active: true } },
      { reason: 'drift', detail: 'drift 1.5' },
    ],
    ['one a little unlike it', { drift: { score: 0.9, active: false } }, undefined],
    ['one that jumps', { changed_percent: 20 }, { reason: 'flicker', detail: '20 % of the mask changed in 100 ms' }],
    ['one that moves', { changed_percent: 10 }, undefined],
  ])('finds %s', (_, facts, verdict) => {
    const judge = judgeFrames()
    judge(frameAt(1000).result, collect)
    expect(judge({ ...frameAt(1100).result, ...facts }, collect)).toEqual(verdict)
  })

  test('takes no jump from what changed while there were no masks', () => {
    const judge = judgeFrames()
    judge(frameAt(1000).result, collect)
    expect(judge(frameAt(2000, { changed_percent: 90 }).result, collect)).toBeUndefined()
  })

  test('takes as many by chance as it is told in the mean, however many there are', () => {
    for (const everyMs of [100, 1000]) {
      const judge = judgeFrames()
      const many = { ...collect, random_per_day: 10_000 }
      let found = 0
      for (let ms = 0; ms < 24 * 3_600_000; ms += everyMs) if (judge(frameAt(ms).result, many)?.reason === 'random') found++
      expect(found).toBeGreaterThan(9000)
      expect(found).toBeLessThan(10_500)
    }
  })
})

describe('hard frames', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  const classes = [
    { name: 'other', colour: '#000000' },
    { name: 'road', colour: '#00c86e' },
  ]
  async function open(config = settings()) {
    const wanted: string[] = []
    const said: string[] = []
    const log = pino({ level: 'warn' }, { write: (line: string) => void said.push(line) })
    const frames = keepHardFrames(config, {
      state: dir,
      classes: () => classes,
      wantPicture: (camera) => wanted.push(camera),
      log,
    })
    const store = await frames.store
    const ids = () => store.list().map(({ captured_us, reason }) => `${captured_us / 1000} ${reason}`)
    return { frames, store, wanted, said, ids }
  }
  const unsure = { confidence: 0.5 }

  test('are off by default and leave no folder', async () => {
    const { frames, wanted } = await open(Config.parse({}))
    frames.mask(frameAt(1, unsure, 10))
    expect(await frames.keepNow('front')).toBeUndefined()
    await frames.close()
    expect([await readdir(dir), wanted, frames.counts()]).toEqual([[], [], {}])
  })

  test('one with a picture is kept with its picture, mask and facts', async () => {
    const { frames, store, wanted } = await open()
    const message = frameAt(5, unsure, 10)
    frames.mask(message)
    await frames.close()
    const [frame] = store.list()
    expect(frame).toMatchObject({ camera: 'front', reason: 'unsure', captured_us: 5000, keep: false })
    expect(await store.read(frame!.id, 'picture')).toEqual(Buffer.from(message.picture))
    expect(await store.read(frame!.id, 'mask')).toEqual(Buffer.from(message.mask))
    expect(JSON.parse(String(await store.read(frame!.id, 'facts')))).toMatchObject({
      reason: 'unsure',
      detail: 'confidence 0.5',
      result: message.result,
    })
    expect(wanted).toEqual([])
    expect(frames.counts()).toEqual({ hard_frames: { kept: 1, bytes: frame!.bytes, dropped: { slow_disk: 0, fault: 0 } } })
  })

  test('one without a picture has one asked for, once, and the next frame with a picture stands for it', async () => {
    const { frames, ids, wanted } = await open()
    frames.mask(frameAt(1, unsure))
    frames.mask(frameAt(2, unsure))
    frames.mask(frameAt(3, {}, 10))
    frames.mask(frameAt(4, {}, 10))
    await frames.close()
    expect([ids(), wanted]).toEqual([['3 unsure'], ['front']])
  })

  test('keep their distance in time and their number in a day, for each reason, also after a restart', async () => {
    const config = settings({ min_seconds: 10, per_day: 2 })
    const first = await open(config)
    for (const second of [0, 5, 10, 19, 20, 30]) {
      first.frames.mask(frameAt(1000 * second, unsure, 10))
      await first.frames.close()
    }
    expect(first.ids()).toEqual(['10000 unsure', '0 unsure'])
    const { frames, ids } = await open(config)
    frames.mask(frameAt(60_000, unsure, 10))
    frames.mask(frameAt(60_100, { changed_percent: 50 }, 10))
    await frames.close()
    frames.mask(frameAt(90_000_000, unsure, 10))
    await frames.close()
    expect(ids()).toEqual(['90000000 unsure', '60100 flicker', '10000 unsure', '0 unsure'])
  })

  test('stay within their size: the oldest go, marked ones stay, and where all are marked nothing more is kept', async () => {
    const { frames, store, ids, said } = await open(settings({ max_mib: 1 }))
    const add = async (ms: number) => {
      frames.mask(frameAt(ms, unsure, 300_000))
      await frames.close()
    }
    for (const ms of [1, 2, 3]) await add(ms)
    expect(await store.keep(store.list().at(-1)!.id)).toBe(true)
    await add(4)
    expect(ids()).toEqual(['4 unsure', '3 unsure', '1 unsure'])
    for (const { id } of store.list()) await store.keep(id)
    await add(5)
    expect(ids()).toEqual(['4 unsure', '3 unsure', '1 unsure'])
    expect(frames.counts().hard_frames!.dropped).toEqual({ slow_disk: 0, fault: 1 })
    expect(said).toEqual([expect.stringMatching(/no room within 1 MiB: all kept frames are marked to stay/)])
    const again = await open(settings({ max_mib: 1 }))
    expect(again.store.list()).toEqual(store.list())
  })

  test("an operator's click keeps the next picture, whatever the model says of it and however many there are", async () => {
    const { frames, ids, wanted } = await open(settings({ min_seconds: 1000, per_day: 1 }))
    frames.mask(frameAt(1, unsure, 10))
    const clicks = [frames.keepNow('front'), frames.keepNow('front')]
    frames.mask(frameAt(2, {}))
    frames.mask(frameAt(3, {}, 10))
    expect((await Promise.all(clicks)).map((kept) => kept?.reason)).toEqual(['operator', 'operator'])
    const late = frames.keepNow('front')
    frames.mask(frameAt(4, {}, 10))
    expect((await late)?.captured_us).toBe(4000)
    expect([ids(), wanted.length]).toEqual([['4 operator', '3 operator', '1 unsure'], 3])
  })

  test('one that somebody discards is gone', async () => {
    const { frames, store } = await open()
    frames.mask(frameAt(1, unsure, 10))
    await frames.close()
    const { id } = store.list()[0]!
    expect([await store.discard(id), await store.discard(id), await store.keep(id), await store.read(id, 'mask')]).toEqual([
      true,
      false,
      false,
      undefined,
    ])
    expect(await readdir(join(dir, 'hard-frames'))).toEqual([])
  })

  test('a disk that is too slow costs frames and never waits', async () => {
    const { frames, ids } = await open()
    for (let ms = 0; ms < 10; ms++) frames.mask(frameAt(ms, unsure, 10))
    await frames.close()
    expect([ids().length, frames.counts().hard_frames!.dropped]).toEqual([4, { slow_disk: 6, fault: 0 }])
  })

  test('half a frame that a crash left goes, and what is no frame is left alone', async () => {
    const folder = join(dir, 'hard-frames')
    const id = `1000.${encodeURIComponent('süd/1').replaceAll('.', '%2E')}.7.random`
    for (const name of [`.new-${id}`, '.new-1.a.1.random', id, 'notes']) {
      await mkdir(join(folder, name), { recursive: true })
      await writeFile(join(folder, name, 'mask.png'), 'mask')
    }
    await utimes(join(folder, `.new-${id}`), 1, 1)
    await writeFile(join(folder, '2000.a.1.random'), 'a file')
    const store = await openFrameStore(folder)
    expect(store.list()).toEqual([{ id, camera: 'süd/1', reason: 'random', captured_us: 1000, bytes: 4, keep: false }])
    expect((await readdir(folder)).sort()).toEqual(['.new-1.a.1.random', id, '2000.a.1.random', 'notes'])
    expect(await store.read('../hard-frames/notes', 'mask')).toBeUndefined()
    expect(await readFile(join(folder, 'notes/mask.png'), 'utf8')).toBe('mask')
  })
})

describe('over HTTP', () => {
  let site: MadeSite
  beforeEach(async () => {
    site = await openMadeSite('collect: { enabled: true, min_seconds: 0 }')
  })
  afterEach(() => site.close())
  function makeViewer() {
    const token = makeToken()
    return { token, hash: hashToken(token) }
  }
  const post = (path: string, method = 'POST') => site.ask(path, { method })

  test('an operator keeps what a camera sees, looks at it, marks it to stay and throws it away', async () => {
    const kept = post('/api/cameras/front/keep')
    const message = frameAt(5000, {}, 10)
    // Pictures come in until the request has arrived.
    const pictures = setInterval(() => site.hardFrames.mask(message), 20)
    const frame = await (await kept).json()
    clearInterval(pictures)
    expect(frame).toMatchObject({ camera: 'front', reason: 'operator', captured_us: 5_000_000, keep: false })
    expect(await (await site.ask('/api/hard-frames')).json()).toEqual([frame])
    const picture = await site.ask(`/api/hard-frames/${frame.id}/picture.jpg`)
    expect([picture.headers.get('content-type'), new Uint8Array(await picture.arrayBuffer())]).toEqual([
      'image/jpeg',
      message.picture,
    ])
    expect(await (await site.ask(`/api/hard-frames/${frame.id}/mask.png`)).text()).toBe('mask 5000')
    expect(await (await site.ask(`/api/hard-frames/${frame.id}/facts.json`)).json()).toMatchObject({
      reason: 'operator',
      result: { frame: 5000 },
    })
    expect(await (await post(`/api/hard-frames/${frame.id}/keep`)).json()).toEqual({ ...frame, keep: true })
    expect((await post(`/api/hard-frames/${frame.id}`, 'DELETE')).status).toBe(204)
    expect(await (await site.ask('/api/hard-frames')).json()).toEqual([])
  })

  test('what is not there, and a camera without a picture, are said', async () => {
    const statuses = [
      await site.ask('/api/hard-frames/none/picture.jpg'),
      await post('/api/hard-frames/none/keep'),
      await post('/api/hard-frames/none', 'DELETE'),
      await post('/api/cameras/nobody/keep'),
      await post('/api/cameras/rear/keep'),
    ].map(({ status }) => status)
    expect(statuses).toEqual([404, 404, 404, 404, 503])
    const off = await openMadeSite()
    try {
      const answer = await off.ask('/api/cameras/front/keep', { method: 'POST' })
      expect([answer.status, (await answer.json()).detail]).toEqual([
        409,
        expect.stringMatching(/collect: \{ enabled: true \}/),
      ])
    } finally {
      await off.close()
    }
  })

  test('a viewer looks and changes nothing', async () => {
    const { hash, token } = makeViewer()
    const guarded = await openMadeSite(
      `collect: { enabled: true }\naccess: { tokens: [{ name: eye, role: viewer, sha256: ${hash} }] }`,
    )
    try {
      const as = { authorization: `Bearer ${token}` }
      expect((await guarded.ask('/api/hard-frames')).status).toBe(401)
      expect((await guarded.ask('/api/hard-frames', { headers: as })).status).toBe(200)
      for (const [path, method] of [
        ['/api/cameras/front/keep', 'POST'],
        ['/api/hard-frames/x/keep', 'POST'],
        ['/api/hard-frames/x', 'DELETE'],
      ] as const)
        expect((await guarded.ask(path, { method, headers: as })).status).toBe(403)
    } finally {
      await guarded.close()
    }
  })
})
