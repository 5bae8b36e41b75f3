// What a process costs, as Linux tells it below /proc.
import { readFileSync } from 'node:fs'

/** Clock ticks a second in /proc (USER_HZ), the same on every Linux that Node runs on. */
const ticks = 100

/** Time on a core so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in brackets, may hold spaces; utime and stime are fields 14 and 15, counted from 1.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

/** Memory that no other process shares, in MB (10^6 bytes). */
export function privateMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kib = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((sum, [, size]) => sum + Number(size), 0)
  return (1024 * kib) / 1e6
}

/** Running children by the name of their compiled module, such as `camera` and `segment`. */
export function childrenOf(pid: number): { pid: number; module: string }[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  return children.flatMap((child) => {
    const module = /\/([\w-]+)\.js\0/.exec(readFileSync(`/proc/${child}/cmdline`, 'utf8'))?.[1]
    return module === undefined ? [] : [{ pid: child, module }]
  })
}
