// The settings of the agent: one schema with the default of every key. deploy/agent.example.yaml says what each is for, and
// a test holds the two together. Sizes are pixels; times carry their unit in the name.
import { hostname } from 'node:os'
import { z } from 'zod'
import { DriftSettings, FactSettings, Mounting, Zone } from '../facts/settings.ts'
import { demoBundle } from '../paths.ts'
import { hashForm } from '../serve/passwords.ts'
import { sourceKind } from './source-kind.ts'

/** One level of an MQTT topic: no `/`, no wildcard, no space. */
const topicLevel = z
  .string()
  // Folders are named so too.
  .regex(/^(?!\.{1,2}$)[^/+#\s]+$/, 'one level of an MQTT topic: no space, "/", "+" or "#", and neither "." nor ".."')
/** In the place of a device's name they address many. */
const sharedTopics = ['fleet', 'group']
const port = z.int().min(0).max(65535)
/** A text that nobody is shown: `writeOnly` is JSON Schema's word for it. */
const secret = () => z.string().min(1).meta({ writeOnly: true })
/** Messages a second; 0 is none at all. */
const rate = z.number().min(0).max(1000)

/** Whoever is let in: a name that MQTT and HTTP can carry, and what it may do. */
const person = {
  name: z.string().regex(/^[\w.@-]{1,64}$/, 'letters, digits, ".", "_", "@" and "-"'),
  role: z.enum(['viewer', 'operator']),
}

const sourceForms = 'demo, test, file:PATH, rtsp://…, v4l2:/dev/video0, csi:0 or gst:PIPELINE TEXT'
const source = z
  .string()
  .regex(/^(demo$|test$|file:.|rtsps?:\/\/\S+$|v4l2:\/.|csi:\d+$|gst:\s*\S)/s, `a source: ${sourceForms}`)

/** Which settings have a meaning for which kind of source. */
const only: Record<string, string[]> = {
  loop: ['file', 'demo'],
  pace: ['file', 'demo', 'gst'],
  transport: ['rtsp'],
  latency_ms: ['rtsp'],
  password_file: ['rtsp'],
  width: ['test', 'v4l2', 'csi'],
  height: ['test', 'v4l2', 'csi'],
  fps: ['test', 'v4l2', 'csi'],
}

const preview = {
  fps: z.number().min(0).max(60),
  max_width: z.int().min(64).max(8192),
  quality: z.int().min(1).max(100),
}

export const CameraConfig = z
  .strictObject({
    name: topicLevel,
    source,
    enabled: z.boolean().default(true),
    timeout_ms: z.int().min(500).optional(),
    region: z.tuple([z.number().min(0), z.number().min(0), z.number().positive(), z.number().positive()]).optional(),
    rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]).default(0),
    masks_per_second: z.number().positive().max(1000).optional(),
    preview: z.strictObject(preview).partial().optional(), // where it differs from the one for all
    loop: z.boolean().optional(),
    pace: z.enum(['clock', 'model']).optional(),
    transport: z.enum(['tcp', 'udp', 'auto']).optional(),
    latency_ms: z.int().min(0).optional(),
    password_file: z.string().min(1).optional(),
    width: z.int().min(16).max(16384).optional(),
    height: z.int().min(16).max(16384).optional(),
    fps: z.number().positive().max(1000).optional(),
    zones: z.array(Zone).max(32).default([]),
    facts: FactSettings.prefault({}),
    mounting: Mounting.optional(),
    drift: DriftSettings.prefault({}),
  })
  .superRefine((camera, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
    const kind = sourceKind(camera.source)
    for (const [key, kinds] of Object.entries(only))
      if (camera[key as keyof typeof camera] !== undefined && !kinds.includes(kind))
        refuse(key, `"${key}" is for ${kinds.join(', ')} sources, but the source of "${camera.name}" is ${kind}`)
    if (camera.password_file !== undefined && kind === 'rtsp' && !/^\w+:\/\/[^:@/]+@/.test(camera.source))
      refuse('password_file', `"password_file" needs a source with a user and without a password, such as rtsp://USER@HOST/…`)
    if (
      camera.region?.every((number) => number <= 1) &&
      (camera.region[0] + camera.region[2] > 1 || camera.region[1] + camera.region[3] > 1)
    )
      refuse('region', `"region" is [x, y, width, height]; as shares of the picture they must not reach beyond 1`)
    if (camera.pace === 'model' && camera.masks_per_second !== undefined)
      refuse('pace', '"pace: model" gives every frame its mask, which "masks_per_second" does not let it')
    if ((camera.width === undefined) !== (camera.height === undefined))
      refuse(camera.width === undefined ? 'height' : 'width', '"width" and "height" come together')
    for (const { i, name, first } of repeated(camera.zones))
      context.addIssue({
        code: 'custom',
        path: ['zones', i, 'name'],
        message: `"${name}" is the name of zone ${first + 1} of "${camera.name}" already`,
      })
  })

