// Folders that people name for what programs write.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectOutputFolder, makeFolder } from '../../deploy/make-folder.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-folder-'))
})
afterAll(() => rm(dir, { recursive: true }))

test('a folder is made with those above it, once', async () => {
  expect(await makeFolder(join(dir, 'a/b'))).toEqual([join(dir, 'a'), join(dir, 'a/b')])
  expect(await makeFolder(join(dir, 'a/b'))).toEqual([])
  await Promise.all([makeFolder(join(dir, 'c/d')), makeFolder(join(dir, 'c/d'))])
  expect(await readdir(join(dir, 'c'))).toEqual(['d'])
})

// Node's own mkdir never comes back from these.
test.skipIf(process.platform !== 'linux')(
  'a folder that can never be is refused at once, with what is in its way',
  async () => {
    await expect(makeFolder('/proc/roadmask')).rejects.toThrow(
      /^The folder \/proc\/roadmask cannot be made, since \/proc takes none/,
    )
    await expect(expectOutputFolder('/proc/roadmask/run')).rejects.toThrow('name another')
    await expect(expectOutputFolder('/proc')).rejects.toThrow(/^The folder \/proc cannot be written into/)
    await writeFile(join(dir, 'file'), '')
    await expect(makeFolder(join(dir, 'file/run'))).rejects.toThrow(`found the file ${join(dir, 'file')}`)
  },
)

test('looking whether a folder can be written into leaves nothing', async () => {
  await expectOutputFolder(join(dir, 'x/y'))
  await expectOutputFolder(join(dir, 'a'))
  expect(await readdir(dir)).not.toContain('x')
  expect(await readdir(join(dir, 'a'))).toEqual(['b'])
})

test('nothing is to be written into a bundle, or into a folder within it', async () => {
  await mkdir(join(dir, 'bundle/model'), { recursive: true })
  await writeFile(join(dir, 'bundle/manifest.json'), '{"format": "roadmask-bundle"}')
  for (const inside of ['bundle', 'bundle/overlays', 'bundle/model'])
    await expect(expectOutputFolder(join(dir, inside))).rejects.toThrow(`is in the bundle ${join(dir, 'bundle')}`)
  await expectOutputFolder(join(dir, 'bundle-overlays'))
})
