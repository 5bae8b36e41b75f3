// The page in a real Chromium, told exactly what to show by a real server: pixels, pairs, states, keys, and its size.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Result } from '../../edge-agent/wire.ts'
import { blend, type Colour, chromiumPath, distance, launchChromium, look, noChromium, type Visit, visit } from './browser.ts'
import { encodeMask, helloOf, makeResult, type PageServer, servePage, statusOf } from './serve-page.ts'

const tint: Colour = [0x1f, 0xe5, 0xc3]
const asphalt: Colour = [110, 100, 90]
const jpeg = (colour: Colour, width = 320, height = 180) =>
  sharp({ create: { width, height, channels: 3, background: { r: colour[0], g: colour[1], b: colour[2] } } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer()

// The model sees the middle half of the camera's width; of what it sees, the right half is road.
const size = {
  width: 80,
  height: 90,
  camera_width: 320,
  camera_height: 180,
  region: [80, 0, 160, 180],
} satisfies Partial<Result>
const halfRoad = (right: boolean) =>
  encodeMask(
    Uint8Array.from({ length: 80 * 90 }, (_, i) => (i % 80 >= 40 === right ? 1 : 0)),
    80,
    90,
  )
const outside = 0.1
const other = 0.4
const road = 0.6

let browser: Browser
let server: PageServer
let visited: Visit
let page: Page
let frame = 0

const tile = (camera = 'front') => page.locator(`road-view[aria-label="Camera ${camera}"]`)
const shows = (text: string, camera = 'front') => tile(camera).getByText(text).filter({ visible: true }).first().waitFor()
const condition = (kind: string, camera = 'front') =>
  page.waitForSelector(`road-view[aria-label="Camera ${camera}"][data-condition="${kind}"]`, { state: 'attached' })

type Parts = Partial<Record<'mask' | 'picture', Uint8Array>>

async function sendFrame(facts: Partial<Result> = {}, { mask = halfRoad(true), picture }: Parts = {}) {
  const result = makeResult({ ...size, frame: ++frame, road_percent: 50, ...facts })
  const message = { result, mask, picture: picture ?? (await jpeg(asphalt)) }
  server.send(message)
  return message
}
/** Sends a frame and goes on sending it, so that it stays live however slow the machine is; `stopStream` ends that. */
async function stream(facts: Partial<Result> = {}, parts: Parts = {}) {
  stopStream()
  const message = await sendFrame(facts, parts)
  const timer = setInterval(() => server.send(message), 300)
  stopStream = () => clearInterval(timer)
  return message
}
let stopStream = () => {}
const drawn = ({ result }: { result: Result }) =>
  page.waitForFunction(
    ({ camera, frame }) =>
      [...document.querySelectorAll('road-view')].some((view) => {
        const { shown } = view as unknown as { shown?: Result }
        return shown?.camera === camera && shown.frame === frame
      }),
    result,
  )
const canvas = (camera = 'front') => look(tile(camera).locator('canvas'), 320 / 180)
/** Waits until the picture has turned grey, which takes the time of a transition. */
const greyed = () =>
  expect
    .poll(() =>
      tile()
        .locator('canvas')
        .evaluate((element) => getComputedStyle(element).filter),
    )
    .toContain('grayscale(1)')
async function setOpacity(percent: number) {
  await page.locator('#opacity').fill(String(percent))
}

describe.skipIf(!chromiumPath)(`the page in Chromium${noChromium}`, () => {
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    server = await servePage()
    server.greet(helloOf(statusOf('front')))
    visited = await visit(browser, server.url)
    page = visited.page
    await tile().waitFor()
  })
  afterEach(async () => {
    stopStream()
    await page.context().close()
    await server.close()
  })

  test('tints the road and only the road, at the place that the region says', async () => {
    await drawn(await stream())
    await setOpacity(60)
    await condition('live')
    const at = await canvas()
    expect(distance(at(road, 0.5), blend(asphalt, tint, 0.6))).toBeLessThan(6)
    expect(distance(at(0.74, 0.02), blend(asphalt, tint, 0.6))).toBeLessThan(6)
    expect(distance(at(other, 0.5), asphalt)).toBeLessThan(6)
    expect(distance(at(0.48, 0.98), asphalt)).toBeLessThan(6)
    // What the model did not see is dimmed on both sides, not tinted.
    for (const x of [outside, 1 - outside, 0.24, 0.77])
      expect(distance(at(x, 0.5), blend(asphalt, [0, 0, 0], 0.5))).toBeLessThan(6)
    await shows('50%')
  })

  test('changes pixels with the opacity and with each mode', async () => {
    await drawn(await stream())
    await condition('live')
    await setOpacity(0)
    expect(distance((await canvas())(road, 0.5), asphalt)).toBeLessThan(6)
    await setOpacity(100)
    expect(distance((await canvas())(road, 0.5), tint)).toBeLessThan(6)

    await page.getByLabel('Picture').check()
    const picture = await canvas()
    for (const x of [outside, other, road]) expect(distance(picture(x, 0.5), asphalt)).toBeLessThan(6)
    expect(await page.locator('#opacity').isDisabled()).toBe(true)

    await page.getByLabel('Outline').check()
    const outline = await canvas()
    expect(distance(outline(road, 0.5), asphalt)).toBeLessThan(6)
    expect(distance(outline(0.5, 0.5), tint)).toBeLessThan(40)

    await page.getByLabel('Mask').check()
    const mask = await canvas()
    expect(distance(mask(road, 0.5), tint)).toBeLessThan(6)
    for (const x of [outside, other]) expect(Math.max(...mask(x, 0.5))).toBeLessThan(40)

    await page.reload()
    expect(await page.getByLabel('Mask').isChecked()).toBe(true)
  })

  test('finds the road among several classes by its id', async () => {
    const palette: Colour[] = [
      [0, 0, 0],
      [244, 35, 232],
      [128, 64, 128],
    ]
    const ids = Uint8Array.from({ length: 80 * 90 }, (_, i) => (i % 80 >= 40 ? 2 : 1))
    const facts = { classes: ['other', 'pavement', 'road'], road_class: 2 }
    await drawn(await stream(facts, { mask: encodeMask(ids, 80, 90, palette) }))
    await setOpacity(100)
    await condition('live')
    const at = await canvas()
    expect(distance(at(road, 0.5), tint)).toBeLessThan(6)
    expect(distance(at(other, 0.5), asphalt)).toBeLessThan(6)
    await page.getByLabel('Mask').check()
    expect(distance((await canvas())(other, 0.5), palette[1]!)).toBeLessThan(6)
  })

  test('never shows a mask over the picture of another frame', async () => {
    await setOpacity(100)
    const red = await jpeg([200, 30, 30])
    const blue = await jpeg([30, 30, 200])
    // Red pictures have their road on the right, blue ones on the left, and masks without a picture are the wrong way round.
    let stop = false
    const sending = (async () => {
      for (let i = 0; !stop; i++) {
        const isRed = i % 2 === 0
        await sendFrame({}, { picture: isRed ? red : blue, mask: halfRoad(isRed) })
        await sendFrame({}, { picture: new Uint8Array(), mask: halfRoad(!isRed) })
        await new Promise((resolve) => setTimeout(resolve, 7))
      }
    })()
    await condition('live')
    const seen = await page.evaluate(async () => {
      const canvas = document.querySelector('canvas')
      const context = new OffscreenCanvas(1, 1).getContext('2d')
      const kinds: Record<string, number> = {}
      if (!canvas || !context) return kinds
      for (let i = 0; i < 90; i++) {
        await new Promise(requestAnimationFrame)
        Object.assign(context.canvas, { width: canvas.width, height: canvas.height })
        context.drawImage(canvas, 0, 0)
        const at = (x: number) => context.getImageData(Math.floor(canvas.width * x), canvas.height >> 1, 1, 1).data
        const kind = `${at(0.1)[0]! > at(0.1)[2]! ? 'red' : 'blue'}, road ${at(0.6)[1]! > 150 ? 'right' : ''}${at(0.4)[1]! > 150 ? 'left' : ''}`
        kinds[kind] = (kinds[kind] ?? 0) + 1
      }
      return kinds
    })
    stop = true
    await sending
    expect(Object.keys(seen).sort()).toEqual(['blue, road left', 'red, road right'])
  })

  test('counts the facts of a mask without a picture, and keeps the last pair', async () => {
    const pair = await sendFrame({ road_percent: 50 })
    await drawn(pair)
    await sendFrame({ road_percent: 77 }, { picture: new Uint8Array(), mask: halfRoad(false) })
    await shows('77%')
    await drawn(pair)
    await page.getByLabel('Mask').check() // no picture to agree with: the newest mask
    await page.waitForFunction(
      (frame) => (document.querySelector('road-view') as unknown as { shown: Result }).shown.frame === frame,
      frame,
    )
  })

  test('shows each mask alone where the agent sends no pictures', async () => {
    const none = { picture: new Uint8Array() }
    await drawn(await stream({}, none)) // after a while: a picture might have been on its way
    await drawn(await stream({}, { ...none, mask: halfRoad(false) }))
    await condition('live')
    const at = await canvas()
    expect(distance(at(other, 0.5), tint)).toBeLessThan(6)
    expect(Math.max(...at(road, 0.5))).toBeLessThan(40)
  })

  test('greys a picture that grew old and says how old it is', async () => {
    await drawn(await stream())
    await condition('live')
    stopStream()
    await condition('stale')
    await shows('Stale picture')
    await shows('s old. No newer one came')
    await greyed()
    const [red, green, blue] = (await canvas())(road, 0.25)
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeLessThan(4)
    await drawn(await stream())
    await condition('live')
  })

  test('draws zones with their state and the end of the free space over the picture, told in words too, until they are switched off', async () => {
    const square = (left: number) => [
      [left, 0.4],
      [left + 0.2, 0.4],
      [left + 0.2, 0.8],
      [left, 0.8],
    ]
    const shapes = ['gate', 'lane', 'yard'].map((name, i) => ({ name, polygon: square(0.1 + 0.3 * i) as [number, number][] }))
    server.send({ ...helloOf(statusOf('front')), zones: { front: shapes } })
    await setOpacity(0)
    await drawn(
      await stream({
        zones: [
          { name: 'gate', road_percent: 12, blocked: true },
          { name: 'lane', road_percent: 80, blocked: false },
          { name: 'yard', road_percent: 20, blocked: false, pending: true },
        ],
        free_space: { end_y: [0.9, 0.9], metres: [12.4, null] },
        drift: { score: 1.8, active: true },
      }),
    )
    await condition('live')
    for (const text of ['gate blocked, 12 %', 'lane clear, 80 %', 'yard clear, closing, 20 %', 'Unlike the training pictures'])
      await shows(text)
    const red: Colour = [255, 92, 77]
    const green: Colour = [61, 220, 132]
    const yellow: Colour = [255, 210, 63]
    // What the model does not see is dimmed, and the inside of a blocked zone is red over that.
    const dim = blend(asphalt, [0, 0, 0], 0.5)
    expect(distance((await canvas())(0.12, 0.6), blend(dim, red, 0.22))).toBeLessThan(8)
    /** The closest that any pixel near a place comes to a colour. */
    const near = async (x: number, y: number, colour: Colour) => {
      const at = await canvas()
      return Math.min(...[-2, -1, 0, 1, 2].map((step) => distance(at(x + step / 600, y + step / 400), colour)))
    }
    expect(await near(0.1, 0.6, red)).toBeLessThan(40)
    expect(await near(0.6, 0.6, green)).toBeLessThan(40)
    expect(await near(0.35, 0.9, yellow)).toBeGreaterThan(60)
    await page.getByLabel('Free space').check()
    await expect.poll(() => near(0.35, 0.9, yellow)).toBeLessThan(40)
    await page.getByRole('checkbox', { name: 'Zones' }).uncheck()
    await expect.poll(() => near(0.6, 0.6, green)).toBeGreaterThan(60)
    expect(await near(0.35, 0.9, yellow)).toBeLessThan(40)
  })

  test('says why a camera is lost, and tells screen readers', async () => {
    await drawn(await stream())
    await condition('live')
    server.send({ type: 'status', ...statusOf('front', 'offline', 'no route to host') })
    await condition('lost')
    await shows('no route to host')
    await page.getByRole('status').filter({ hasText: 'front: Camera lost. no route to host' }).waitFor({ state: 'attached' })
    server.send({ type: 'status', ...statusOf('front') })
    await drawn(await stream())
    await condition('live')
  })

  test('shows a broken mask as a fault and goes on with the next good one', async () => {
    await sendFrame({}, { mask: Uint8Array.of(1, 2, 3) })
    await shows('The mask of 3 bytes could not be decoded')
    await sendFrame({ width: 40 })
    await shows('Expected a mask of 40 x 90, found 80 x 90')
    await drawn(await stream())
    await condition('live')
  })

  test('comes back by itself after the agent was gone, with its last picture greyed meanwhile', async () => {
    await drawn(await stream())
    await condition('live')
    const { port } = server
    stopStream()
    await server.close()
    await page.getByText('Agent lost for').waitFor()
    await page.getByText('No agent answers at').first().waitFor()
    await condition('cut')
    await shows('This picture is')
    await greyed()
    server = await servePage({ port })
    server.greet(helloOf(statusOf('front')))
    await expect.poll(() => server.clients(), { timeout: 20_000 }).toBe(1)
    await drawn(await stream())
    await condition('live')
    await page.getByText('Agent lost for').waitFor({ state: 'hidden' })
  })

  test('passes on what the agent says when it closes the line', async () => {
    server.disconnect(1001, 'updating the model')
    await page.getByText('The agent closed the connection: updating the model').first().waitFor()
    await expect.poll(() => server.clients()).toBe(1)
  })

  test('gives up a line on which nothing is heard and opens another', async () => {
    await page.clock.install()
    await page.reload()
    await tile().waitFor()
    const lines = () => visited.requests.filter((address) => address.endsWith('/ws')).length
    const before = lines()
    await page.clock.fastForward(19_000)
    await page.clock.runFor(500)
    expect(lines()).toBe(before)
    await page.clock.fastForward(2_000)
    await page.getByText('Nothing heard for').first().waitFor({ state: 'attached' }) // the page may be back already
    await page.clock.fastForward(1_000)
    await expect.poll(lines).toBe(before + 1)
    await page.getByText('Agent lost for').waitFor({ state: 'hidden' })
  })

  test('says that it is out of date where the agent speaks another version', async () => {
    server.send({ ...helloOf(statusOf('front')), version: 2 as 1 })
    await page.getByText('It reads messages of version 1, the agent sends version 2').waitFor()
    await page.getByRole('button', { name: 'Load again' }).click()
    await tile().waitFor()
    await page.getByText('out of date').waitFor({ state: 'hidden' })
  })

  test('closes the line while the tab is hidden and opens it when it is seen again', async () => {
    // No headless browser hides a tab, so the page is told that it is hidden.
    const hide = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await expect.poll(() => server.clients()).toBe(1)
    await hide(true)
    await expect.poll(() => server.clients()).toBe(0)
    await hide(false)
    await expect.poll(() => server.clients()).toBe(1)
    await page.getByText('Agent lost for').waitFor({ state: 'hidden' })
  })

  test('has a tile for each camera, opened and closed by click and by key', async () => {
    server.send(helloOf(statusOf('front'), statusOf('rear'), statusOf('left')))
    await page.getByRole('button', { name: 'Show camera rear in full' }).focus()
    await page.keyboard.press('Enter')
    // The page arranges itself at `hashchange`, which comes after the key press is done.
    await tile('front').waitFor({ state: 'hidden' })
    await tile('rear').waitFor()
    expect(page.url()).toContain('#camera/rear')
    await page.keyboard.press('ArrowRight')
    await tile('left').waitFor()
    await tile('rear').waitFor({ state: 'hidden' })
    await page.keyboard.press('Escape')
    await tile('front').waitFor()
    await tile('left').getByRole('button').click()
    await page.getByRole('button', { name: 'All cameras', exact: true }).click()
    await tile('front').waitFor()
    server.send(helloOf(statusOf('rear')))
    await tile('front').waitFor({ state: 'detached' })
  })

  test('keeps the chosen theme', async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.getByRole('button', { name: 'Theme: as the system' }).click()
    await page.getByRole('button', { name: 'Theme: light' }).waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Theme: light' }).waitFor()
    expect(await ground()).toBe(light)
  })

  test('fits a phone without scrolling sideways, with the road share in the first view', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    server.send(helloOf(statusOf('front'), statusOf('rear')))
    await drawn(await stream())
    await shows('50%')
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
    expect(
      await tile()
        .getByText('50%')
        .evaluate((element) => element.getBoundingClientRect().bottom),
    ).toBeLessThan(740)
  })

  test('asks for nothing elsewhere and has nothing to complain about', async () => {
    await drawn(await stream())
    for (const mode of ['Outline', 'Mask', 'Picture', 'Tint']) await page.getByLabel(mode).check()
    await setOpacity(30)
    await condition('live')
    expect(visited.complaints).toEqual([])
    expect(new Set(visited.requests.map((address) => new URL(address).host))).toEqual(new Set([`127.0.0.1:${server.port}`]))
  })
})