export const Config = z
  .strictObject({
    device: topicLevel
      .refine(
        (name) => !sharedTopics.includes(name),
        'another name than "fleet" and "group", which are topics for many devices',
      )
      .default(() => hostname().replace(/[/+#\s]/g, '-') || 'device'),
    state_dir: z.string().min(1).optional(),
    bundle: z.string().min(1).default(demoBundle),
    compute: z.enum(['auto', 'gpu', 'cpu']).default('auto'),
    log: z.enum(['fatal', 'error', 'warn', 'info', 'debug']).default('info'),
    cameras: z
      .array(CameraConfig)
      .min(1)
      .prefault([{ name: 'demo', source: 'demo' }]),
    preview: z
      .strictObject({
        fps: preview.fps.default(10),
        max_width: preview.max_width.default(960),
        quality: preview.quality.default(75),
      })
      .prefault({}),
    mqtt: z
      .strictObject({
        url: z
          .string()
          .regex(/^(mqtts?|tcp|ssl|tls|wss?):\/\/.+/, 'an address such as mqtt://127.0.0.1:1883')
          .optional(),
        prefix: z
          .string()
          .regex(/^[^/+#\s]+(\/[^/+#\s]+)*$/, 'a topic without wildcards that neither begins nor ends with "/"')
          .default('roadmask'),
        username: z.string().optional(),
        password: secret().optional(),
        password_file: z.string().min(1).optional(),
        client_id: z.string().min(1).optional(),
        version: z.enum(['auto', '5', '3.1.1']).default('auto'),
        ca: z.string().min(1).optional(),
        cert: z.string().min(1).optional(),
        key: z.string().min(1).optional(),
        alpn: z.string().min(1).max(255).optional(),
        masks_per_second: rate.default(1),
        results_per_second: rate.default(1),
        overlays_per_minute: z.number().min(0).max(600).default(0),
        stats_every_s: z.number().min(1).default(60),
        home_assistant: z
          .string()
          .regex(/^[^/+#\s]+(\/[^/+#\s]+)*$/, 'the discovery prefix of Home Assistant, such as homeassistant')
          .optional(),
      })
      .prefault({}),
    outbox: z
      .strictObject({
        max_mib: z.number().min(1).max(64).default(4),
        max_days: z.number().positive().max(3650).default(30),
      })
      .prefault({}),
    broker: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.optional() }).prefault({}),
    http: z
      .strictObject({
        host: z.string().default('127.0.0.1'),
        port: port.optional(),
        names: z.array(z.string()).default([]),
        cert: z.string().min(1).optional(),
        key: z.string().min(1).optional(),
      })
      .prefault({}),
    access: z
      .strictObject({
        users: z
          .array(
            z.strictObject({
              ...person,
              password: z.string().regex(hashForm, 'a hash that "npm run agent -- user NAME" made').meta({ writeOnly: true }),
            }),
          )
          .max(100)
          .default([]),
        tokens: z
          .array(
            z.strictObject({
              ...person,
              sha256: z
                .string()
                .regex(/^[0-9a-f]{64}$/, 'a hash that "npm run agent -- token NAME" made')
                .meta({ writeOnly: true }),
            }),
          )
          .max(100)
          .default([]),
        pipelines: z.boolean().default(false),
      })
      .prefault({}),
    gps: z
      .strictObject({
        host: z.string().min(1).default('127.0.0.1'),
        port: z.int().min(1).max(65535).default(2947),
        max_age_s: z.number().positive().max(3600).default(10),
      })
      .optional(),
    segment: z
      .strictObject({
        max_batch: z.union([z.literal(1), z.literal(2), z.literal(4)]).default(4),
        memory_limit_mib: z.int().min(0).default(0),
        timeout_ms: z.int().min(1000).default(15_000),
      })
      .prefault({}),
    record: z
      .strictObject({
        enabled: z.boolean().default(false),
        folder: z.string().min(1).optional(),
        masks_per_second: z.number().positive().max(1000).default(5),
        pictures: z.boolean().default(false),
        max_mib: z.int().min(8).default(1024),
        max_hours: z.number().positive().default(72),
      })
      .prefault({}),
    history: z
      .strictObject({
        enabled: z.boolean().default(true),
        max_mib: z.int().min(1).max(4096).default(32),
        max_days: z.number().positive().max(3650).default(92),
        events: z.int().min(100).max(20_000).default(2000),
        pictures_mib: z.int().min(0).max(65_536).default(64),
      })
      .prefault({}),
    collect: z
      .strictObject({
        enabled: z.boolean().default(false),
        confidence_below: z.number().min(0).max(1).default(0.95),
        changed_above: z.number().min(0).max(100).default(15),
        random_per_day: z.int().min(0).max(10_000).default(10),
        per_day: z.int().min(1).default(50),
        min_seconds: z.number().min(0).default(30),
        max_mib: z.int().min(1).default(256),
        blur: z.boolean().default(false),
        upload_kib_per_second: z.int().min(0).default(0),
      })
      .prefault({}),
    update: z
      .strictObject({
        keys: z.string().min(1).optional(),
        groups: z.array(topicLevel).max(20).default([]),
        download_kib_per_second: z.int().min(0).default(0),
        limits: z
          .strictObject({
            shadow_seconds: z.int().min(0).max(86_400).default(60),
            min_agreement: z.number().min(0).max(1).default(0.9),
            trial_seconds: z.int().min(1).max(604_800).default(300),
            max_latency_ratio: z.number().positive().max(100).default(1.5),
            max_confidence_drop: z.number().min(0).max(1).default(0.2),
            max_memory_mib: z.int().min(0).default(0),
            max_errors: z.int().min(0).max(1000).default(0),
          })
          .prefault({}),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path: [...path], message })
    for (const { i, name, first } of repeated(config.cameras))
      refuse(['cameras', i, 'name'], `"${name}" is the name of camera ${first + 1} already`)
    const { mqtt, broker, http, access } = config
    const wantPictures = {
      collect: config.collect.enabled,
      record: config.record.enabled && config.record.pictures,
      'mqtt.overlays_per_minute': mqtt.overlays_per_minute > 0,
    }
    for (const [key, wanted] of Object.entries(wantPictures))
      if (wanted && config.preview.fps === 0)
        refuse(['preview', 'fps'], `"${key}" needs pictures, but "preview.fps: 0" makes none`)
    for (const { i, name, first } of repeated(access.users))
      refuse(['access', 'users', i, 'name'], `"${name}" is the name of user ${first + 1} already`)
    if ((http.cert === undefined) !== (http.key === undefined))
      refuse(['http', http.cert ? 'cert' : 'key'], '"http.cert" and "http.key" come together')
    const tls = usesTls(mqtt.url)
    for (const key of ['username', 'password', 'password_file', 'client_id', 'ca', 'cert', 'key', 'alpn'] as const)
      if (mqtt[key] !== undefined && !mqtt.url) refuse(['mqtt', key], `"mqtt.${key}" needs "mqtt.url"`)
    for (const key of ['ca', 'cert', 'key', 'alpn'] as const)
      if (mqtt.url && mqtt[key] !== undefined && !tls)
        refuse(['mqtt', key], `"mqtt.${key}" needs an encrypted "mqtt.url" such as mqtts://HOST:8883`)
    if (isAws(mqtt.url) && mqtt.prefix.split('/').length > 4)
      refuse(['mqtt', 'prefix'], 'AWS IoT Core takes at most 7 "/" in a topic, so at most 4 levels in "mqtt.prefix"')
    if (isAws(mqtt.url) && (mqtt.client_id?.length ?? 0) > 128)
      refuse(['mqtt', 'client_id'], 'AWS IoT Core takes at most 128 letters in "mqtt.client_id"')
    if (tls && (mqtt.cert === undefined) !== (mqtt.key === undefined))
      refuse(['mqtt', mqtt.cert ? 'cert' : 'key'], '"mqtt.cert" and "mqtt.key" come together')
    for (const key of ['password', 'password_file'] as const)
      if (mqtt[key] !== undefined && mqtt.username === undefined) refuse(['mqtt', key], `"mqtt.${key}" needs "mqtt.username"`)
    if (mqtt.password !== undefined && mqtt.password_file !== undefined)
      refuse(['mqtt', 'password_file'], '"mqtt.password" and "mqtt.password_file" exclude each other')
    if (mqtt.url && broker.port !== undefined)
      refuse(['broker', 'port'], '"broker" is the agent\'s own broker, which does not run where "mqtt.url" names another one')
  })

/** Entries with the name of an earlier one, and the place of that. */
const repeated = (named: readonly { name: string }[]) =>
  named
    .map(({ name }, i) => ({ i, name, first: named.findIndex((other) => other.name === name) }))
    .filter(({ i, first }) => first !== i)

/** Whether a broker's address asks for TLS. */
export const usesTls = (url = '') => /^(mqtts|ssl|tls|wss):/.test(url)

/** Whether an address is AWS IoT Core's, which has limits of its own: https://docs.aws.amazon.com/general/latest/gr/iot-core.html */
export const isAws = (url = '') => URL.canParse(url) && /\.iot\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/.test(new URL(url).hostname)

export type Config = z.infer<typeof Config>
export type CameraConfig = z.infer<typeof CameraConfig>
