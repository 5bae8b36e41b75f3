// The page as the agent itself serves it: real frames from GStreamer, real masks from TensorFlow, in a real Chromium.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeBrightBundle } from '../bright-bundle.ts'
import { blend, type Colour, chromiumPath, distance, launchChromium, look, noChromium, type Visit, visit } from './browser.ts'

const tint: Colour = [0x1f, 0xe5, 0xc3]

// The bars are white, yellow, cyan, green, magenta, red, blue, each a seventh of the width. The bundle calls
// road what is brighter than mid-grey, and sees the middle 540 of 640 columns: of the white bar, what lies right of 50.
const white = 70 / 640
const red = 5.5 / 7
const unseen = 25 / 640
const row = 0.3

let dir: string
let port: number
let agent: ChildProcess | undefined
let output = ''
let browser: Browser | undefined

async function startAgent() {
  agent = spawn(process.execPath, ['build/edge-agent/main.js', '--config', join(dir, 'agent.yaml')])
  for (const stream of [agent.stdout, agent.stderr])
    stream?.on('data', (text) => {
      output += text
    })
  for (;;) {
    if (agent.exitCode !== null) throw new Error(`The agent ended with code ${agent.exitCode}:\n${output}`)
    if (await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
async function stopAgent(signal: NodeJS.Signals) {
  if (agent?.exitCode !== null || agent.signalCode !== null) return
  agent.kill(signal)
  await once(agent, 'exit')
}
const live = ({ page }: Visit, camera = 'bars') =>
  page.waitForSelector(`road-view[aria-label="Camera ${camera}"][data-condition="live"]`, { timeout: 30_000 })
const canvas = ({ page }: Visit) => look(page.getByLabel('Camera bars').locator('canvas'), 640 / 360)

describe.skipIf(!chromiumPath)(`the agent's page in Chromium${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-page-'))
    await writeBrightBundle(join(dir, 'bundle'))
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    port = (free.address() as AddressInfo).port
    free.close()
    await writeFile(
      join(dir, 'agent.yaml'),
      `device: bench
state_dir: state
bundle: ${join(dir, 'bundle')}
compute: cpu
http: { port: ${port} }
broker: { port: 0 }
cameras:
  - name: bars
    source: 'gst: videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=10/1'
  - { name: ball, source: test, width: 640, height: 360, fps: 10 }
`,
    )
    await startAgent()
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await stopAgent('SIGTERM')
    await rm(dir, { recursive: true, force: true })
  })

  test('shows the mask over the picture that it was made of', async () => {
    const visited = await visit(browser!, `http://127.0.0.1:${port}/`)
    const { page } = visited
    await live(visited)
    await page.getByText('bench').waitFor()

    await page.getByLabel('Picture').check()
    const picture = await canvas(visited)
    expect(Math.min(...picture(white, row))).toBeGreaterThan(150)
    expect(picture(red, row)[0]).toBeGreaterThan(150)
    expect(picture(red, row)[1]).toBeLessThan(60)

    await page.getByLabel('Tint').check()
    for (const percent of [30, 100]) {
      await page.locator('#opacity').fill(String(percent))
      const at = await canvas(visited)
      expect(distance(at(white, row), blend(picture(white, row), tint, percent / 100))).toBeLessThan(10)
      expect(distance(at(red, row), picture(red, row))).toBeLessThan(10)
      expect(distance(at(unseen, row), blend(picture(unseen, row), [0, 0, 0], 0.5))).toBeLessThan(10)
    }
    await page.getByLabel('Mask').check()
    const mask = await canvas(visited)
    expect(distance(mask(white, row), tint)).toBeLessThan(10)
    expect(Math.max(...mask(red, row))).toBeLessThan(40)

    expect(visited.complaints).toEqual([])
    expect(new Set(visited.requests.map((address) => new URL(address).host))).toEqual(new Set([`127.0.0.1:${port}`]))
    await page.context().close()
  })

  test('keeps the mask on a ball that moves', async () => {
    const visited = await visit(browser!, `http://127.0.0.1:${port}/#camera/ball`)
    await visited.page.locator('#opacity').fill('50')
    await live(visited, 'ball')
    const shares = await visited.page
      .getByLabel('Camera ball')
      .locator('canvas')
      .evaluate(async (element) => {
        const canvas = element as HTMLCanvasElement
        const shares: number[] = []
        while (shares.length < 20) {
          await new Promise((resolve) => setTimeout(resolve, 60))
          const scratch = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')!
          scratch.drawImage(canvas, 0, 0)
          const { data } = scratch.getImageData(0, 0, canvas.width, canvas.height)
          let on = 0
          let off = 0
          for (let i = 0; i < data.length; i += 4) {
            const [red = 0, green = 0] = data.subarray(i, i + 2)
            if (red > 110 && red < 180 && green > 200)
              on++ // white under the tint
            else if (red < 40 && green > 90) off++ // black under the tint
          }
          // On a busy machine the tile is grey at times, and says so.
          if (on + off > 0) shares.push(on / (on + off))
        }
        return shares
      })
    expect(shares.filter((share) => !(share > 0.6))).toEqual([])
    await visited.page.context().close()
  })

  test('comes back by itself when the agent was killed and started again', async () => {
    const visited = await visit(browser!, `http://127.0.0.1:${port}/`)
    await live(visited)
    await stopAgent('SIGKILL')
    await visited.page.getByText('Agent lost for').waitFor()
    await visited.page.waitForSelector('road-view[data-condition="cut"]')
    await startAgent()
    await live(visited)
    await visited.page.getByText('Agent lost for').waitFor({ state: 'hidden' })
    await visited.page.context().close()
  })
})
