// Python with TensorFlow and moto, which `npm test` sets up where the system's Python fits.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const python = process.env.ROADMASK_PYTHON ?? join(import.meta.dirname, '../.setup/python/bin/python')

/** Tests that need it are skipped elsewhere. */
export const hasPython = existsSync(python)
if (!hasPython) console.warn(`skipped: no Python at ${python}; npm test sets it up where the system's Python fits`)
