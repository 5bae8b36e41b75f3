// What the device is and can do: doctor's own findings, the GPU beside the CPU, and how fast GStreamer decodes and encodes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ComputeProof } from '../../deploy/doctor/compute-proof.ts'
import type { Finding } from '../../deploy/doctor/finding.ts'
import { lastLines, run } from '../../deploy/doctor/run.ts'
import { hd } from '../bench/scenarios.ts'
import { makeVideo } from '../bench/videos.ts'
import { build } from '../paths.ts'
import { type Check, pass, skipped } from './check.ts'

/** What is used here of what `doctor --json` prints. */
export interface Doctor {
  ok: boolean
  machine: {
    product: { version: string; commit: string }
    system: string
    kernel: string
    processor: { name: string; cores: number }
    nvidia: { board: string; gpu: string; driver: string; jetpack: string; cuda: string; cudnn: string }
    memory: { total_bytes: number }
  }
  compute: { proof?: Pick<ComputeProof, 'tensorflow' | 'device' | 'gflops'> }
  gstreamer: {
    version: string
    elements: Record<string, boolean>
    chosen: { h264: string; h265: string; jpeg: string; converter: string; encoder: string }
  }
  cameras: { device: string; name: string; readable: boolean }[]
  findings: Finding[]
}

/** What doctor says of this machine and bundle. */
export async function askDoctor(bundle: string): Promise<Doctor> {
  const { out, error, reason } = await run(process.execPath, [join(build, 'deploy/doctor.js'), '--json', '--bundle', bundle], {
    timeoutMs: 300_000, // of which a Jetson's first convolution is the longest
  })
  try {
    return JSON.parse(out)
  } catch (cause) {
    throw new Error(`doctor did not answer (${reason}): ${lastLines(error)}`, { cause })
  }
}

export const isJetson = ({ machine }: Doctor) => machine.nvidia.board !== ''

export function checkDevice(doctor: Doctor): Check[] {
  const problems = doctor.findings.filter(({ state }) => state === 'problem')
  const checks = [
    pass(
      'Device',
      'doctor',
      doctor.ok,
      'no problem',
      problems.map(({ section, name, text }) => `${section}, ${name}: ${text}`).join('; ') || 'none',
    ),
  ]
  const { board, jetpack, cuda, cudnn } = doctor.machine.nvidia
  const named = [board, jetpack && `JetPack ${jetpack}`, cuda && `CUDA ${cuda}`, cudnn && `cuDNN ${cudnn}`].filter(Boolean)
  checks.push(
    isJetson(doctor)
      ? pass('Device', 'Jetson', jetpack !== '', 'its JetPack is known', named.join(', '))
      : skipped('Device', 'Jetson', 'a board of NVIDIA', 'this machine is none'),
  )
  return checks
}

/** How many times the GPU must be faster than the CPU beside it, so that its kernels are surely the ones that run. */
const leastGain = 3

/** Whether TensorFlow's kernels run on the GPU: it says so, and they are faster than with the GPU hidden from it. */
export async function checkCompute(doctor: Doctor): Promise<Check[]> {
  const { proof } = doctor.compute
  if (!proof) return [pass('Compute', 'TensorFlow', false, 'computes', 'see doctor')]
  const found = `${proof.tensorflow} on the ${proof.device.toUpperCase()}, ${proof.gflops.toFixed(0)} GFLOP/s in a middle layer`
  const gpuHere = isJetson(doctor) || doctor.machine.nvidia.gpu !== ''
  if (!gpuHere)
    return [
      pass('Compute', 'TensorFlow', true, 'computes right', found),
      skipped('Compute', 'GPU kernels', 'on the GPU', 'this machine has no NVIDIA GPU'),
    ]
  const hidden = await run(process.execPath, [join(build, 'deploy/doctor/compute-proof.js')], {
    timeoutMs: 120_000,
    env: { CUDA_VISIBLE_DEVICES: '-1', TF_CPP_MIN_LOG_LEVEL: '3' },
  })
  const cpu = hidden.ok ? (JSON.parse(hidden.out) as ComputeProof).gflops : Number.NaN
  return [
    pass('Compute', 'TensorFlow', proof.device === 'gpu', 'on the GPU', found),
    pass(
      'Compute',
      'GPU kernels',
      proof.device === 'gpu' && proof.gflops >= leastGain * cpu,
      `${leastGain} times as fast as the CPU, or more`,
      `${proof.gflops.toFixed(0)} beside ${cpu.toFixed(0)} GFLOP/s with the GPU hidden`,
    ),
  ]
}

