// What an acceptance looked at, one line of its report each.

export interface Check {
  /** Heading it stands under. */
  section: string
  name: string
  state: 'pass' | 'fail' | 'skipped'
  expected: string
  /** What was found; where it was skipped, why. */
  found: string
}

export const pass = (section: string, name: string, good: boolean, expected: string, found: string): Check => ({
  section,
  name,
  state: good ? 'pass' : 'fail',
  expected,
  found,
})

export const skipped = (section: string, name: string, expected: string, found: string): Check => ({
  section,
  name,
  state: 'skipped',
  expected,
  found,
})
