import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoBundle } from '../../edge-agent/paths.ts'
import { allKeys } from '../../edge-agent/settings/config-keys.ts'
import { parseConfig, readConfig } from '../../edge-agent/settings/read-config.ts'
import { withoutSecrets } from '../../edge-agent/settings/redact.ts'
import { publicConfig } from '../../edge-agent/settings/secrets.ts'

const parse = (text: string, env = {}, flags: string[] = []) => parseConfig({ name: 'agent.yaml', text }, env, flags)

describe('what is accepted', () => {
  test('nothing at all is the demo drive with its bundle, on loopback', () => {
    const config = parseConfig(undefined, {}, [])
    expect(config.cameras).toMatchObject([{ name: 'demo', source: 'demo', enabled: true }])
    expect(config.bundle).toBe(demoBundle)
    expect([config.http.host, config.broker.host]).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(config.device).not.toBe('')
    expect(parse('')).toEqual(config)
  })

  test('the smallest config of a real installation', () => {
    const config = parse(`
device: jetson01                 # topics are <mqtt.prefix>/<device>/<camera>/…
mqtt: { url: mqtt://127.0.0.1:1883, prefix: roadmask }
bundle: path/to/bundle
cameras:
  - name: front
    source: test
`)
    expect(config).toMatchObject({
      device: 'jetson01',
      bundle: 'path/to/bundle',
      mqtt: { url: 'mqtt://127.0.0.1:1883', prefix: 'roadmask', version: 'auto' },
      cameras: [{ name: 'front', source: 'test', rotation: 0 }],
    })
  })

  test.each([
    'test',
    'demo',
    'file:a b.mp4',
    'rtsp://u:p@h/1',
    'rtsps://h',
    'v4l2:/dev/video0',
    'csi:0',
    'gst:videotestsrc ! x',
  ])('the source %s', (source) =>
    expect(parse(`cameras: [{ name: a, source: ${JSON.stringify(source)} }]`).cameras[0]?.source).toBe(source),
  )

  test('the example file, and it shows every key there is', () => {
    const text = readFileSync('deploy/agent.example.yaml', 'utf8')
    expect(parse(text).cameras).toHaveLength(3)
    for (const path of allKeys()) {
      const key = path.split(/\.|\[\]\.?/).at(-1)
      expect(text, `deploy/agent.example.yaml says nothing of ${path}`).toMatch(new RegExp(`^\\s*(# |- )?${key}:`, 'm'))
    }
  })

  test('flags win over the environment, which wins over the file', () => {
    const text = 'http: { port: 1 }\ndevice: file\nmqtt: { prefix: file }'
    const env = { ROADMASK_HTTP_PORT: '2', ROADMASK_DEVICE: 'env', ROADMASK_MQTT_PASSWORD: '123', ROADMASK_MQTT_USERNAME: 'u' }
    const config = parse(text, { ...env, ROADMASK_MQTT_URL: 'mqtt://h' }, [
      '--http.port',
      '3',
      '--http.names=a.example,b.example',
    ])
    expect(config).toMatchObject({
      device: 'env',
      http: { port: 3, names: ['a.example', 'b.example'] },
      mqtt: { prefix: 'file' },
    })
    expect(config.mqtt.password).toBe('123')
    expect(parse(text, {}, ['--source', 'test']).cameras).toMatchObject([{ name: 'camera', source: 'test' }])
    expect(parse(text, { ROADMASK_TENSORFLOW: 'cpu', ROADMASK_TENSORFLOW_WHEEL: 'w', ROADMASK_REAL_DATA: '/d' }).device).toBe(
      'file',
    )
  })
})

const zoned = (zone: string) => `cameras: [{ name: f, source: test, zones: [{ name: z, ${zone} }] }]`
const triangle = 'polygon: [[0, 0], [1, 0], [1, 1]]'

