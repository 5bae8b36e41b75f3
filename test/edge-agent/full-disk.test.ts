// What the agent writes while a real disk is full, and after.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepHardFrames } from '../../edge-agent/collect/hard-frames.ts'
import { openOutbox } from '../../edge-agent/publish/outbox.ts'
import { makeRecorder } from '../../edge-agent/record/recorder.ts'
import { readRecording } from '../../edge-agent/record/recording.ts'
import { Config } from '../../edge-agent/settings/config.ts'
import { mountTinyDisk, type TinyDisk } from '../tiny-disk.ts'
import { eventOf, maskOf } from './made-messages.ts'

const probe = mountTinyDisk(1)
probe?.unmount()

let disk: TinyDisk
let lines: { level: number; msg: string }[]
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
beforeEach(() => {
  lines = []
  disk = mountTinyDisk(4)!
})
afterEach(() => disk.unmount())
const names = (folder: string) => readdirSync(join(disk.folder, folder)).sort()

describe.skipIf(!probe)('a full disk', () => {
  test('gets no recording after the other: what is whole stays, and it goes on when there is room', async () => {
    const config = Config.parse({ record: { enabled: true, masks_per_second: 1000, max_mib: 8 } })
    const recorder = makeRecorder(config, disk.folder, log, 100)
    const feed = async (count: number) => {
      for (let i = 0; i < count; i++, await delay(20)) recorder.mask({ ...maskOf('front', i), mask: randomBytes(60_000) })
    }
    const counted = async (name: string) => {
      let messages = 0
      for await (const _ of readRecording(join(disk.folder, 'recordings', name))) messages++
      return messages
    }
    await feed(80) // twice of what it holds
    await expect.poll(() => recorder.counts().recorder!.dropped.fault).toBeGreaterThan(10)
    const full = names('recordings')
    await feed(40)
    expect(names('recordings')).toEqual(full)
    expect(full.length).toBeLessThanOrEqual(5)
    expect(lines.filter(({ level }) => level >= 50).length).toBeLessThanOrEqual(2)
    expect(lines.some(({ msg }) => /the disk of .*recordings is full: expected 1 MiB free/.test(msg))).toBe(true)
    const messages = await Promise.all(full.map(counted))
    expect(Math.min(...messages)).toBeGreaterThan(0)

    disk.empty()
    for (const name of full.slice(0, 2)) rmSync(join(disk.folder, 'recordings', name))
    await delay(150)
    await feed(5)
    await expect.poll(() => names('recordings').filter((name) => !full.includes(name)).length).toBe(1)
    await recorder.close()
    expect(lines.at(-1)!.msg).toMatch(/recording goes on|was not finished and is repaired/)
    for (const name of names('recordings')) {
      expect(
        readFileSync(join(disk.folder, 'recordings', name))
          .subarray(-8)
          .toString('latin1'),
      ).toContain('MCAP')
      expect(await counted(name)).toBeGreaterThan(0)
    }
  })

  test('keeps events in memory, and the number of the last one', async () => {
    const outbox = openOutbox(disk.folder, { max_mib: 1, max_days: 1 }, log)
    disk.fill()
    const add = () => {
      const event = outbox.number(eventOf('front', 'x'.repeat(3000)))
      outbox.add({ topic: 'a', payload: JSON.stringify(event), retain: false })
    }
    for (let i = 0; i < 10; i++) add()
    await expect.poll(() => outbox.next(9)?.sequence).toBe(10)
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining('is kept in memory alone: ENOSPC')])
    // Killed here: the next agent must not give one of these numbers again.
    const next = openOutbox(disk.folder, { max_mib: 1, max_days: 1 }, log)
    expect(next.number(eventOf('front', 'x')).sequence).toBe(11)
    await next.close()
    disk.empty()
    add()
    expect(names('.').some((name) => readFileSync(join(disk.folder, name), 'utf8').includes('"events":11'))).toBe(true)
    await outbox.close()
  })

  test('gets no halves of hard frames', async () => {
    const config = Config.parse({ collect: { enabled: true, min_seconds: 0 } })
    const classes = ['other', 'road'].map((name) => ({ name, colour: '#00c86e' }))
    const frames = keepHardFrames(config, { state: disk.folder, classes: () => classes, wantPicture() {}, log })
    await frames.store
    const keep = async (frame: number) => {
      const kept = frames.keepNow('front')
      frames.mask(maskOf('front', frame, 100_000))
      return kept
    }
    expect(await keep(1)).toBeDefined()
    disk.fill(50_000)
    expect(await keep(2)).toBeUndefined()
    expect(names('hard-frames')).toHaveLength(1)
    expect(frames.counts().hard_frames!.dropped).toEqual({ slow_disk: 0, fault: 1 })
    expect(lines.at(-1)!.msg).toContain('a hard frame is not kept: ENOSPC')
    disk.empty()
    expect(await keep(3)).toBeDefined()
    expect(names('hard-frames')).toHaveLength(2)
    await frames.close()
  })
})