/** Seconds that a pipeline takes to its end. */
async function play(text: string, timeoutMs = 60_000): Promise<number> {
  const began = performance.now()
  const { ok, reason, error } = await run('gst-launch-1.0', ['-q', ...text.split(' ')], { timeoutMs })
  if (!ok) throw new Error(`${reason}: ${lastLines(error)}`)
  return (performance.now() - began) / 1000
}

/** Frames a second between the ends of a short run and a long one, so that the start does not count. */
async function rate(text: (frames: number) => string): Promise<number> {
  const [short, long] = [30, 330]
  const [first, second] = [await play(text(short)), await play(text(long))]
  return (long - short) / Math.max(0.01, second - first)
}

/** Frames of 720p a second: twice what a camera gives. */
const leastRate = 60

async function rated(name: string, expected: string, element: string, right: boolean, text: (frames: number) => string) {
  try {
    const found = await rate(text)
    return pass(
      'Video',
      name,
      right && found >= leastRate,
      `${expected}, ${leastRate} frames of 720p a second`,
      `${element}, ${found.toFixed(0)} a second`,
    )
  } catch (error) {
    return pass('Video', name, false, expected, `${element || 'nothing'}: ${(error as Error).message}`)
  }
}

export async function checkVideo(doctor: Doctor): Promise<Check[]> {
  const { chosen, elements } = doctor.gstreamer
  const jetson = isJetson(doctor)
  // An Orin Nano has no encoder of video, but decodes, and makes JPEGs, in hardware as all the others do.
  const expected = (element: string, hardware: string) =>
    jetson ? `${hardware} (hardware)` : `any element${element ? '' : ', found none'}`
  const video = makeVideo(hd)
  const nv = chosen.encoder === 'nvjpegenc'
  const source = 'videotestsrc pattern=ball num-buffers='
  const checks = [
    await rated(
      'H.264 decoder',
      expected(chosen.h264, 'nvv4l2decoder'),
      chosen.h264,
      jetson ? chosen.h264 === 'nvv4l2decoder' : chosen.h264 !== '',
      (frames) =>
        `filesrc location=${video} ! decodebin caps=video/x-raw(ANY) expose-all-streams=false ! fakesink num-buffers=${frames} sync=false`,
    ),
    await rated(
      'JPEG encoder',
      expected(chosen.encoder, 'nvjpegenc'),
      chosen.encoder,
      jetson ? nv : chosen.encoder !== '',
      (frames) =>
        `${source}${frames} ! video/x-raw,format=I420,width=1280,height=720 ! ${nv ? 'nvvidconv ! video/x-raw(memory:NVMM),format=I420 ! ' : ''}${chosen.encoder} ! fakesink sync=false`,
    ),
  ]
  checks.push(await checkCsi(jetson, elements.nvarguscamerasrc === true))
  const usb = doctor.cameras.filter(({ readable }) => readable)
  checks.push(
    doctor.cameras.length
      ? pass(
          'Video',
          'V4L2 devices',
          usb.length === doctor.cameras.length,
          'this user may open them',
          doctor.cameras.map(({ device, name, readable }) => `${device} ${name}${readable ? '' : ' (may not)'}`).join(', '),
        )
      : skipped('Video', 'V4L2 devices', 'this user may open them', 'no /dev/video*'),
  )
  return checks
}

async function checkCsi(jetson: boolean, element: boolean): Promise<Check> {
  const expected = '60 frames of the first CSI camera'
  if (!jetson) return skipped('Video', 'CSI', expected, 'this machine has no CSI port of NVIDIA')
  if (!element) return pass('Video', 'CSI', false, expected, "GStreamer's nvarguscamerasrc is not there")
  if (!existsSync('/tmp/argus_socket'))
    return skipped('Video', 'CSI', expected, 'nvargus-daemon is not reachable: /tmp/argus_socket is not there')
  try {
    const seconds = await play('nvarguscamerasrc sensor-id=0 num-buffers=60 ! fakesink', 30_000)
    return pass('Video', 'CSI', true, expected, `came within ${seconds.toFixed(1)} s`)
  } catch (error) {
    return /No cameras available/i.test((error as Error).message)
      ? skipped('Video', 'CSI', expected, 'no camera is plugged in')
      : pass('Video', 'CSI', false, expected, (error as Error).message)
  }
}
