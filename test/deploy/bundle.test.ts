import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modelFile, openBundle, writeBundle } from '../../deploy/bundle.ts'
import { writeBrightBundle } from '../bright-bundle.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'roadmask-'))
})
afterAll(() => rm(dir, { recursive: true }))

test('a bundle takes the place of another one, and of nothing else', async () => {
  const bundle = join(dir, 'bundle')
  await writeBrightBundle(bundle)
  const { manifest } = await openBundle(bundle)
  await writeBundle(bundle, { ...manifest, name: 'newer' }, { [modelFile]: await readFile(join(bundle, modelFile)) })
  expect((await openBundle(bundle)).manifest.name).toBe('newer')

  const own = join(dir, 'own')
  await mkdir(own)
  await writeFile(join(own, 'thesis.txt'), 'years of work')
  await expect(writeBrightBundle(own)).rejects.toThrow(`${own} holds thesis.txt and is no bundle; name a new folder`)
  await expect(writeBrightBundle(join(own, 'thesis.txt'))).rejects.toThrow('Expected a folder for the bundle')
  expect(await readFile(join(own, 'thesis.txt'), 'utf8')).toBe('years of work')
  expect((await readdir(dir)).sort()).toEqual(['bundle', 'own']) // nothing half-made either
})

test('a file that was changed after the bundle was made is named', async () => {
  const bundle = join(dir, 'changed')
  await writeBrightBundle(bundle)
  await writeFile(join(bundle, modelFile), 'something else')
  await expect(openBundle(bundle)).rejects.toThrow(`${join(bundle, modelFile)} is not what the manifest says`)
})
