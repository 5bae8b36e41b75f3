// What kind of source a text names. By itself, so that a camera process loads no schema for it.

/** By how it begins: `test`, `demo`, `file`, `rtsp`, `v4l2`, `csi` or `gst`. */
export function sourceKind(source: string): string {
  const kind = source.split(':')[0] ?? ''
  return kind === 'rtsps' ? 'rtsp' : kind
}
