// What can be seen to be wrong with a source before GStreamer is asked, which says it late or in its own words.
import { constants } from 'node:fs'
import { access, readdir } from 'node:fs/promises'

/** Why a file or device cannot be opened, and what to do; undefined where it can, and for sources of other kinds. */
export async function sourceFault(source: string): Promise<string | undefined> {
  const [, kind, path] = /^(file|v4l2):(.*)$/s.exec(source) ?? []
  if (!path) return undefined
  const device = kind === 'v4l2'
  const fault = await access(path, device ? constants.R_OK | constants.W_OK : constants.R_OK).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => code,
  )
  if (!fault) return undefined
  if (fault === 'EACCES' || fault === 'EPERM')
    return `${path} may not be opened by this user${device ? '; put the user into the group "video" and sign in again' : ''}`
  if (fault !== 'ENOENT') return `${path} cannot be opened (${fault})`
  if (!device) return `There is no file ${path}`
  const found = (await readdir('/dev').catch(() => [])).filter((name) => /^video\d+$/.test(name))
  return `There is no camera ${path}; found ${found.length ? found.map((name) => `/dev/${name}`).join(', ') : 'none in /dev/video*'}`
}