describe('what is refused, and how', () => {
  test.each([
    ['camras: []', 'agent.yaml:1:1: unknown key "camras"; did you mean "cameras"?'],
    ['device: a\nhttp:\n  prot: 80', 'agent.yaml:3:3: unknown key "http.prot"; did you mean "port"?'],
    ['http: { zzzzzz: 1 }', 'agent.yaml:1:9: unknown key "http.zzzzzz"; known here: host, port, names'],
    ['http: { port: "80" }', 'agent.yaml:1:15: "http.port": expected a number, found "80"'],
    ['http: { port: 80.5 }', 'agent.yaml:1:15: "http.port": expected a whole number, found 80.5'],
    ['http: { port: 70000 }', 'agent.yaml:1:15: "http.port": expected at most 65535, found 70000'],
    ['mqtt: { url: "mqtts://a.iot.eu-west-1.amazonaws.com", prefix: a/b/c/d/e }', 'at most 4 levels in "mqtt.prefix"'],
    ['preview: { fps: 0 }\nmqtt: { overlays_per_minute: 1 }', '"mqtt.overlays_per_minute" needs pictures'],
    ['http: yes please', 'agent.yaml:1:7: "http": expected keys, found "yes please"'],
    ['compute: gpuu', 'agent.yaml:1:10: "compute": expected one of auto, gpu, cpu (did you mean gpu?), found "gpuu"'],
    ['segment: { max_batch: 3 }', 'agent.yaml:1:23: "segment.max_batch": expected one of 1, 2, 4, found 3'],
    [zoned('polygon: [0, 1, 2]'), 'agent.yaml:1:65: "cameras[0].zones[0].polygon[0]": expected a list, found 0'],
    [
      zoned('polygon: [[0, 0], [100, 0], [1, 1]]'),
      'agent.yaml:1:74: "cameras[0].zones[0].polygon[1][0]": expected at most 1, found 100',
    ],
    [zoned('polygon: [[0, 0.5], [1, 0.5], [0.3, 0.5]]'), 'agent.yaml:1:64: "polygon" is a line: expected corners of an area'],
    [zoned(`${triangle}, clear_above: 40`), 'agent.yaml:1:103: "clear_above" is 40, less than "blocked_below", which is 50'],
    [zoned(`${triangle} }, { name: z, ${triangle}`), 'agent.yaml:1:100: "z" is the name of zone 1 of "f" already'],
    ['cameras: [{ name: f, source: test, drift: { end: 2 } }]', 'agent.yaml:1:50: "end" is more than "start"'],
    ['cameras: []', 'agent.yaml:1:10: "cameras": expected at least 1 entry, found a list of 0'],
    ['cameras:\n  - source: test', 'agent.yaml:2:5: "cameras[0].name" is missing'],
    ['cameras:\n  - name: a/b\n    source: test', 'agent.yaml:2:11: "cameras[0].name": expected one level of an MQTT topic'],
    ['device: ..', 'agent.yaml:1:9: "device": expected one level of an MQTT topic'],
    [
      'cameras:\n  - name: a\n    source: rstp://h',
      'agent.yaml:3:13: "cameras[0].source": expected a source: demo, test, file:PATH',
    ],
    [
      'cameras:\n  - { name: a, source: test }\n  - { name: a, source: test }',
      'agent.yaml:3:13: "a" is the name of camera 1 already',
    ],
    [
      'cameras:\n  - { name: a, source: test, loop: true }',
      'agent.yaml:2:36: "loop" is for file, demo sources, but the source of "a" is test',
    ],
    ['cameras:\n  - { name: a, source: test, width: 640 }', '"width" and "height" come together'],
    [
      'cameras:\n  - { name: a, source: test, rotation: 45 }',
      '"cameras[0].rotation": expected one of 0, 90, 180, 270, found 45',
    ],
    [
      'cameras:\n  - { name: a, source: test, region: [0.5, 0, 0.6, 1] }',
      'as shares of the picture they must not reach beyond 1',
    ],
    [
      'cameras:\n  - { name: a, source: test, region: [0, 0, 9] }',
      '"cameras[0].region": expected at least 4 entries, found a list of 3',
    ],
    ['mqtt: { url: "mqtt://h", cert: a.pem, key: b.pem }', 'agent.yaml:1:32: "mqtt.cert" needs an encrypted "mqtt.url"'],
    ['mqtt: { url: "mqtts://h", cert: a.pem }', '"mqtt.cert" and "mqtt.key" come together'],
    ['mqtt: { url: "mqtt://h", password_file: a }', '"mqtt.password_file" needs "mqtt.username"'],
    ['mqtt: { url: "mqtt://h", username: a, password: b, password_file: c }', 'exclude each other'],
    ['cameras: [{ name: a, source: "rtsp://u:p@h", password_file: f }]', 'needs a source with a user and without a password'],
    ['mqtt: { username: a }', 'agent.yaml:1:19: "mqtt.username" needs "mqtt.url"'],
    ['mqtt: { url: "mqtt://h" }\nbroker: { port: 1 }', 'agent.yaml:2:17: "broker" is the agent\'s own broker'],
    ['a: b: c', 'agent.yaml:1:4: not YAML'],
    ['a: 1\na: 2', 'agent.yaml:2:1: not YAML: Map keys must be unique'],
    ['just words', 'agent.yaml:1:1: expected keys such as "cameras:", found "just words"'],
  ])('%s', (text, message) => expect(() => parse(text)).toThrow(message))

  test('everything wrong is said at once', () => {
    expect(() => parse('device: 1\nhttp: { port: x }\nfoo: 1')).toThrow(/device.*\n.*http\.port.*\n.*foo/)
  })

  test('variables and flags, by their own names', () => {
    expect(() => parse('', { ROADMASK_HTTP_PORT: 'x' })).toThrow(
      'ROADMASK_HTTP_PORT: "http.port": expected a number, found "x"',
    )
    expect(() => parse('', { ROADMASK_HTPT_PORT: '1' })).toThrow('did you mean ROADMASK_HTTP_PORT?')
    expect(() => parse('', {}, ['--http.prot', '1'])).toThrow('Unknown argument --http.prot; did you mean --http.port?')
    expect(() => parse('', {}, ['--http.port'])).toThrow('--http.port needs a value')
    expect(() => parse('', {}, ['--source', 'x'])).toThrow('--source: "cameras[0].source": expected a source')
  })

  test('no password is repeated', () => {
    const users = 'access: { users: [{ name: a, role: viewer, password: in-plain-words }] }'
    expect(() => parse(users)).toThrow(
      '"access.users[0].password": expected a hash that "npm run agent -- user NAME" made, found ***',
    )
    expect(() => parse('cameras: [{ name: a, source: "rtspp://admin:secret@h/1" }]')).toThrow(/^(?!.*secret)/s)
    expect(withoutSecrets('at rtsp://admin:se@cr/et@h:554/1?password=secret&x=1 failed')).toBe(
      'at rtsp://***@h:554/1?password=***&x=1 failed',
    )
    expect(withoutSecrets(`rtspsrc user-id=me user-pw="my \\"secret" ! x passphrase='a b' ! y`)).toBe(
      'rtspsrc user-id=me user-pw=*** ! x passphrase=*** ! y',
    )
    expect(
      withoutSecrets(`rtsp://ann:it's@h/1 http://h/v?access_token=abc&api_key=d&fps=5 user-pw = hunter2 ! x key-int-max=9`),
    ).toBe('rtsp://***@h/1 http://h/v?access_token=***&api_key=***&fps=5 user-pw=*** ! x key-int-max=9')
    expect(withoutSecrets(String.raw`extra-headers="h,Authorization=(string)\"Bearer abc\"" ! x`)).not.toContain('abc')
    expect(() => parse('cameras: [{ name: a, source: "rtsp://ann:two words@h/1" }]')).toThrow('expected a source')
  })
})

