// The OpenAPI document: a valid one, and what the agent really answers is what it says.
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { History } from '../../edge-agent/wire.ts'
import { eventOf, maskOf } from './made-messages.ts'
import { type MadeSite, openMadeSite } from './made-site.ts'

interface Operation {
  security?: unknown[]
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}
interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

let made: MadeSite
let document: Document
beforeAll(async () => {
  made = await openMadeSite()
  made.streams.mask(maskOf('front', 7, 3))
  made.history.mask(maskOf('front', 7, 3))
  made.history.event(eventOf('front', 'No picture for 2 s'))
  for (const enabled of [false, true]) made.history.settings({ ...made.config, history: { ...made.config.history, enabled } })
  document = (await (await made.ask('api/openapi.json')).json()) as Document
})
afterAll(() => made.close())

test('the document of topics beside it names those of this agent', async () => {
  const told = JSON.stringify(await (await made.ask('api/asyncapi.json')).json())
  expect(told).toContain('"address":"roadmask/jetson01/{camera}/mask"')
  expect(told).toContain(`"websocket":{"host":"${new URL(made.site.url).host}","protocol":"ws"}`)
  expect(told).toContain('"mqtt":{"host":"10.0.0.2","protocol":"mqtt"}')
})

test('there is a history to describe', async () => {
  const { cameras } = (await (await made.ask('api/history')).json()) as History
  expect(cameras.front?.road_percent.mean.some((value) => value !== null)).toBe(true)
})

test('is valid OpenAPI 3.1', async () => {
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true })
})

/** The same schema, without room for what it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return 'properties' in schema ? { ...inside, unevaluatedProperties: false } : inside
}

/** Whether an answer is one of those that the document names, and of its form. */
async function check(path: string, method: string, response: Response) {
  const operation = document.paths[path]?.[method]
  expect(operation, `${method} ${path}`).toBeDefined()
  const answer = operation!.responses[response.status]
  expect(answer, `${method} ${path} answers ${response.status}`).toBeDefined()
  const type = response.headers.get('content-type')?.split(';')[0]
  if (!type) return expect(answer!.content).toBeUndefined()
  const content = answer!.content?.[type]
  expect(content, `${method} ${path} answers ${type}`).toBeDefined()
  if (!type.endsWith('json')) return response.body?.cancel()
  // Only the messages are closed at their own level, or what is put together of two would refuse the other half.
  const schemas = Object.fromEntries(
    Object.entries(document.components.schemas).map(([name, schema]) => [
      name,
      name === 'CameraStatus' ? schema : closed(schema),
    ]),
  )
  const ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictTuples: false, validateFormats: false })
  ajv.addVocabulary(['components'])
  const valid = ajv.compile({ ...content!.schema, components: { schemas } })
  const body = await response.json()
  expect(valid(body), `${JSON.stringify(valid.errors)} in ${JSON.stringify(body)}`).toBe(true)
}

const post = (body: string): RequestInit => ({ method: 'POST', body, headers: { 'content-type': 'application/json' } })

