// The version of the agent, as its package states it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './paths.ts'

export const { version } = JSON.parse(readFileSync(join(repository, 'edge-agent/package.json'), 'utf8')) as { version: string }
