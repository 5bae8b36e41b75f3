// Measures the agent's page:  npm run bench -- page   (--help for more)
// The whole agent as it is started by hand, and the installed Chromium as a person would open it.
import { existsSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { type Browser, chromium, type Response } from 'playwright-core'
import { z } from 'zod'
import { parseOptions } from '../../deploy/options.ts'
import { demoBundle } from '../paths.ts'
import { startBenchedAgent } from './agent.ts'
import { layOut } from './table.ts'

const help = `npm run bench -- page [options]

Opens the page of an agent with 1, 4 and 16 test cameras of 640 x 360 in Chromium (CHROME_BIN, else /usr/bin/chromium), all of them in
its grid, and says for each:

  first      ms from asking for the page to the first picture with its mask, median of five visits without a cache
  sent       pictures a second of each camera that reached the page
  drawn      of these, drawn
  main       share of a core that the page's main thread takes; of it script, style and layout
  tasks      longest task of the main thread, ms; a finger waits that long at most

and, once, what the page weighs: everything that opening all of its views loads, compressed with gzip.

  --cameras N,…    how many (1,4,16)
  --fps N          pictures a second of each camera (5)
  --seconds N      how long each is watched (10)
  --bundle DIR     the bundle (the one that comes with the agent)
  --json           one JSON object instead of the table

Agent, model and browser share the machine's cores, so on a small one the model takes from the page. Nothing else should run meanwhile.`

const positive = (fallback: string) => z.string().default(fallback).transform(Number).pipe(z.number().positive())
const Options = z.object({
  cameras: z
    .string()
    .default('1,4,16')
    .transform((list) => list.split(',').map(Number))
    .pipe(z.array(z.int().min(1).max(64))),
  fps: positive('5'),
  seconds: positive('10'),
  bundle: z.string().default(demoBundle),
  json: z.boolean().default(false),
})

interface Found {
  cameras: number
  first_ms: number
  sent_per_second: number
  drawn_per_second: number
  main: number
  script: number
  layout: number
  longest_task_ms: number
}

/** What a tile of the page tells of itself. */
type Tile = Element & { drawn: number; skipped: number }

/** Tall enough for four rows of tiles. */
const size = { viewport: { width: 1920, height: 1320 } }

/** Visits the page afresh; ms until a picture is on the screen. */
async function firstPicture(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext(size)
  const page = await context.newPage()
  // Runs before the page does and looks at every frame that the browser paints.
  await page.addInitScript(() => {
    const look = () => {
      const tile = document.querySelector('road-view[data-condition=live]') as Tile | null
      if (tile?.drawn) document.documentElement.dataset.first = String(performance.now())
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  await page.goto(url)
  const first = await page.waitForSelector('html[data-first]', { timeout: 60_000 })
  const ms = Number(await first.getAttribute('data-first'))
  await context.close()
  return ms
}

async function watch(browser: Browser, url: string, cameras: number, seconds: number) {
  const context = await browser.newContext(size)
  const page = await context.newPage()
  await page.addInitScript(() => {
    const longest = { ms: 0 }
    Object.assign(window, { longest })
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest.ms = Math.max(longest.ms, duration)
    }).observe({ type: 'longtask' })
  })
  await page.goto(url)
  await page.waitForFunction(
    (cameras) => [...document.querySelectorAll('road-view')].filter((tile) => (tile as Tile).drawn > 0).length === cameras,
    cameras,
    { timeout: 60_000 },
  )
  await sleep(2000) // the first ones come all at once
  const session = await context.newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'timeTicks' })
  const look = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    const tiles = await page.evaluate(() => {
      const all = [...document.querySelectorAll('road-view')] as Tile[]
      return {
        drawn: all.reduce((sum, tile) => sum + tile.drawn, 0),
        skipped: all.reduce((sum, tile) => sum + tile.skipped, 0),
      }
    })
    return { ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])), ...tiles } as Record<string, number>
  }
  await page.evaluate(() => Object.assign((window as unknown as { longest: { ms: number } }).longest, { ms: 0 }))
  const before = await look()
  await sleep(1000 * seconds)
  const after = await look()
  const longest_task_ms = await page.evaluate(() => (window as unknown as { longest: { ms: number } }).longest.ms)
  await context.close()
  const grown = (name: string) => after[name]! - before[name]!
  const took = grown('Timestamp')
  return {
    sent_per_second: (grown('drawn') + grown('skipped')) / cameras / took,
    drawn_per_second: grown('drawn') / cameras / took,
    main: grown('TaskDuration') / took,
    script: grown('ScriptDuration') / took,
    layout: (grown('LayoutDuration') + grown('RecalcStyleDuration')) / took,
    longest_task_ms,
  }
}

