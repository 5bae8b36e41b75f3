// Which types of 16 and 8 bits this machine computes convolutions in itself. A type that it lacks may still work, by way of
// float32, and is then hardly faster. TensorFlow does not tell; processors, boards and drivers do.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface NativePrecision {
  bfloat16: boolean
  float16: boolean
  int8: boolean
}

/** Flags in /proc/cpuinfo, x86-64 and arm64, of what oneDNN and the Arm Compute Library compute with. */
const cpuFlags = {
  bfloat16: ['avx512_bf16', 'amx_bf16', 'bf16'],
  float16: ['avx512_fp16', 'amx_fp16', 'asimdhp'],
  int8: ['avx512_vnni', 'avx_vnni', 'amx_int8'],
}

/** Least CUDA compute capability with tensor cores for the type (NVIDIA, CUDA C++ Programming Guide). */
const leastCapability = { bfloat16: 8, float16: 7 }

/** Compute capability of each Jetson, by its chip in the device tree. */
const jetsons: Record<string, number> = { tegra186: 6.2, tegra194: 7.2, tegra210: 5.3, tegra234: 8.7, tegra264: 11 }

/** From the text of /proc/cpuinfo. */
export function cpuPrecision(cpuinfo: string): NativePrecision {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/))
  const any = (names: string[]) => names.some((name) => flags.has(name))
  return { bfloat16: any(cpuFlags.bfloat16), float16: any(cpuFlags.float16), int8: any(cpuFlags.int8) }
}

const gpuPrecision = (capability: number): NativePrecision => ({
  bfloat16: capability >= leastCapability.bfloat16,
  float16: capability >= leastCapability.float16,
  int8: false, // oneDNN's kernels, which compute it, are for processors
})

/** What the device computes in itself; undefined where nobody says. */
export async function nativePrecision(device: 'cpu' | 'gpu'): Promise<NativePrecision | undefined> {
  if (device === 'cpu') {
    const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => undefined)
    return cpuinfo === undefined ? undefined : cpuPrecision(cpuinfo)
  }
  const board = await readFile('/proc/device-tree/compatible', 'utf8').catch(() => '')
  const chip = /tegra\d+/.exec(board)?.[0]
  if (chip && jetsons[chip]) return gpuPrecision(jetsons[chip])
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader']
  const { stdout } = await promisify(execFile)('nvidia-smi', query).catch(() => ({ stdout: '' }))
  const capability = Number.parseFloat(stdout)
  return Number.isNaN(capability) ? undefined : gpuPrecision(capability)
}

/** What to say of a model that computes in `compute` on a device that does not; undefined where all is well. */
export async function slowPrecision(compute: string, device: 'cpu' | 'gpu'): Promise<string | undefined> {
  if (compute !== 'bfloat16' && compute !== 'float16' && compute !== 'int8') return undefined
  if ((await nativePrecision(device))?.[compute] !== false) return undefined
  return (
    `The bundle computes in ${compute}, which this ${device.toUpperCase()} has no instructions for: it is slower than it could be. ` +
    'Export it again for this device: npm run export -- --run DIR --compute float32'
  )
}
