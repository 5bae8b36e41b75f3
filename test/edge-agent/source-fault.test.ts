// What is said of a camera or video that cannot be opened, in words that help.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { sourceFault } from '../../edge-agent/capture/source-fault.ts'

const dir = mkdtempSync(join(tmpdir(), 'roadmask-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('one that is not there is told with those that are', async () => {
  expect(await sourceFault('v4l2:/dev/video-none')).toMatch(
    /^There is no camera \/dev\/video-none; found (\/dev\/video\d+|none in \/dev\/video\*)/,
  )
  expect(await sourceFault(`file:${dir}/none.mp4`)).toBe(`There is no file ${dir}/none.mp4`)
  expect(await sourceFault(`v4l2:${dir}/file/below`)).toMatch(/There is no camera|cannot be opened \(E/)
  expect(await sourceFault('v4l2:/dev/null')).toBeUndefined()
  expect(await sourceFault('rtsp://10.0.0.1')).toBeUndefined()
})

test.skipIf(process.getuid?.() !== 0)('one that this user may not open is told with the remedy', () => {
  const device = join(dir, 'video0')
  writeFileSync(device, '')
  chmodSync(device, 0o600)
  chmodSync(dir, 0o755)
  const module = pathToFileURL(join(process.cwd(), 'build/edge-agent/capture/source-fault.js'))
  const program = 'console.log(await (await import(process.argv[1])).sourceFault(process.argv[2]))'
  const asNobody = (source: string) =>
    execFileSync(
      'setpriv',
      [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        '--input-type=module',
        '-e',
        program,
        module.href,
        source,
      ],
      { encoding: 'utf8', cwd: '/' },
    ).trim()
  expect(asNobody(`v4l2:${device}`)).toBe(
    `${device} may not be opened by this user; put the user into the group "video" and sign in again`,
  )
  expect(asNobody(`file:${device}`)).toBe(`${device} may not be opened by this user`)
})
