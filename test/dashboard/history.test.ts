// The view of the past in a real Chromium, on a real agent that was filled with a day before it started.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLevels } from '../../edge-agent/history/levels.ts'
import { addMask, makeTally, type Span, spanOf } from '../../edge-agent/history/tally.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { maskOf } from '../edge-agent/made-messages.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { chromiumPath, launchChromium, noChromium, type Visit, visit } from './browser.ts'

let dir: string
let agent: RunningAgent
let browser: Browser

const config = (pattern: 'white' | 'black', more = '') => `device: history
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
cameras:
  - name: front
    source: 'gst:videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=320,height=240,framerate=5/1'
    zones: [{ name: ahead, polygon: [[0.4, 0.9], [0.45, 0.6], [0.55, 0.6], [0.6, 0.9]], hold_s: 0.3 }]
${more}`

/** Ten minutes to a day ago a camera that is gone saw 30 % road, and one that runs 70 %; an hour of it is missing. */
/** A chart is drawn anew when its values come: between the two there is no box. */
async function boxOf(element: Locator) {
  const box = await vi.waitUntil(() => element.boundingBox(), { timeout: 20_000 })
  return box as NonNullable<typeof box>
}

async function fill(folder: string) {
  const levels = await openLevels(folder, () => ({ bytes: 2 ** 25, seconds: 1e7 }))
  const now = Math.floor(Date.now() / 60_000) * 60
  const spans: Span[] = []
  for (let t = now - 86_400; t < now - 600; t += 60)
    for (const [camera, road_percent] of [['front', 70] as const, ['gone', 30] as const]) {
      if (t >= now - 14_400 && t < now - 10_800) continue
      const tally = makeTally()
      tally.seconds = 60
      for (let i = 0; i < 60; i++) addMask(tally, { ...maskOf(camera, 1).result, road_percent }, 0)
      spans.push(spanOf(tally, t, camera))
    }
  await levels.add(spans)
}

const open = async (options = {}): Promise<Visit> => {
  const visited = await visit(browser, `${agent.url}#history`, options)
  await visited.page.locator('.u-over').first().waitFor()
  return visited
}
const chart = ({ page }: Visit, name: string) => page.getByRole('region', { name })
const slow = { timeout: 30_000 }

