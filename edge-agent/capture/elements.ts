// Which of GStreamer's elements do the heavy work in a pipeline. decodebin chooses by itself; the bus names every element
// that changes its state, as its factory with a number: nvv4l2decoder0, avdec_h264-0.

export interface Chosen {
  decoder?: string
  converter?: string
  /** Makes the JPEGs. */
  encoder?: string
}

const decoding = /^avdec_|dec(oder|_\w+)?$/

/** Of the names of all elements in a pipeline. A camera that gives raw video has no decoder. */
export function chosenElements(names: Iterable<string>): Chosen {
  const factories = Array.from(names, (name) => name.replace(/-?\d+$/, ''))
  const find = (fits: (factory: string) => boolean) => factories.find(fits)
  const decoder = find((factory) => decoding.test(factory))
  const converter = find((factory) => factory === 'nvvidconv') ?? find((factory) => factory === 'videoconvert')
  const encoder = find((factory) => factory.endsWith('jpegenc'))
  return { ...(decoder && { decoder }), ...(converter && { converter }), ...(encoder && { encoder }) }
}
