// The Helm chart by helm's and kubeconform's own judgement, where they are (deploy/helm/check.sh says how to get them); and the
// agent's settings in it by the agent's.
import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseConfig } from '../../edge-agent/settings/read-config.ts'

const run = promisify(execFile)
const helm = join(import.meta.dirname, '../../deploy/helm')
const examples = readdirSync(join(helm, 'examples')).map((name) => join(helm, 'examples', name))
const missing = ['helm', 'kubeconform'].filter((tool) => spawnSync(tool, ['-h']).error)
const title = (what: string) => (missing.length ? `${what} (skipped: no ${missing.join(' and ')} on the path)` : what)

test.skipIf(missing.length)(title('helm and kubeconform find nothing wrong'), { timeout: 60_000 }, async () => {
  const { stdout } = await run(join(helm, 'check.sh'))
  expect(stdout.match(/Invalid: 0, Errors: 0/g)).toHaveLength(4)
})

test.skipIf(missing.length)(title('the agent takes the settings that pods get'), async () => {
  for (const values of [[], ...examples.map((file) => ['--values', file])]) {
    const rendered = ['template', 'roadmask', join(helm, 'roadmask'), '--kube-version', '1.33.0', ...values]
    const { stdout } = await run('helm', rendered)
    const maps = parseAllDocuments(stdout)
      .map((document) => document.toJS())
      .filter((made) => made?.kind === 'ConfigMap')
    expect(maps.length).toBeGreaterThan(0)
    for (const { data } of maps) parseConfig({ name: 'agent.yaml', text: data['agent.yaml'] }, {}, [])
  }
})

test('the agent takes the settings in the values', () => {
  for (const file of [join(helm, 'roadmask/values.yaml'), ...examples]) {
    const { config, nodes = [] } = parse(readFileSync(file, 'utf8'))
    for (const { config: own } of nodes.length ? nodes : [{}])
      parseConfig({ name: file, text: JSON.stringify({ ...config, ...own }) }, {}, [])
  }
})