describe.skipIf(!chromiumPath)(`the view of the past in Chromium${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'bundle'))
    await fill(join(dir, 'state/history'))
    agent = await startAgent(config('black'), [], { ROADMASK_STATE_DIR: join(dir, 'state') })
    browser = await launchChromium()
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await agent?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('charts of a day, of the cameras that are chosen, and all of it as a table', { timeout: 60_000 }, async () => {
    const visited = await open()
    const { page } = visited
    await page.getByRole('radio', { name: 'Day' }).check()
    await expect
      .poll(() => chart(visited, 'Road').locator('.summary').textContent(), slow)
      .toMatch(/gone 30 % in the mean, 30 to 30/)
    await page.getByText('Values as a table').click()
    const cells = page.locator('.values td')
    await expect.poll(() => cells.count(), slow).toBeGreaterThan(100)
    expect(await page.locator('.values thead').textContent()).toContain('Road: gone, %')
    await page.getByRole('checkbox', { name: 'gone' }).uncheck()
    await expect.poll(() => chart(visited, 'Latency by stage').count(), slow).toBe(1)
    await expect.poll(() => page.locator('.values thead').textContent(), slow).not.toContain('gone')
    expect(visited.complaints).toEqual([])
    expect(new Set(visited.requests.map((address) => new URL(address).host))).toEqual(new Set([new URL(agent.url).host]))
    await page.context().close()
  })

  test('one moment for all charts, by pointer and by keys, and what was not recorded is no value', {
    timeout: 60_000,
  }, async () => {
    const visited = await open()
    const { page } = visited
    await page.getByRole('radio', { name: '6 h' }).check()
    const road = () => chart(visited, 'Road').locator('.legend').textContent()
    await expect.poll(road, slow).toContain('gone')
    const over = page.locator('.u-over').first()
    const { width } = await boxOf(over)
    await over.hover({ position: { x: 0.2 * width, y: 40 } })
    await expect.poll(road).toMatch(/front 70.*gone 30/)
    expect(await chart(visited, 'Latency').locator('.legend').textContent()).toMatch(/front 21/)
    await over.hover({ position: { x: 0.42 * width, y: 40 } }) // 3.5 hours ago
    await expect.poll(road).toMatch(/front –.*gone –/)

    const slider = page.getByRole('slider', { name: 'Moment' })
    await slider.focus()
    await page.keyboard.press('Home')
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight')
    expect(await slider.inputValue()).toBe('5')
    await expect.poll(road).toMatch(/front 70.*gone 30/)
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/Road, %: front 70, gone 30/)
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.moment output').textContent()).toBe('Newest values')
    await page.context().close()
  })

  test('a part of the time that is drawn over is shown finer, and there is a way back', { timeout: 60_000 }, async () => {
    const visited = await open()
    const { page } = visited
    await page.getByRole('radio', { name: 'Day' }).check()
    await expect.poll(() => chart(visited, 'Road').locator('.legend').textContent(), slow).toContain('gone')
    const href = () => page.getByRole('link', { name: 'Charts as CSV' }).getAttribute('href')
    const seconds = async () => {
      const query = new URL((await href())!).searchParams
      return (Date.parse(query.get('to')!) - Date.parse(query.get('from')!)) / 1000
    }
    await expect.poll(seconds, slow).toBe(86_400)
    await page.locator('.u-over').first().scrollIntoViewIfNeeded()
    const { x, y, width } = await boxOf(page.locator('.u-over').first())
    await page.mouse.move(x + 0.25 * width, y + 40)
    await page.mouse.down()
    await page.mouse.move(x + 0.4 * width, y + 50)
    await page.mouse.move(x + 0.5 * width, y + 50)
    await page.mouse.up()
    await expect.poll(async () => Math.abs((await seconds()) - 21_600) < 900, slow).toBe(true)
    await page.getByRole('button', { name: 'Zoom in' }).click()
    await expect.poll(async () => Math.abs((await seconds()) - 10_800) < 450, slow).toBe(true)
    await page.getByRole('button', { name: 'Back to now' }).click()
    await expect.poll(seconds, slow).toBe(86_400)
    const table = await (await fetch((await href())!)).text()
    expect(table).toMatch(/^time,seconds,camera,/)
    await page.context().close()
  })

  test('what happens now comes in by itself: points at the right edge, and events with their pictures', {
    timeout: 90_000,
  }, async () => {
    const visited = await open()
    const { page } = visited
    await expect.poll(() => chart(visited, 'Road').locator('.legend').textContent(), slow).toMatch(/front 0/)
    await expect.poll(() => chart(visited, 'Zones').locator('.legend').textContent(), slow).toMatch(/front, ahead blocked/)
    await agent.save(config('white'))
    const clear = page.locator('.event-list li', { hasText: 'front, ahead: zone clear' })
    await clear.waitFor(slow)
    await clear.getByRole('button', { name: /Show the picture large/ }).click(slow)
    const large = page.getByRole('dialog').locator('img')
    await expect.poll(() => large.evaluate((image: HTMLImageElement) => image.naturalWidth), slow).toBe(320)
    await page.keyboard.press('Escape')
    await page.getByLabel('Kind of events').selectOption({ label: 'Drift' })
    await expect.poll(() => page.locator('.event-list li').count(), slow).toBe(0)
    await page.getByLabel('Kind of events').selectOption({ label: 'Zones' })
    await expect.poll(() => page.locator('.event-list li').count(), slow).toBeGreaterThanOrEqual(2)
    await expect.poll(() => chart(visited, 'Road').locator('.legend').textContent(), slow).toMatch(/front 100/)
    expect(visited.complaints).toEqual([])
    await page.context().close()
  })

  test('on a phone in the dark nothing is wider than the screen', { timeout: 60_000 }, async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true, isMobile: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(wide).toBeLessThanOrEqual(390)
    const small = await page
      .locator('.history :is(button, a.button, select):visible')
      .evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 43.5).map((one) => one.textContent))
    expect(small).toEqual([])
    await page.context().close()
  })

  test('where nothing is recorded it says so, and what will come', { timeout: 60_000 }, async () => {
    const other = await startAgent(
      `device: fresh\nbroker: { port: 0 }\nhistory: { enabled: false }\ncameras: [{ name: a, source: test, enabled: false }]`,
    )
    try {
      const { page } = await visit(browser, `${other.url}#history`)
      const notice = page.locator('.over-time .empty')
      await expect.poll(() => notice.textContent(), slow).toContain('"history.enabled" is off')
      await expect.poll(() => page.locator('.happened .none').textContent(), slow).toContain('Nothing happened in this time')
      await page.context().close()
    } finally {
      await other.stop()
    }
  })
})
