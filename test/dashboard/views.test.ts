// The page as a viewer and an operator use it, end to end: a closed agent, Mosquitto, a camera over RTSP that dies and comes back, a
// real Chromium. And axe over every view, in light and in dark.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashPassword } from '../../edge-agent/serve/passwords.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { freePort, type Mosquitto, type Subscriber, startMosquitto, subscribe } from '../edge-agent/mosquitto.ts'
import { type RtspServer, startRtsp } from '../edge-agent/rtsp-server.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { chromiumPath, launchChromium, noChromium, type Visit, visit } from './browser.ts'

const card = `# bright

A road is **what is bright**.

<img src="x" onerror="document.title = 'run'"> [a trap](javascript:document.title='run') [a page](https://example.com/)

| data | pictures |
| --- | --- |
| none | 0 |
`
/** What only an operator may press. */
const forOperators = ['Switch off', 'Keep frame', 'Export']

let dir: string
let mosquitto: Mosquitto
let listener: Subscriber
let rtsp: RtspServer
let rtspPort: number
let agent: RunningAgent
let browser: Browser

const tile = (page: Page, camera: string) => page.getByRole('group', { name: `Camera ${camera}` })
const condition = (page: Page, camera: string, kind: string) =>
  page.waitForSelector(`road-view[aria-label="Camera ${camera}"][data-condition="${kind}"]`, {
    state: 'attached',
    timeout: 60_000,
  })

async function signedIn(name: string, options: Parameters<typeof visit>[2] = {}): Promise<Visit> {
  const visited = await visit(browser, agent.url, options)
  const { page } = visited
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password or token').fill(`${name} secret`)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await condition(page, 'ball', 'live')
  // That nobody is signed in yet is told as a failed request; it is how the page learns it.
  visited.complaints.splice(0)
  return visited
}
const goTo = (page: Page, view: string) => page.getByRole('link', { name: view, exact: true }).click()

