// A device by the system's own ssh: one connection for all commands (ControlMaster), whatever ~/.ssh/config says about the host.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'

export interface Device {
  /** Runs a shell script as root and gives what it printed. Throws with its last words where it fails. */
  root(script: string, input?: Readable | string): Promise<string>
  close(): void
}

export interface Address {
  /** As ssh takes it: user@host, or a name of ~/.ssh/config. */
  host: string
  port?: string | undefined
  identity?: string | undefined
  /** ssh's -o, such as StrictHostKeyChecking=accept-new. */
  options?: readonly string[] | undefined
}

const quote = (script: string) => `'${script.replaceAll("'", "'\\''")}'`

/** Asks on the terminal, without an echo; empty where there is none. */
function askPassword(host: string): string {
  const prompt = `read -rsp "Password of sudo on ${host.replaceAll(/[^\w@.:-]/g, '')}: " word </dev/tty && echo >/dev/tty && printf %s "$word"`
  return spawnSync('bash', ['-c', prompt], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' }).stdout ?? ''
}

/** Connects, and finds how to become root: already so, sudo without a password, or with one that is asked for once. */
export async function openDevice({ host, port, identity, options = [] }: Address): Promise<Device> {
  const dir = mkdtempSync(join(tmpdir(), 'roadmask-ssh-')) // short: a socket's path has 108 characters
  const common = [
    ...['-o', 'ControlMaster=auto', '-o', `ControlPath=${dir}/s`, '-o', 'ControlPersist=120', '-o', 'ServerAliveInterval=15'],
    ...options.flatMap((option) => ['-o', option]),
    ...(port ? ['-p', port] : []),
    ...(identity ? ['-i', identity] : []),
  ]
  const close = () => {
    spawnSync('ssh', [...common, '-O', 'exit', host], { stdio: 'ignore' })
    rmSync(dir, { recursive: true, force: true })
  }

  async function run(command: string, input: Readable | string = '', before = ''): Promise<string> {
    // -T: no terminal, since what is sent may be bytes. ssh itself asks for a passphrase or password on the terminal.
    const child = spawn('ssh', ['-T', ...common, host, command], { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {}) // it ended before it took all: its exit code says why
    child.stdin.write(before)
    if (typeof input === 'string') child.stdin.end(input)
    else input.pipe(child.stdin)
    const [out, error, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done)),
    ])
    if (code === 0) return out.trim()
    const said = `${out.trim().split('\n').slice(-3).join('\n')}\n${error.trim()}`.trim()
    throw new Error(code === 255 ? `No connection to ${host}: ${said}` : `${said || 'it failed'} (exit code ${code})`)
  }

  try {
    let prefix = ''
    let password = ''
    const found = await run(
      'if [ "$(id -u)" = 0 ]; then echo root; elif sudo -n true 2>/dev/null; then echo sudo; else echo asks; fi',
    )
    if (found === 'sudo') prefix = 'sudo -n '
    if (found === 'asks') {
      // -k: the password is read every time, even where sudo remembers it, so that it never becomes part of the input.
      prefix = "sudo -k -S -p '' "
      const word = process.env.ROADMASK_SUDO_PASSWORD ?? askPassword(host)
      if (!word)
        throw new Error(`sudo on ${host} asks for a password: run this on a terminal, or give it as ROADMASK_SUDO_PASSWORD`)
      password = `${word}\n`
    }
    return { root: (script, input) => run(`${prefix}sh -c ${quote(script)}`, input, password), close }
  } catch (error) {
    close()
    throw error
  }
}
