// Cameras set up and zones drawn in a real Chromium on a real agent: what is seen there is what comes to stand in the config file,
// in /api/config and on MQTT.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashToken } from '../../edge-agent/serve/access.ts'
import type { Result } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type Subscriber, subscribe } from '../edge-agent/mosquitto.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { chromiumPath, launchChromium, noChromium, type Visit, visit } from './browser.ts'

const tokens = { viewer: 'rmt_viewer', operator: 'rmt_operator' }
// A picture that stands still: bars of white, yellow, cyan, green, magenta, red and blue. The bundle calls road what is brighter than
// mid-grey in the mean of its colours, so all but green, red and blue.
const bars = 'gst:videotestsrc is-live=true pattern=smpte100 ! video/x-raw,width=640,height=360,framerate=10/1'
const above = `
  # what the lorries pass
  - name: gate   # not the old one
    source: "${bars}"
  - name: side
    rotation: 90
    region: [0.1, 0.2, 0.7, 0.6]
    source: "${bars}"
    zones:
      - { name: odd, polygon: [[0.13, 0.11], [0.81, 0.37], [0.63, 0.77], [0.22, 0.69], [0.4, 0.45]], hold_s: 0 }   # as measured
`
let dir: string
let agent: RunningAgent
let listener: Subscriber
let browser: Browser
let operator: Visit

async function signIn(token: string, hash: string, options = {}) {
  const seen = await visit(browser, new URL(hash, agent.url).href, options)
  await seen.page.getByLabel('Password or token').fill(token)
  await seen.page.getByRole('button', { name: 'Sign in' }).click()
  return seen
}
const file = () => readFile(agent.file, 'utf8')
const result = (camera: string) => JSON.parse(listener.text(`roadmask/yard/${camera}/result`).at(-1) ?? '{}') as Result
const stage = (page: Page) => page.locator('.setup-stage svg')
/** Where a place of the picture is on the screen. */
async function at(page: Page, x: number, y: number) {
  const box = (await stage(page).boundingBox())!
  return [box.x + x * box.width, box.y + y * box.height] as const
}
const press = async (page: Page, x: number, y: number) => page.mouse.click(...(await at(page, x, y)))
/** Not what a browser says of a page that asks to sign in, or of an answer that refuses. */
const unasked = (complaint: string) =>
  !/40[13]|412|422|Authentication failed|before the connection is established/.test(complaint)
const label = (element: Locator) => element.getAttribute('aria-label')

