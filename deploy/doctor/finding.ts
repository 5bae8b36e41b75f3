// What doctor finds, one line of its report each.

export interface Finding {
  /** Heading it stands under. */
  section: string
  name: string
  /** `problem`: the agent could not work. `note`: it works, but somebody may want to know. */
  state: 'ok' | 'note' | 'problem'
  text: string
  /** What to do about it. */
  advice?: string
}

/** One part of the examination: lines for people, and the same as values for programs. */
export interface Part<Facts> {
  facts: Facts
  findings: Finding[]
}