describe.skipIf(!chromiumPath)(`the views of the page${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'bundle'), { card })
    mosquitto = await startMosquitto()
    listener = await subscribe(mosquitto.url, 'roadmask/#')
    rtspPort = await freePort()
    rtsp = await startRtsp(rtspPort, 320, 180)
    const people = [
      { name: 'ann', role: 'operator', password: await hashPassword('ann secret') },
      { name: 'bob', role: 'viewer', password: await hashPassword('bob secret') },
    ]
    agent = await startAgent(`device: site
bundle: ${join(dir, 'bundle')}
mqtt: { url: ${mosquitto.url} }
access: { users: ${JSON.stringify(people)} }
collect: { enabled: true, random_per_day: 0, confidence_below: 0, changed_above: 100 }
cameras:
  - { name: gate, source: 'rtsp://127.0.0.1:${rtspPort}/stream', timeout_ms: 1000, latency_ms: 50 }
  - name: ball
    source: test
    width: 320
    height: 240
    fps: 10
    zones: [{ name: lane, polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], hold_s: 0 }]`)
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await agent?.stop()
    await listener?.stop()
    await mosquitto?.stop()
    await rtsp?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('a camera that dies is lost on the page as on MQTT, and live again when it is back', async () => {
    const { page, complaints } = await signedIn('bob')
    await condition(page, 'gate', 'live')
    await rtsp.stop()
    await condition(page, 'gate', 'lost')
    await tile(page, 'gate').getByText('Camera lost').waitFor()
    await tile(page, 'gate').getByText('This picture is').waitFor()
    await condition(page, 'ball', 'live')
    await page.getByText('Events', { exact: false }).last().click()
    await page.locator('#events').getByText('gate lost').first().waitFor()
    const told = () => listener.text('roadmask/site/gate/event').map((text) => JSON.parse(text).type)
    await expect.poll(told, { timeout: 30_000 }).toContain('camera_lost')
    rtsp = await startRtsp(rtspPort, 320, 180)
    await condition(page, 'gate', 'live')
    await expect.poll(told, { timeout: 30_000 }).toContain('camera_back')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('a viewer sees everything and no button that would be refused', async () => {
    const { page, complaints } = await signedIn('bob')
    await tile(page, 'ball').getByText('lane blocked').waitFor()
    await tile(page, 'ball').getByRole('button').click()
    await page.getByText('Dropped before the model').filter({ visible: true }).waitFor()
    for (const name of forOperators) expect(await page.getByRole('button', { name }).count(), name).toBe(0)
    await goTo(page, 'Hard frames')
    await page.getByText('Nothing is kept yet').waitFor()
    expect(await page.getByRole('button', { name: 'Export' }).count()).toBe(0)
    await goTo(page, 'Model')
    await page.getByText('97.10 %').waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('an operator switches a camera off, asked once, and on again', async () => {
    const { page } = await signedIn('ann')
    const state = () => listener.text('roadmask/site/ball/enabled').at(-1)
    await tile(page, 'ball').getByRole('button', { name: 'Show camera ball in full' }).click()
    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click()
    await condition(page, 'ball', 'disabled')
    await expect.poll(state, { timeout: 30_000 }).toBe('OFF')
    await page.getByRole('button', { name: 'All cameras', exact: true }).click()
    await page.getByRole('button', { name: 'Switch on' }).click()
    await condition(page, 'ball', 'live')
    await expect.poll(state, { timeout: 30_000 }).toBe('ON')
    await page.context().close()
  })

  test('an operator keeps a frame, looks at it with and without its mask, exports it as a labelling job and discards it, asked once', async () => {
    const { page, complaints } = await signedIn('ann')
    await tile(page, 'gate').getByRole('button', { name: 'Show camera gate in full' }).click()
    await page.getByRole('button', { name: 'Keep frame' }).click()
    await page.getByText('A frame of gate is kept').waitFor()
    await goTo(page, 'Hard frames')
    await page.getByText('1 of 1 frames').waitFor()
    await page.getByLabel('Reason').selectOption('Unsure')
    await page.getByText('No frame is so').waitFor()
    await page.getByLabel('Reason').selectOption('Asked for')
    await page.getByRole('button', { name: 'Open gate, Asked for' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('% road').waitFor()
    const middle = () =>
      dialog.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
        const scratch = new OffscreenCanvas(1, 1).getContext('2d')!
        scratch.drawImage(canvas, -canvas.width / 2, -canvas.height / 2)
        return [...scratch.getImageData(0, 0, 1, 1).data.subarray(0, 3)]
      })
    // The picture is white, so all of it is road.
    await expect.poll(async () => (await middle())[0]).toBeLessThan(200)
    await dialog.getByLabel('Mask').uncheck()
    await expect.poll(async () => (await middle())[0]).toBeGreaterThan(225)
    await dialog.getByRole('button', { name: 'Keep' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByText('kept', { exact: true }).waitFor()

    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const file = join(dir, 'frames.tar')
    await (await download).saveAs(file)
    await page.getByText('1 frames as a Ground Truth manifest').waitFor()
    const names = execFileSync('tar', ['-tf', file], { encoding: 'utf8' })
    expect(names).toMatch(/^site\/pictures\/gate\/.*-operator\.jpg$/m)
    expect(names).toMatch(/^site\/masks\/gate\/.*-operator\.png$/m)
    const manifest = execFileSync('tar', ['-xOf', file, 'site/input.manifest'], { encoding: 'utf8' })
    expect(JSON.parse(manifest)['source-ref']).toMatch(/^pictures\/gate\//)

    for (const [answer, left] of [
      ['Cancel', 1],
      ['Discard', 0],
    ] as const) {
      await page.getByRole('button', { name: 'Open gate, Asked for' }).click()
      await dialog.getByRole('button', { name: 'Discard' }).click()
      await dialog.last().getByRole('button', { name: answer }).click()
      if (left) await dialog.getByRole('button', { name: 'Close' }).click()
      await expect.poll(() => page.locator('.frames li').count()).toBe(left)
    }
    await dialog.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await page.context().close()
  })

  test('the model’s card is shown as what it says and never as what it could do', async () => {
    const { page, complaints, requests } = await signedIn('bob')
    await goTo(page, 'Model')
    const shown = page.locator('.card')
    await shown.getByText('<img src="x"').waitFor()
    expect(await shown.locator('strong').textContent()).toBe('what is bright')
    expect(await shown.locator('td').allTextContents()).toEqual(['none', '0'])
    expect(await shown.locator('img, script').count()).toBe(0)
    expect(await shown.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual([
      'https://example.com/',
    ])
    expect(await page.title()).not.toBe('run')
    expect(complaints).toEqual([])
    expect(new Set(requests.map((address) => new URL(address).host))).toEqual(new Set([new URL(agent.url).host]))
    await page.context().close()
  })

  test.each(['light', 'dark'] as const)('axe finds nothing serious in any view, in %s', async (colorScheme) => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const { page } = await signedIn('ann', { colorScheme })
    const found: string[] = []
    async function check(place: string) {
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run())
      for (const { id, impact, nodes } of violations)
        if (impact === 'serious' || impact === 'critical')
          found.push(`${place}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`)
    }
    await check('Live')
    await tile(page, 'ball').getByRole('button', { name: 'Show camera ball in full' }).click()
    await page.getByText('Dropped before the model').filter({ visible: true }).waitFor()
    await check('one camera')
    await page.getByRole('button', { name: 'Switch off' }).click()
    await check('a question')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Keep frame' }).click()
    await page.getByText('A frame of ball is kept').waitFor()
    for (const view of await page.getByRole('navigation', { name: 'Views' }).getByRole('link').allTextContents()) {
      if (view === 'Live') continue
      await goTo(page, view)
      await page.waitForFunction(() => document.querySelector('[data-view]:not([hidden])')?.childElementCount)
      await page.waitForLoadState('networkidle')
      await check(view)
    }
    await page.evaluate(() => {
      location.hash = '#cameras/ball'
    })
    await page.locator('[data-view=cameras] canvas, [data-view=cameras] svg').first().waitFor()
    await check('zones of a camera')
    await goTo(page, 'Hard frames')
    await page.locator('.thumb').first().click()
    await page.getByRole('dialog').getByText('% road').waitFor()
    await check('a hard frame')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('form', { name: 'Sign in' }).waitFor()
    await check('Sign in')
    expect(found).toEqual([])
    await page.context().close()
  })
})