describe.skipIf(!chromiumPath)(`cameras and zones in Chromium${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'bundle'))
    agent = await startAgent(`# The yard
device: yard
bundle: ${join(dir, 'bundle')}
broker: { port: 0 }
mqtt: { results_per_second: 5 }
access:
  tokens:
    - { name: v, role: viewer, sha256: ${hashToken(tokens.viewer)} }
    - { name: o, role: operator, sha256: ${hashToken(tokens.operator)} }
cameras:${above}`)
    listener = await subscribe(agent.mqtt, 'roadmask/yard/#', 4, { username: 'x', password: tokens.viewer })
    browser = await launchChromium()
    operator = await signIn(tokens.operator, '#cameras')
  })
  afterAll(async () => {
    await browser?.close()
    await listener?.stop()
    await agent?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('a camera is tested, with what is wrong in words, added, switched off and on, and removed after a question', async () => {
    const { page } = operator
    await page.getByRole('link', { name: 'Add a camera' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('new')
    await page.getByLabel('Kind').selectOption('file')
    await page.getByLabel('Path on the device').fill('/nowhere.mp4')
    await page.getByRole('button', { name: 'Test' }).click()
    await page.getByText('There is no file /nowhere.mp4').waitFor()
    await page.getByLabel('Kind').selectOption('test')
    await page.getByLabel('Width').fill('320')
    await page.getByLabel('Height').fill('240')
    await page.getByLabel('Turn the picture').selectOption('90')
    await page.getByRole('button', { name: 'Test' }).click()
    await page.getByText(/It works: 320 × 240 I420, \d+\.\d pictures a second/).waitFor({ timeout: 30_000 })
    expect(
      await page.locator('.setup-stage canvas').evaluate(({ width, height }: HTMLCanvasElement) => [width, height]),
    ).toEqual([240, 320])
    const before = await file()
    await page.getByRole('button', { name: 'Add camera' }).click()
    await page.getByText(`new: Saved in ${agent.file}. It holds from now on.`).waitFor({ timeout: 20_000 })
    expect(await file()).toBe(`${before}  - name: new\n    source: test\n    rotation: 90\n    width: 320\n    height: 240\n`)
    await expect.poll(() => result('new').camera_width, { timeout: 30_000 }).toBe(240)

    await page.getByRole('link', { name: '‹ Cameras' }).click()
    const row = page.locator('[data-camera="new"]')
    await row.getByText('Online').waitFor({ timeout: 20_000 })
    await row.getByRole('button', { name: 'Switch off new' }).click()
    await row.getByText('Switched off').waitFor()
    await row.getByRole('button', { name: 'Switch on new' }).click()
    await row.getByText('Online').waitFor({ timeout: 20_000 })
    await row.getByRole('button', { name: 'Remove new' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect(await file()).not.toBe(before)
    await row.getByRole('button', { name: 'Remove new' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await row.waitFor({ state: 'detached', timeout: 20_000 })
    expect(await file()).toBe(before)
  })

  test('a zone is drawn click by click, its state is seen live, and saved it is in the file, the settings and on MQTT', async () => {
    const { page } = operator
    await page.goto(new URL('#cameras/gate', agent.url).href)
    await page.locator('.setup-stage[data-pictured]').waitFor({ timeout: 30_000 })
    await page.getByRole('button', { name: 'Draw a zone' }).click()
    // From the cyan bar, which is road, into the green one, which is not.
    for (const [x, y] of [
      [0.3, 0.2],
      [0.5, 0.2],
      [0.5, 0.5],
      [0.3, 0.5],
    ] as const)
      await press(page, x, y)
    await press(page, 0.3, 0.2)
    const state = page.locator('.zone-list .state')
    await expect.poll(() => state.textContent()).toMatch(/^[4-7]\d\.\d % clear$/)
    await page.getByLabel('Name', { exact: true }).last().fill('the gap')
    await page.getByLabel('Blocked below, % road').fill('90')
    await page.getByLabel('Once it held for, s').fill('0')
    await page.getByLabel('Once it held for, s').press('Tab')
    await expect.poll(() => state.textContent()).toMatch(/ % blocked$/)
    const shown = await state.textContent()
    const before = await file()
    await page.getByRole('button', { name: 'Save zones' }).click()
    await page.getByText('Zones of gate: Saved in').waitFor()
    const text = await file()
    const added = /\n {4}zones:\n {6}- name: the gap\n {8}polygon: (\[.*\])\n {8}blocked_below: 90\n {8}hold_s: 0(?=\n)/.exec(
      text,
    )!
    expect(text.replace(added[0], '')).toBe(before)
    const polygon = JSON.parse(added[1]!) as number[][]
    expect(polygon.flat().map((place) => Math.round(20 * place) / 20)).toEqual([0.3, 0.2, 0.5, 0.2, 0.5, 0.5, 0.3, 0.5])
    const headers = { authorization: `Bearer ${tokens.operator}` }
    const config = (await (await fetch(new URL('api/config', agent.url), { headers })).json()) as {
      cameras: { zones: unknown[] }[]
    }
    expect(config.cameras[0]!.zones).toMatchObject([{ name: 'the gap', polygon, blocked_below: 90, hold_s: 0 }])
    await expect.poll(() => result('gate').zones?.[0], { timeout: 20_000 }).toMatchObject({ name: 'the gap', blocked: true })
    expect(`${result('gate').zones![0]!.road_percent!.toFixed(1)} % blocked`).toBe(shown)
  })

  test('a zone of the file covers the same pixels in the page, where the picture is turned and the model sees a part of it', async () => {
    const { page } = operator
    await page.goto(new URL('#cameras/side', agent.url).href)
    await expect.poll(() => result('side').zones?.[0]?.road_percent, { timeout: 20_000 }).toBeGreaterThan(1)
    const { road_percent, blocked } = result('side').zones![0]!
    expect(road_percent).toBeLessThan(99)
    const told = `${road_percent!.toFixed(1)} % ${blocked ? 'blocked' : 'clear'}`
    await expect.poll(() => page.locator('.zone-list .state').textContent(), { timeout: 20_000 }).toBe(told)
  })

  test('by keyboard: corners and zones are reached, moved, added, removed; undone and done again; nothing is lost unasked', async () => {
    const { page } = operator
    await page.goto(new URL('#cameras/gate', agent.url).href)
    await page.getByRole('heading', { name: 'gate' }).waitFor()
    await page.locator('.setup-stage[data-pictured]').waitFor() // it has its size
    const corner = page.locator('[data-key="corner:0:0"]')
    await page.locator('[data-key="zone:0"]').press('Enter')
    const first = await label(corner)
    await corner.press('ArrowRight')
    await corner.press('Shift+ArrowDown')
    await expect.poll(() => page.locator(':focus').getAttribute('data-key')).toBe('corner:0:0')
    expect(await label(corner)).toMatch(/^Corner 1 of 4 of the gap, 3[01] % from the left, 25 % from the top$/)
    await corner.press('Insert')
    await expect.poll(() => label(corner)).toContain('Corner 1 of 5')
    await corner.press('Delete')
    await expect.poll(() => label(corner)).toContain('Corner 1 of 4')
    for (let i = 0; i < 3; i++) await page.keyboard.press('Control+z')
    expect(await label(corner)).toBe(first)
    await page.getByRole('button', { name: 'Redo' }).click()
    expect(await label(corner)).not.toBe(first)

    await page.getByRole('link', { name: 'Live' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => new URL(page.url()).hash).toBe('#cameras/gate')
    expect(await label(corner)).not.toBe(first)
    await page.getByRole('link', { name: 'Live' }).click()
    await page.getByRole('button', { name: 'Leave' }).click()
    await page.locator('road-view').first().waitFor()
    await page.getByRole('link', { name: 'Cameras' }).click()
    await page.getByRole('link', { name: 'Zones of gate' }).click()
    expect(await label(corner)).toBe(first)
  })

  test('with a mouse a zone and an edge are dragged; what somebody else changes in the file meanwhile is not lost', async () => {
    const { page } = operator
    await page.goto(new URL('#cameras/gate', agent.url).href)
    const corners = page.locator('.zone .corner')
    await expect.poll(() => corners.count()).toBe(4)
    const drag = async (from: readonly [number, number], to: readonly [number, number]) => {
      await page.mouse.move(...(await at(page, ...from)))
      await page.mouse.down()
      await page.mouse.move(...(await at(page, ...to)), { steps: 4 })
      await page.mouse.up()
    }
    await drag([0.4, 0.35], [0.3, 0.45])
    expect(await label(corners.first())).toMatch(/20 % from the left, 30 % from the top/)
    await drag([0.3, 0.3], [0.3, 0.1])
    expect(await corners.count()).toBe(5)
    await writeFile(agent.file, `${await file()}log: warn   # quieter\n`)
    await page.getByRole('button', { name: 'Save zones' }).click()
    await expect.poll(file).toMatch(/polygon: \[\[0\.(2|19)\d*, 0\.(3|29)\d*\], \[0\.(3|29)\d*, 0\.(1|09)\d*\], /)
    expect(await file()).toContain('log: warn   # quieter\n')
    await expect.poll(() => page.getByRole('button', { name: 'Discard' }).isDisabled()).toBe(true) // it has heard of it
    await writeFile(agent.file, (await file()).replace('the gap', 'the hole'))
    await page.getByRole('button', { name: 'Add a shape' }).click()
    await page.getByRole('button', { name: 'Save zones' }).click()
    await page.getByRole('dialog').getByText('changed in the config file').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect(await file()).toContain('the hole')
    await page.getByRole('button', { name: 'Discard' }).click()
  })

  test('a finger drags a corner on a phone, and a region is drawn there; a viewer only looks', async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
    const { page } = await signIn(tokens.operator, '#cameras/gate', phone)
    const corner = page.locator('[data-key="corner:0:1"]')
    await page.locator('.setup-stage[data-pictured]').waitFor({ timeout: 20_000 }) // it has its size
    await corner.waitFor()
    const before = await label(corner)
    const box = (await corner.locator('.knob').boundingBox())!
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
    const fingers = await page.context().newCDPSession(page)
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', points: { x: number; y: number }[]) =>
      fingers.send('Input.dispatchTouchEvent', { type, touchPoints: points })
    await touch('touchStart', [{ x, y }])
    for (const step of [10, 20, 30]) await touch('touchMove', [{ x, y: y + step }])
    await touch('touchEnd', [])
    await expect.poll(() => label(corner)).not.toBe(before)
    await page.getByRole('button', { name: 'Undo' }).tap()
    expect(await label(corner)).toBe(before)

    await page.goto(new URL('#cameras/gate/settings', agent.url).href)
    await page.getByLabel('The model looks at the whole picture').tap()
    await page.getByRole('button', { name: 'Save settings' }).tap()
    await page.getByText('gate: Saved in').waitFor()
    expect(await file()).toContain('region: [0, 0.4, 1, 0.6]')
    await page.context().close()

    const viewer = await signIn(tokens.viewer, '#cameras')
    await viewer.page.locator('[data-camera="gate"]').getByText('Online').waitFor()
    expect(await viewer.page.locator('[data-view="cameras"] :is(button, a)').count()).toBe(0)
    await viewer.page.goto(new URL('#cameras/gate', agent.url).href)
    await viewer.page.locator('[data-camera="gate"]').waitFor()
    expect(viewer.complaints.filter(unasked)).toEqual([])
    await viewer.page.context().close()
    expect(operator.complaints.filter(unasked)).toEqual([])
    const hosts = new Set(operator.requests.filter((url) => /^(http|ws)/.test(url)).map((url) => new URL(url).host))
    expect([...hosts]).toEqual([new URL(agent.url).host])
  })
})
