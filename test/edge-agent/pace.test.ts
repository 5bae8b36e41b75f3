import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Result } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { startAgent } from './running-agent.ts'

let dir: string
const frames = 60
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-pace-'))
  await writeBrightBundle(join(dir, 'bundle'))
  const text = `videotestsrc num-buffers=${frames} ! video/x-raw,width=320,height=240,framerate=5/1 ! x264enc tune=zerolatency ! mp4mux ! filesink location=${dir}/video.mp4`
  expect(spawnSync('gst-launch-1.0', ['-q', ...text.split(' ')]).status).toBe(0)
}, 60_000)
afterAll(() => rm(dir, { recursive: true, force: true }))

const start = (loop: boolean) =>
  startAgent(`
bundle: ${dir}/bundle
cameras: [{ name: road, source: "file:${dir}/video.mp4", pace: model, loop: ${loop} }]
broker: { port: 0 }`)

test('at the pace of the model every frame of a video gets its mask, faster than it would play', async () => {
  const agent = await start(false)
  try {
    const { masks, texts } = await agent.watch()
    const ended = () => texts.some((said) => said.type === 'status' && said.reason === 'The video has ended')
    await vi.waitUntil(ended, { timeout: 60_000 })
    const online = texts.find((said) => said.type === 'status' && said.state === 'online')
    const over = texts.find((said) => said.type === 'status' && said.reason === 'The video has ended')
    await vi.waitUntil(() => masks.at(-1)?.result.frame === frames, { timeout: 10_000 })
    expect(masks.at(-1)!.result.dropped).toBe(0) // a slow viewer may miss masks, but all were made
    // 12 seconds at its own speed.
    if (online?.type === 'status' && over?.type === 'status') expect(over.since_us - online.since_us).toBeLessThan(11e6)
  } finally {
    await agent.stop()
  }
}, 120_000)

test('and begins again after its end', async () => {
  const agent = await start(true)
  try {
    const { masks, texts } = await agent.watch()
    await vi.waitUntil(() => masks.length > 0 && masks.at(-1)!.result.frame > 2.5 * frames, { timeout: 60_000 })
    expect(masks.at(-1)!.result.dropped).toBe(0)
    expect(texts.some((said) => said.type === 'event' && said.event.type === 'camera_lost')).toBe(false) // one process all along
    expect(agent.log.some(({ msg }) => /replaced|lost/.test(msg))).toBe(false)
    expect(Math.max(...masks.map(({ result }) => result.age_ms))).toBeLessThan(5000) // its own time is an hour ahead by and by
  } finally {
    await agent.stop()
  }
}, 120_000)

test('a video that is played once by the clock gives its last frame, also to a model that was still loading at its end', async () => {
  const picture = 'videotestsrc num-buffers=1 ! video/x-raw,width=320,height=240,framerate=30/1 ! x264enc ! mp4mux'
  const words = ['-q', ...picture.split(' '), '!', 'filesink', `location=${dir}/short.mp4`]
  expect(spawnSync('gst-launch-1.0', words).status).toBe(0)
  const agent = await startAgent(`
bundle: ${dir}/bundle
cameras: [{ name: road, source: "file:${dir}/short.mp4", loop: false }]
broker: { port: 0 }`)
  try {
    const { texts } = await agent.watch()
    const ended = () => texts.some((said) => said.type === 'status' && said.reason === 'The video has ended')
    await vi.waitUntil(ended, { timeout: 60_000 })
    const camera = async () => (await (await fetch(new URL('api/cameras/road', agent.url))).json()) as { result?: Result }
    // The status may overtake the mask. Of more frames the sink may drop some, which nobody counts.
    await expect.poll(async () => (await camera()).result?.frame, { timeout: 10_000 }).toBe(1)
  } finally {
    await agent.stop()
  }
}, 120_000)
