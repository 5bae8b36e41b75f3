// A real Chromium for tests of the page, and the eyes of one: pixels of an element as they are on the screen.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import sharp from 'sharp'

const candidates = [process.env.CHROME_BIN, '/usr/bin/chromium'].filter((path) => path !== undefined)

/** Path of the installed Chromium; undefined where there is none. */
export const chromiumPath = candidates.find((path) => existsSync(path))

/** What a skipped test says. */
export const noChromium = chromiumPath ? '' : ` (skipped: no Chromium at ${candidates.join(' or ')}; name one in CHROME_BIN)`

export function launchChromium(): Promise<Browser> {
  if (!chromiumPath) throw new Error(`Expected a Chromium at ${candidates.join(' or ')}, found none`)
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
}

export interface Visit {
  page: Page
  /** Messages of the console at level error or warning, and uncaught errors. */
  complaints: string[]
  /** Every address that the page asked for. */
  requests: string[]
}

export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => requests.push(request.url()))
  page.on('websocket', (socket) => requests.push(socket.url()))
  await page.goto(url)
  return { page, complaints, requests }
}

export type Colour = [red: number, green: number, blue: number]

/**
 * A function that gives the colour at a place of the picture in an element; x and y from 0 to 1. `aspect` is the picture's
 * width by its height: it lies in the middle of the element, as large as fits.
 */
export async function look(element: Locator, aspect: number): Promise<(x: number, y: number) => Colour> {
  const { data, info } = await sharp(await element.screenshot())
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const width = Math.min(info.width, info.height * aspect)
  const height = width / aspect
  return (x, y) => {
    const column = Math.floor((info.width - width) / 2 + x * width)
    const row = Math.floor((info.height - height) / 2 + y * height)
    const at = 3 * (row * info.width + column)
    return [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]
  }
}

/** The largest difference in any channel. */
export const distance = (a: Colour, b: Colour): number => Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))

/** `top` laid over `under` at an opacity. */
export const blend = (under: Colour, top: Colour, opacity: number): Colour => [
  under[0] + (top[0] - under[0]) * opacity,
  under[1] + (top[1] - under[1]) * opacity,
  under[2] + (top[2] - under[2]) * opacity,
]
