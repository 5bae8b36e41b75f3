// The arrows between the rooms: who may import whom.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, it } from 'vitest'
import { configSchema, messagesSchema, schemaText } from '../edge-agent/describe/schemas.ts'
import { configSchemaFile, messagesSchemaFile } from '../edge-agent/paths.ts'

const root = join(import.meta.dirname, '..')
/** `import … from 'x'`, the last line of one that takes several, `export … from 'x'` and `import('x')`. */
const specifiers = /(?:^(?:import|export|\})[^'\n]*\bfrom |^import |\bimport\()'([^']+)'/gm

const rooms = ['edge-agent', 'trainer', 'dashboard', 'deploy']

/** What a room may import of others: a room, or one file of it. */
const allowed: Record<string, string[]> = {
  'edge-agent': ['deploy'],
  trainer: ['deploy'],
  // What a zone says, so that the page says of one that is being drawn what the agent will.
  dashboard: ['edge-agent/wire.ts', 'edge-agent/facts/zones.ts', 'edge-agent/facts/zone-states.ts'],
  // Its topics and messages, for what offers models to devices and asks how they are.
  deploy: ['edge-agent/wire.ts'],
}

async function imports(): Promise<{ file: string; imported: string }[]> {
  const found: { file: string; imported: string }[] = []
  for (const room of rooms)
    for (const name of await readdir(join(root, room), { recursive: true })) {
      if (!name.endsWith('.ts')) continue
      const file = join(room, name)
      const text = await readFile(join(root, file), 'utf8')
      for (const [, path] of text.matchAll(specifiers))
        if (path!.startsWith('.')) found.push({ file, imported: normalize(join(dirname(file), path!)) })
    }
  return found
}

const roomOf = (file: string) => file.split('/')[0]!

it('rooms import only what the architecture allows', async () => {
  const all = await imports()
  expect(all.length).toBeGreaterThan(100)
  const wrong = all.filter(({ file, imported }) => {
    const [from, to] = [roomOf(file), roomOf(imported)]
    return from !== to && !allowed[from]!.some((target) => imported === target || to === target)
  })
  expect(wrong).toEqual([])
})

it('the contracts stand alone', async () => {
  const wire = await readFile(join(root, 'edge-agent/wire.ts'), 'utf8')
  expect(wire).not.toMatch(/^import/m)
  const bundle = await readFile(join(root, 'deploy/bundle.ts'), 'utf8')
  expect(bundle).not.toMatch(/tensorflow/)
})

it('the JSON Schemas say what wire.ts and the config say; `npm run schemas` writes them', async () => {
  expect(await readFile(messagesSchemaFile, 'utf8')).toBe(schemaText(messagesSchema()))
  expect(await readFile(configSchemaFile, 'utf8')).toBe(schemaText(configSchema()))
})

it('each room names its npm packages in its own package.json', async () => {
  for (const room of rooms) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(await readFile(join(root, room, 'package.json'), 'utf8'))
    for (const name of await readdir(join(root, room), { recursive: true })) {
      if (!name.endsWith('.ts')) continue
      const text = await readFile(join(root, room, name), 'utf8')
      for (const [, specifier] of text.matchAll(specifiers)) {
        if (/^(node:|\.)/.test(specifier!)) continue
        const parts = specifier!.split('/')
        const name = specifier!.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0]!
        expect(
          Object.keys({ ...dependencies, ...devDependencies }),
          `${relative(root, join(root, room))} imports ${specifier}`,
        ).toContain(name)
      }
    }
  }
})