test('the page asks for its scripts at once: the document names all that page.js imports, and nothing else', async () => {
  const imported = new Set<string>()
  async function follow(file: string) {
    if (imported.has(file)) return
    imported.add(file)
    const text = await readFile(join('build', file), 'utf8')
    for (const [, path] of text.matchAll(/^(?:import|export)[^;]*?\bfrom '(\.[^']+)'/gm))
      await follow(join(dirname(file), path!))
  }
  await follow('dashboard/page.js')
  imported.delete('dashboard/page.js')
  const html = await readFile('dashboard/index.html', 'utf8')
  const named = [...html.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, path]) => path)
  expect(named.sort()).toEqual([...imported].sort())
})

test('the whole page is under 150 kB compressed', async () => {
  const sizes = async (dir: string, kind: RegExp) => {
    const names = (await readdir(dir, { recursive: true })).filter((name) => kind.test(name))
    return Promise.all(names.map(async (name) => gzipSync(await readFile(join(dir, name))).length))
  }
  const files = [...(await sizes('build/dashboard', /\.js$/)), ...(await sizes('dashboard', /\.(html|css|svg)$/))]
  files.push(gzipSync(await readFile('build/edge-agent/wire.js')).length)
  expect(files.length).toBeGreaterThan(15)
  expect(files.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(150_000)
})