/** Bytes of everything that the views load, compressed. */
async function weight(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext(size)
  const page = await context.newPage()
  const files = new Map<string, Response>()
  const loaded = (response: Response) => {
    if (/\/(dashboard\/|edge-agent\/|$)/.test(new URL(response.url()).pathname)) files.set(response.url(), response)
  }
  page.on('response', loaded)
  await page.goto(url)
  for (const link of await page.getByRole('navigation').getByRole('link').all()) {
    await link.click()
    await page.waitForLoadState('networkidle')
  }
  page.off('response', loaded)
  const sizes = await Promise.all([...files.values()].map(async (file) => gzipSync(await file.body(), { level: 9 }).length))
  await context.close()
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}

async function measure(browser: Browser, cameras: number, { fps, seconds, bundle }: z.infer<typeof Options>) {
  const each = { source: 'test', width: 640, height: 360, fps }
  const agent = await startBenchedAgent({
    device: 'bench',
    log: 'info',
    bundle,
    cameras: Array.from({ length: cameras }, (_, i) => ({ name: `camera${i}`, ...each })),
  })
  try {
    agent.leave()
    const firsts: number[] = []
    for (let i = 0; i < 5; i++) firsts.push(await firstPicture(browser, agent.url))
    const first_ms = firsts.sort((a, b) => a - b)[2]!
    const found: Found = { cameras, first_ms, ...(await watch(browser, agent.url, cameras, seconds)) }
    return { found, bytes: await weight(browser, agent.url) }
  } finally {
    await agent.stop()
  }
}

const { values } = parseOptions({
  args: process.argv.slice(2),
  options: {
    cameras: { type: 'string' },
    fps: { type: 'string' },
    seconds: { type: 'string' },
    bundle: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help) console.log(help)
else {
  const options = Options.parse(values)
  const executablePath = process.env.CHROME_BIN ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) throw new Error(`Expected a Chromium at ${executablePath}; name one in CHROME_BIN`)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
  const rows: Found[] = []
  let bytes = 0
  try {
    for (const cameras of options.cameras) {
      process.stderr.write(`${cameras} camera${cameras > 1 ? 's' : ''} …\n`)
      const measured = await measure(browser, cameras, options)
      rows.push(measured.found)
      bytes = measured.bytes
    }
  } finally {
    await browser.close()
  }
  const share = (value: number) => `${(100 * value).toFixed(1)} %`
  const cells = rows.map((row) => [
    String(row.cameras),
    `${row.first_ms.toFixed(0)} ms`,
    `${row.sent_per_second.toFixed(1)} /s`,
    `${row.drawn_per_second.toFixed(1)} /s`,
    share(row.main),
    share(row.script),
    share(row.layout),
    `${row.longest_task_ms.toFixed(0)} ms`,
  ])
  if (options.json)
    console.log(JSON.stringify({ cores: cpus().length, cpu: cpus()[0]?.model, page_bytes: bytes, rows }, null, 2))
  else {
    console.log(layOut(['cameras', 'first', 'sent', 'drawn', 'main', 'script', 'style, layout', 'longest task'], cells))
    console.log(`\nThe page weighs ${(bytes / 1000).toFixed(1)} kB compressed, all of its views.`)
  }
}
