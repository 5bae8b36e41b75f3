// The newest mask of a camera as pixels, and what zones would be by it: with the agent's own functions, so that what the page
// says before saving is what the agent will say after it.
import { watchZones } from '../../edge-agent/facts/zone-states.ts'
import { type Runs, roadShare, runsOf } from '../../edge-agent/facts/zones.ts'
import type { MaskMessage, Point, Result } from '../../edge-agent/wire.ts'
import { dimUnseen, placeOf, roadPixels } from '../live/draw.ts'

export interface Seen {
  result: Result
  /** 1 for road [height, width]. */
  road: Uint8Array
  picture: ImageBitmap | undefined
}

/** A zone as it stands in the config file: what is left out has its default. */
export interface ZoneSettings {
  name: string
  polygon: Point[]
  blocked_below?: number
  clear_above?: number
  hold_s?: number
}
export const zoneDefaults = { blocked_below: 50, hold_s: 1 }

export interface ZoneLooks {
  /** Undefined where the model sees nothing of it. */
  percent: number | undefined
  blocked: boolean
}

/** In one word, also for style sheets. */
export const lookState = (look: ZoneLooks | undefined): 'unseen' | 'blocked' | 'clear' =>
  look?.percent === undefined ? 'unseen' : look.blocked ? 'blocked' : 'clear'

/** Takes every message and hands over the newest one, decoded, one at a time. */
export function decodeNewest(on: (seen: Seen) => void): (message: MaskMessage) => void {
  let waiting: MaskMessage | undefined
  let busy = false
  async function work() {
    busy = true
    for (let message = waiting; message; message = waiting) {
      waiting = undefined
      try {
        on(await decode(message))
      } catch {
        // The live view says what is wrong with a camera's messages; here the last good one stays.
      }
    }
    busy = false
  }
  return (message) => {
    // A picture that waits is not passed over for a mask without one.
    waiting = waiting?.picture.length && !message.picture.length ? waiting : message
    if (!busy) void work()
  }
}

async function decode({ result, mask, picture }: MaskMessage): Promise<Seen> {
  const bitmap = (bytes: Uint8Array, type: string) =>
    createImageBitmap(new Blob([new Uint8Array(bytes)], { type }), { colorSpaceConversion: 'none' })
  const [classes, photo] = await Promise.all([
    bitmap(mask, 'image/png'),
    picture.length ? bitmap(picture, 'image/jpeg') : undefined,
  ])
  const { width, height } = classes
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!
  context.drawImage(classes, 0, 0)
  classes.close()
  return { result, road: roadPixels(context.getImageData(0, 0, width, height), mask, result), picture: photo }
}

/** Draws a picture with its road tinted; one without a picture leaves the last one. */
export function drawSeen(canvas: HTMLCanvasElement, { result, road, picture }: Seen): void {
  if (!picture) return
  canvas.width = picture.width
  canvas.height = picture.height
  const context = canvas.getContext('2d')!
  context.drawImage(picture, 0, 0)
  picture.close()
  const tint = new OffscreenCanvas(result.width, result.height)
  const pixels = new ImageData(result.width, result.height)
  const words = new Uint32Array(pixels.data.buffer)
  for (let i = 0; i < road.length; i++) if (road[i]) words[i] = 0x60c3e51f // roadTint, at three eighths
  tint.getContext('2d')!.putImageData(pixels, 0, 0)
  dimUnseen(context, result)
  context.drawImage(tint, ...placeOf(result.region, result, canvas))
}

/** Judges zones by one mask after the other. New thresholds begin with the states of before. */
export function judgeZones() {
  let rules = ''
  let judge: ReturnType<typeof watchZones> | undefined
  let blocked: Set<string> | undefined
  const known = new Map<string, Runs>()

  return (zones: readonly ZoneSettings[], { result, road }: Pick<Seen, 'result' | 'road'>): ZoneLooks[] => {
    const full = zones.map((zone) => ({ ...zoneDefaults, ...zone }))
    const now = JSON.stringify(full.map(({ polygon: _, ...rule }) => rule))
    blocked ??= new Set(result.zones?.filter((zone) => zone.blocked).map(({ name }) => name))
    if (!judge || now !== rules) judge = watchZones(full, blocked)
    rules = now
    const seen = zones.map(({ name, polygon }) => {
      const share = roadShare(road, runs(polygon, result))
      return { name, road_percent: share === undefined ? null : Math.round(10_000 * share) / 100 }
    })
    const { zones: facts } = judge(seen, result.captured_us / 1000, false)
    blocked = new Set(facts.filter((fact) => fact.blocked).map(({ name }) => name))
    return facts.map((fact) => ({ percent: fact.road_percent ?? undefined, blocked: fact.blocked }))
  }

  function runs(polygon: readonly Point[], { width, height, camera_width, camera_height, region, seen }: Result): Runs {
    const key = JSON.stringify([polygon, width, height, camera_width, camera_height, region, seen])
    const found =
      known.get(key) ?? runsOf(polygon, { width, height, cameraWidth: camera_width, cameraHeight: camera_height, region, seen })
    if (known.size > 100) known.clear() // a polygon that is dragged has a new one each time
    known.set(key, found)
    return found
  }
}