describe('what is answered is what it says', () => {
  test.each<[string, string, RequestInit?]>([
    ['/api/cameras', 'api/cameras'],
    ['/api/cameras/{camera}', 'api/cameras/front'],
    ['/api/cameras/{camera}', 'api/cameras/rear'],
    ['/api/cameras/{camera}', 'api/cameras/side'],
    ['/api/cameras/{camera}/enabled', 'api/cameras/front/enabled', post('{"enabled":false}')],
    ['/api/cameras/{camera}/enabled', 'api/cameras/front/enabled', post('{"enabled":"no"}')],
    ['/api/cameras/{camera}/enabled', 'api/cameras/side/enabled', post('{"enabled":true}')],
    ['/api/cameras/{camera}/enabled', 'api/cameras/front/enabled', post('x'.repeat(20_000))],
    ['/api/cameras/{camera}/enabled', 'api/cameras/front/enabled', { method: 'POST', body: 'on' }],
    ['/api/cameras/{camera}/mask.png', 'api/cameras/front/mask.png'],
    ['/api/cameras/{camera}/mask.png', 'api/cameras/rear/mask.png'],
    ['/api/cameras/{camera}/picture.jpg', 'api/cameras/front/picture.jpg'],
    ['/api/cameras/{camera}/picture.mjpg', 'api/cameras/front/picture.mjpg'],
    ['/api/cameras/{camera}/overlay.mjpg', 'api/cameras/side/overlay.mjpg'],
    ['/api/hard-frames', 'api/hard-frames'],
    ['/api/hard-frames/{id}/picture.jpg', 'api/hard-frames/none/picture.jpg'],
    ['/api/hard-frames/{id}/keep', 'api/hard-frames/none/keep', { method: 'POST' }],
    ['/api/hard-frames/{id}', 'api/hard-frames/none', { method: 'DELETE' }],
    ['/api/cameras/{camera}/keep', 'api/cameras/front/keep', { method: 'POST' }],
    ['/api/history', 'api/history'],
    ['/api/history', 'api/history?camera=front&camera=rear&from=2026-01-31T12:00:00Z&to=2026-02-01T12:00:00%2B01:00&points=10'],
    ['/api/history', 'api/history?from=yesterday'],
    ['/api/history.csv', 'api/history.csv?camera=front'],
    ['/api/history.csv', 'api/history.csv?points=100000'],
    ['/api/events', 'api/events'],
    ['/api/events', 'api/events?type=camera_lost&camera=front&limit=1'],
    ['/api/events', 'api/events?type=camera_stolen'],
    ['/api/events.csv', 'api/events.csv'],
    ['/api/events.csv', 'api/events.csv?to=tomorrow'],
    ['/api/events/{id}/picture', 'api/events/none/picture'],
    ['/healthz', 'healthz'],
    ['/readyz', 'readyz'],
    ['/metrics', 'metrics'],
    ['/api/stats', 'api/stats'],
    ['/api/config', 'api/config'],
    ['/api/asyncapi.json', 'api/asyncapi.json'],
    ['/api/reload', 'api/reload', { method: 'POST' }],
    ['/api/setup', 'api/setup'],
    ['/api/devices', 'api/devices'],
    ['/api/cameras', 'api/cameras', post('{"name":"side","source":"test"}')],
    ['/api/cameras', 'api/cameras', post('{"name":"side","source":"test"}')],
    ['/api/cameras', 'api/cameras', post('{"name":"other","source":"gst:fakesrc"}')],
    ['/api/cameras/{camera}', 'api/cameras/side', { ...post('{"rotation":90}'), method: 'PATCH' }],
    ['/api/cameras/{camera}', 'api/cameras/side', { ...post('{"width":90}'), method: 'PATCH' }],
    [
      '/api/cameras/{camera}',
      'api/cameras/side',
      { ...post('{}'), method: 'PATCH', headers: { 'content-type': 'text/plain' } },
    ],
    ['/api/cameras/{camera}', 'api/cameras/side', { method: 'DELETE', headers: { 'if-match': '"old"' } }],
    ['/api/cameras/{camera}', 'api/cameras/none', { method: 'DELETE' }],
    ['/api/cameras/{camera}/zones', 'api/cameras/side/zones', { ...post('[]'), method: 'PUT' }],
    ['/api/cameras/{camera}/zones', 'api/cameras/side/zones', { ...post('[{}]'), method: 'PUT' }],
    ['/api/cameras/test', 'api/cameras/test', post('{"name":"side","rotation":90}')],
    ['/api/cameras/test', 'api/cameras/test', post('{"name":"new","source":"file:/nowhere"}')],
    ['/api/session', 'api/session'],
    ['/api/session', 'api/session', post('{"name":"a","password":"wrong"}')],
    ['/api/session', 'api/session', { method: 'DELETE' }],
  ])('%s for %s', async (path, address, init = {}) =>
    check(path, (init.method ?? 'GET').toLowerCase(), await made.ask(address, init)),
  )

  test('mistakes in the settings too', async () => {
    made.now.reloaded = { applied: [], needsRestart: [], error: 'agent.yaml:1:1: not YAML' }
    await check('/api/reload', 'post', await made.ask('api/reload', { method: 'POST' }))
  })

  test('nobody is let in who is not described so', async () => {
    const shut = await openMadeSite('http: { host: 0.0.0.0 }')
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, { responses, security }] of Object.entries(methods)) {
        if (security?.length === 0) continue
        const { status } = await shut.ask(path.replace('{camera}', 'front'), { method: method.toUpperCase() })
        expect(status, `${method} ${path}`).toBe(401)
        expect(Object.keys(responses), `${method} ${path}`).toContain('401')
      }
    await shut.close()
  })
})
