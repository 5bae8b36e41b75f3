// Where the repository's files lie, seen from the sources and from build/ alike.
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const above = dirname(dirname(fileURLToPath(import.meta.url)))

/** The folder that holds this repository. */
export const repository = basename(above) === 'build' ? dirname(above) : above

/** The compiled programs. */
export const build = join(repository, 'build')

/** JSON Schemas of the messages and of the config file, see schemas.ts. */
export const messagesSchemaFile = join(repository, 'edge-agent/messages.schema.json')
export const configSchemaFile = join(repository, 'deploy/agent.schema.json')

/** What plays where no camera is configured, and the bundle that is used where none is named. */
export const demoDrive = join(repository, 'edge-agent/demo/drive.mp4')
export const demoBundle = join(repository, 'edge-agent/demo/bundle')
