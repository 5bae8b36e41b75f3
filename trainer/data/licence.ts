// The licence of a data set, which goes into the manifest of whatever is trained on it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A file in a data set's folder whose first line names the licence. */
export const licenceFile = 'licence.txt'

/** What the licence file in `dir` says; `otherwise` where there is none. */
export async function readLicence(dir: string, otherwise: string): Promise<string> {
  const text = await readFile(join(dir, licenceFile), 'utf8').catch(() => otherwise)
  return text.split('\n')[0]!.trim()
}
