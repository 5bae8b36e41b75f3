// A new model as an operator sees it on the page: fetched, beside the old one, switched to and back, each asked once; with a real
// agent and a real Chromium. What a viewer sees has no buttons.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashPassword } from '../../edge-agent/serve/passwords.ts'
import { updateTopics } from '../../edge-agent/wire.ts'
import { writeBrightBundle } from '../bright-bundle.ts'
import { type FileServer, makeKey, serveFiles, signBundle, trusting } from '../edge-agent/made-release.ts'
import { type Mosquitto, type Subscriber, startMosquitto, subscribe } from '../edge-agent/mosquitto.ts'
import { type RunningAgent, startAgent } from '../edge-agent/running-agent.ts'
import { chromiumPath, launchChromium, noChromium, visit } from './browser.ts'

const key = makeKey()
let dir: string
let mosquitto: Mosquitto
let operator: Subscriber
let files: FileServer
let agent: RunningAgent
let browser: Browser

async function signedIn(name: string): Promise<Page> {
  const { page } = await visit(browser, agent.url)
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password or token').fill(`${name} secret`)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('link', { name: 'Model', exact: true }).click()
  await runs(page, 'first')
  return page
}
/** The view of the model that runs. */
const runs = (page: Page, name: string) =>
  page.getByRole('heading', { level: 2, name, exact: true }).waitFor({ timeout: 60_000 })
const said = (page: Page, text: string) => page.locator('.update').getByText(text).waitFor({ timeout: 60_000 })
/** Presses a button, and the same one in the question that follows. */
async function agree(page: Page, name: string) {
  await page.locator('.update').getByRole('button', { name }).click()
  await page.getByRole('dialog').getByRole('button', { name }).click()
}

describe.skipIf(!chromiumPath)(`a new model on the page${noChromium}`, () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
    await writeBrightBundle(join(dir, 'first'), { name: 'first' })
    await writeBrightBundle(join(dir, 'second'), { name: 'second' })
    await writeFile(join(dir, 'keys.json'), JSON.stringify(trusting(key.publicKey)))
    mosquitto = await startMosquitto()
    operator = await subscribe(mosquitto.url, 'none')
    files = await serveFiles(dir)
    const people = [
      { name: 'ann', role: 'operator', password: await hashPassword('ann secret') },
      { name: 'bob', role: 'viewer', password: await hashPassword('bob secret') },
    ]
    agent = await startAgent(
      `device: d
bundle: ${join(dir, 'first')}
mqtt: { url: "${mosquitto.url}" }
access: { users: ${JSON.stringify(people)} }
cameras: [{ name: front, source: test, width: 320, height: 240, fps: 10 }]
update:
  keys: ${join(dir, 'keys.json')}
  limits: { shadow_seconds: 3600, trial_seconds: 1, max_latency_ratio: 50 }`,
      ['--state_dir', join(dir, 'state')],
    )
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await agent?.stop()
    await files?.close()
    await operator?.stop()
    await mosquitto?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('runs beside the old one, is switched to and taken back, asked once each; a viewer only watches', async () => {
    const [ann, bob] = [await signedIn('ann'), await signedIn('bob')]
    await said(ann, 'Nothing is offered')
    const release = await signBundle(join(dir, 'second'), key.privateKey)
    await operator.client.publishAsync(
      updateTopics('roadmask', 'd').set,
      JSON.stringify({ release, url: `${files.url}second` }),
      { qos: 1, retain: true },
    )
    for (const page of [ann, bob]) {
      await said(page, 'Runs beside the model of now')
      await said(page, 'Pixels of the same class')
    }
    await agree(ann, 'Switch now')
    for (const page of [ann, bob]) {
      await runs(page, 'second')
      await said(page, 'Runs, and has proven itself')
    }
    await agree(ann, 'Back to first')
    for (const page of [ann, bob]) {
      await runs(page, 'first')
      await said(page, 'Taken back')
    }
    expect(await bob.locator('.update').getByRole('button').count()).toBe(0)
  })
})
