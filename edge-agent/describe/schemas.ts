// JSON Schemas of what the code says already: of the messages, from the types and comments of wire.ts, and of the config file,
// from its zod schema and the comments of its example. They are part of the repository, so that no device needs the tools
// that make them and a changed message shows in review; a test holds them to their sources. `npm run schemas` writes them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGenerator } from 'ts-json-schema-generator'
import { z } from 'zod'
import { repository } from '../paths.ts'
import { Config } from '../settings/config.ts'
import { knownKeys } from '../settings/config-keys.ts'

export type Schema = Record<string, unknown>

/** How a schema stands in its file. */
export const schemaText = (schema: Schema) => `${JSON.stringify(schema, undefined, 2)}\n`

/** Types that do not travel as JSON: the parts of a WebSocket mask message. */
const notJson = ['*', 'MaskMessage']

/** Exported types of wire.ts by name, in `definitions` (draft 7, which AsyncAPI reads as it is). */
export function messagesSchema(): Schema {
  const generator = createGenerator({
    path: join(repository, 'edge-agent/wire.ts'),
    type: '*',
    jsDoc: 'extended',
    functions: 'hide',
    additionalProperties: true, // a reader of today takes the messages of tomorrow
    skipTypeCheck: true, // tsc does that
    sortProps: false,
  })
  const { $schema, definitions } = generator.createSchema('*')
  return {
    $schema,
    title: 'Messages of the Roadmask edge agent',
    definitions: Object.fromEntries(Object.entries(definitions ?? {}).filter(([name]) => !notJson.includes(name))),
  }
}

/** The config file, for editors: `# yaml-language-server: $schema=…` in its first line. */
export function configSchema(): Schema {
  const comments = exampleComments(readFileSync(join(repository, 'deploy/agent.example.yaml'), 'utf8'))
  const { $schema, ...schema } = z.toJSONSchema(Config, { target: 'draft-7', io: 'input' })

  function finish({ maximum, default: initial, ...rest }: Schema, path: string[]): Schema {
    const key = path.join('.')
    const keys = (rest.properties ?? {}) as Record<string, Schema>
    return {
      ...rest,
      ...(maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
      ...(initial !== undefined && !ofThisMachine.includes(key) && { default: initial }),
      ...(comments.has(key) && { description: comments.get(key) }),
      ...(rest.items !== undefined && { items: finish(rest.items as Schema, [...path, 'items']) }),
      ...(rest.properties !== undefined && {
        properties: Object.fromEntries(Object.entries(keys).map(([name, inside]) => [name, finish(inside, [...path, name])])),
      }),
    }
  }
  return { $schema, title: 'Settings of the Roadmask edge agent', ...finish(schema, []) }
}

/** Keys whose defaults are another one on every machine. */
const ofThisMachine = ['device', 'bundle']

/** The comment above each key of the example, by its place in the schema such as `http.port` and `cameras.items.name`. */
function exampleComments(text: string): Map<string, string> {
  const comments = new Map<string, string>()
  let above: { path: string[]; indent: number }[] = []
  let said: string[] = []
  let ended = false
  for (const line of text.split('\n')) {
    const [, space = '', dash = '', name = ''] = /^(\s*)(- )?(?:# )?(\w+):/.exec(line) ?? []
    const indent = space.length + dash.length
    const outer = above.filter((key) => key.indent < indent)
    const group = outer.at(-1)?.path ?? []
    const inside = knownKeys(group).length ? group : [...group, 'items']
    const comment = /^\s*(?:- )?# ?(.*)$/.exec(line)?.[1]
    if (knownKeys(inside).includes(name)) {
      // A key with no comment of its own shares the one above; the first camera has them all.
      const path = [...inside, name]
      if (said.length && !comments.has(path.join('.'))) comments.set(path.join('.'), said.join('\n'))
      above = [...outer, { path, indent }]
      ended = true
    } else if (comment !== undefined) {
      said = ended ? [comment] : [...said, comment]
      ended = false
    } else said = []
  }
  return comments
}
