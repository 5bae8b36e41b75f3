// A camera's source as a form has it: what kind it is, where it is, and who signs in there. Pure.

export const kinds = {
  rtsp: 'Network camera (RTSP)',
  v4l2: 'USB camera or capture card',
  csi: 'CSI camera of a Jetson',
  file: 'File: video or picture',
  gst: 'GStreamer pipeline text',
  test: 'Test picture',
  demo: 'Demo drive',
} as const
export type Kind = keyof typeof kinds

/** Settings beside the source that a kind has. */
export const settingsOf: Record<Kind, readonly ('size' | 'fps' | 'transport' | 'latency_ms' | 'loop')[]> = {
  rtsp: ['transport', 'latency_ms'],
  v4l2: ['size', 'fps'],
  csi: ['size', 'fps'],
  file: ['loop'],
  gst: [],
  test: ['size', 'fps'],
  demo: ['loop'],
}

export interface SourceParts {
  kind: Kind
  /** Address, device, number, path or text. */
  place: string
  user: string
  password: string
  /** The agent knows user and password of this address and tells nobody: left empty, they stay. */
  kept: boolean
}

export function readSource(source: string): SourceParts {
  const kind = (Object.keys(kinds) as Kind[]).find((known) => known === source.split(':')[0]) ?? 'rtsp'
  const nobody = { user: '', password: '' }
  if (kind !== 'rtsp') return { kind, place: source.slice(kind.length + 1), ...nobody, kept: false }
  const [, scheme = '', credentials = '', rest = source] = /^(\w+:\/\/)([^/]*@)?(.*)$/.exec(source) ?? []
  return { kind, place: scheme + rest, ...nobody, kept: credentials !== '' }
}

export function writeSource({ kind, place, user, password, kept }: SourceParts): string {
  if (kind === 'test' || kind === 'demo') return kind
  if (kind !== 'rtsp') return `${kind}:${place.trim()}`
  const [, scheme = 'rtsp://', rest = place.trim()] = /^(\w+:\/\/)(.*)$/.exec(place.trim()) ?? []
  const who = [user, password].filter(Boolean).map(encodeURIComponent).join(':')
  return scheme + (who ? `${who}@` : kept ? '***@' : '') + rest
}
