// The noise that all scenes share, drawn once a process.
import { makeTile, type Tile } from './noise.ts'

export interface Tiles {
  /** Stones of asphalt, blades of far grass: fine from end to end. */
  grain: Tile
  /** Clouds, hills, patches: every scale. */
  cloud: Tile
  /** Long, soft shapes. */
  soft: Tile
}

let drawn: Tiles | undefined

export function sharedTiles(): Tiles {
  drawn ??= {
    grain: makeTile(101, 256, 32, 3, 0.8),
    cloud: makeTile(202, 512, 4, 7, 0.52),
    soft: makeTile(303, 128, 4, 3, 0.5),
  }
  return drawn
}
