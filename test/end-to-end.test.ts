// The whole chain for real: train a few steps, run the agent on a GStreamer camera with that bundle, and get the same mask by
// a real Mosquitto, by WebSocket and from the bundle itself.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { fitPicture } from '../deploy/fit-picture.ts'
import { loadBundle } from '../deploy/run-bundle.ts'
import { type MaskMessage, unpackMask } from '../edge-agent/wire.ts'

const run = promisify(execFile)
const build = join(import.meta.dirname, '../build')
const children: ChildProcess[] = []
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-chain-'))
})
afterAll(async () => {
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(
    children.map((child) => child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once('exit', resolve))),
  )
  await rm(dir, { recursive: true, force: true })
})

/** A road that narrows to the horizon, at `bend`; and its label in KITTI's colours. */
async function scene(width: number, height: number, bend: number) {
  const [picture, label] = [Buffer.alloc(width * height * 3), Buffer.alloc(width * height * 3)]
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height]
    const depth = (y - 0.4) / 0.6
    const road = depth > 0 && Math.abs(x - 0.5 - bend * (1 - depth)) < 0.06 + 0.36 * depth
    const grain = (i * 2654435761) % 17
    picture.set(road ? [100 + grain, 100 + grain, 104 + grain] : depth > 0 ? [50, 120 + grain, 40] : [160, 190, 235], 3 * i)
    label.set(road ? [255, 0, 255] : [255, 0, 0], 3 * i)
  }
  const raw = { raw: { width, height, channels: 3 } } as const
  return { picture: await sharp(picture, raw).png().toBuffer(), label: await sharp(label, raw).png().toBuffer() }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a program and resolves when it has printed something that matches. */
function start(command: string, args: string[], ready: RegExp): Promise<ChildProcess> {
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return new Promise((resolve, reject) => {
    let out = ''
    const listen = (data: Buffer) => {
      out += data
      if (ready.test(out)) resolve(child)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}:\n${out}`)))
  })
}

const pixels = async (png: Uint8Array) => {
  const { data, info } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, road: Array.from(data, (value) => (value > 127 ? 1 : 0)) }
}

const agreement = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).filter((value, i) => value === b[i]).length / a.length

it('a trained bundle gives one and the same mask by MQTT, by WebSocket and by itself', async () => {
  const kitti = join(dir, 'kitti')
  for (const sub of ['training/image_2', 'training/gt_image_2']) await mkdir(join(kitti, sub), { recursive: true })
  for (let n = 0; n < 16; n++) {
    const { picture, label } = await scene(192, 96, ((n % 8) - 4) / 20)
    await writeFile(join(kitti, `training/image_2/um_${String(n).padStart(6, '0')}.png`), picture)
    await writeFile(join(kitti, `training/gt_image_2/um_road_${String(n).padStart(6, '0')}.png`), label)
  }
  const small = [
    '--preset',
    'jetson',
    '--width',
    '0.1',
    '--fc',
    '16',
    '--input',
    '96x48',
    '--learning-rate',
    '0.01',
    '--epochs',
    '15',
  ]
  await run(process.execPath, [
    join(build, 'trainer/train.js'),
    ...small,
    '--data',
    `kitti:${kitti}`,
    '--run',
    join(dir, 'run'),
  ])

  const still = await scene(384, 192, 0.1)
  await writeFile(join(dir, 'still.png'), still.picture)
  const [mqttPort, httpPort] = [await freePort(), await freePort()]
  await writeFile(join(dir, 'mosquitto.conf'), `listener ${mqttPort} 127.0.0.1\nallow_anonymous true\n`)
  await start('mosquitto', ['-c', join(dir, 'mosquitto.conf')], /running/)
  await writeFile(
    join(dir, 'agent.yaml'),
    `device: chain
state_dir: state
mqtt: { url: mqtt://127.0.0.1:${mqttPort}, prefix: test }
http: { port: ${httpPort} }
bundle: ${join(dir, 'run/bundle')}
cameras:
  - name: still
    source: 'gst:multifilesrc location=${join(dir, 'still.png')} loop=true caps=image/png,framerate=10/1 ! pngdec'
`,
  )
  await start(
    process.execPath,
    [join(build, 'edge-agent/main.js'), '--config', join(dir, 'agent.yaml')],
    new RegExp(`:${httpPort}`),
  )

  const byMqtt = await run(
    'mosquitto_sub',
    ['-p', String(mqttPort), '-t', 'test/chain/still/mask', '-C', '1', '-W', '30', '-N'],
    { encoding: 'buffer' },
  )
  const bySocket = await new Promise<MaskMessage>((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/ws`)
    socket.binaryType = 'arraybuffer'
    socket.on('message', (data, binary) => {
      if (!binary) return
      socket.close()
      resolve(unpackMask(new Uint8Array(data as ArrayBuffer)))
    })
    socket.on('error', reject)
  })
  const bundle = await loadBundle(join(dir, 'run/bundle'))
  const { masks } = bundle.serve(await fitPicture(join(dir, 'still.png'), bundle.manifest.input), 1)
  bundle.dispose()

  const [mqtt, socket] = [await pixels(byMqtt.stdout), await pixels(bySocket.mask)]
  expect([mqtt.width, mqtt.height]).toEqual([96, 48])
  expect(mqtt.road).toEqual(socket.road)
  expect(agreement(mqtt.road, masks)).toBeGreaterThanOrEqual(0.99)
  expect(bySocket.result).toMatchObject({
    camera: 'still',
    camera_width: 384,
    camera_height: 192,
    region: [0, 0, 384, 192],
    classes: ['other', 'road'],
  })
  expect(bySocket.result.road_percent).toBeCloseTo((100 * masks.reduce((sum, id) => sum + id, 0)) / masks.length, 0)

  // And it is the road: the label, at the mask's size.
  const truth = await sharp(still.label).resize(96, 48, { kernel: 'nearest' }).raw().toBuffer()
  const labelled = Array.from({ length: 96 * 48 }, (_, i) => (truth[3 * i + 2]! > 127 ? 1 : 0))
  expect(agreement(mqtt.road, labelled)).toBeGreaterThan(0.93)
}, 180_000)