describe('paths', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  test('start at the folder of the file, or at the working directory where nothing is there', async () => {
    await writeFile(join(dir, 'drive.mp4'), '')
    await writeFile(join(dir, 'a.yaml'), 'bundle: deploy\ncameras: [{ name: a, source: "file:drive.mp4" }]')
    const config = await readConfig(join(dir, 'a.yaml'), {}, [])
    expect(config.cameras[0]?.source).toBe(`file:${join(dir, 'drive.mp4')}`)
    expect(config.bundle).toBe(join(process.cwd(), 'deploy'))
  })

  test('passwords come out of files: beside the settings, by an absolute path, or from systemd', async () => {
    await writeFile(join(dir, 'mqtt-password'), 'se cret\n')
    await writeFile(join(dir, 'front'), 'p@ss/w:%')
    await mkdir(join(dir, 'credentials'), { recursive: true })
    const text = `mqtt: { url: "mqtt://h", username: u, password_file: mqtt-password }
cameras: [{ name: a, source: "rtsp://me@h/1", password_file: ${join(dir, 'front')} }]`
    await writeFile(join(dir, 's.yaml'), text)
    const config = await readConfig(join(dir, 's.yaml'), {}, [])
    expect(config.mqtt.password).toBe('se cret')
    expect(config.cameras[0]?.source).toBe('rtsp://me:p%40ss%2Fw%3A%25@h/1')
    await writeFile(join(dir, 'credentials/mqtt-password'), 'of systemd')
    const env = { CREDENTIALS_DIRECTORY: join(dir, 'credentials') }
    expect((await readConfig(join(dir, 's.yaml'), env, [])).mqtt.password).toBe('of systemd')
    const shown = publicConfig(config)
    expect(JSON.stringify(shown)).not.toMatch(/se cret|p%40ss/)
    expect(shown.mqtt).toMatchObject({ username: 'u', password: '***' })
    expect(shown.cameras[0]).toMatchObject({ name: 'a', source: 'rtsp://***@h/1' })
  })

  test('a file without a password is refused where it is named', async () => {
    await writeFile(join(dir, 'empty'), '\n')
    const text = 'mqtt:\n  url: mqtt://h\n  username: u\n  password_file: '
    await writeFile(join(dir, 's.yaml'), `${text}empty`)
    await expect(readConfig(join(dir, 's.yaml'), {}, [])).rejects.toThrow(
      `s.yaml:4:18: "mqtt.password_file": expected a file of one line, the password: ${join(dir, 'empty')} holds nothing`,
    )
    await writeFile(join(dir, 's.yaml'), `${text}none`)
    await expect(readConfig(join(dir, 's.yaml'), {}, [])).rejects.toThrow(/s\.yaml:4:18: .*no such file/)
  })

  test('a file that is not there is named', async () => {
    await expect(readConfig(join(dir, 'none.yaml'), {}, [])).rejects.toThrow(/none\.yaml cannot be read/)
  })
})
