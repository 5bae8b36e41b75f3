// Signing in on the page, as somebody does who opens it from elsewhere: the agent itself, closed, in a real Chromium.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashPassword } from '../../edge-agent/serve/passwords.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { chromiumPath, launchChromium, noChromium, visit } from './browser.ts'

let dir: string
let agent: RunningAgent
let browser: Browser

describe.skipIf(!chromiumPath)(`the page of a closed agent${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'bundle'), { width: 96, height: 64 })
    const bob = JSON.stringify({ name: 'bob', role: 'viewer', password: await hashPassword('battery staple') })
    agent = await startAgent(`device: closed\nbundle: ${join(dir, 'bundle')}\nbroker: { port: 0 }\naccess: { users: [${bob}] }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 10 }]`)
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await agent?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('asks who is there, shows the cameras to whoever signs in, also after a reload, and nothing after signing out', async () => {
    const { page } = await visit(browser, agent.url)
    const form = page.getByRole('form', { name: 'Sign in' })
    await form.waitFor()
    for (const part of ['#alarm', 'main', 'nav', '#link', '#back', '#sign-out'])
      expect(await page.locator(part).isHidden(), part).toBe(true)

    await form.getByLabel('Name').fill('bob')
    await form.getByLabel('Password or token').fill('a guess')
    await form.getByRole('button').click()
    await page.getByText('Name or password is wrong').waitFor()
    await form.getByLabel('Password or token').fill('battery staple')
    await form.getByRole('button').click()
    const live = page.locator('road-view[data-condition=live]')
    await live.waitFor()
    expect(await form.isHidden()).toBe(true)
    expect(await page.evaluate(() => document.cookie)).toBe('') // scripts cannot read it

    await page.reload()
    await live.waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await form.waitFor()
    expect(await page.locator('road-view').count()).toBe(0)
    await page.reload()
    await form.waitFor()
    await page.context().close()
  })

  test('a stream is an image that a browser shows', async () => {
    const { page } = await visit(browser, agent.url)
    await page.getByLabel('Name').fill('bob')
    await page.getByLabel('Password or token').fill('battery staple')
    await page.getByLabel('Password or token').press('Enter')
    await page.locator('road-view[data-condition=live]').waitFor()
    for (const view of ['picture', 'overlay']) {
      await page.evaluate((address) => {
        const image = document.createElement('img')
        image.id = 'stream'
        image.src = address
        document.querySelector('#stream')?.remove()
        document.body.append(image)
      }, `api/cameras/front/${view}.mjpg`)
      await page.waitForFunction(() => (document.querySelector('#stream') as HTMLImageElement).naturalWidth === 320)
    }
    await page.context().close()
  })
})
