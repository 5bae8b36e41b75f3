// COCO's run-length encoding, byte for byte as pycocotools writes and reads it (cocoapi, common/maskApi.c: rleEncode and
// rleToString): lengths of runs in column order, beginning with one of no road, each from the third on as its difference to
// the one two before, in groups of five bits with a sign, lowest first, as characters from "0" on.
import type { CocoMask } from '../wire.ts'

/** Encodes the pixels of `road` [height, width], which are 0 or 1. */
export function encodeRle(road: Uint8Array, width: number): CocoMask {
  const height = road.length / width
  const lengths: number[] = []
  let [value, length] = [0, 0]
  for (let x = 0; x < width; x++)
    for (let at = x; at < road.length; at += width) {
      if (road[at] !== value) {
        lengths.push(length)
        length = 0
        value = road[at]!
      }
      length++
    }
  lengths.push(length)

  let counts = ''
  lengths.forEach((own, i) => {
    let rest = i > 2 ? own - lengths[i - 2]! : own
    for (let more = true; more; ) {
      const bits = rest & 31
      rest >>= 5
      more = bits & 16 ? rest !== -1 : rest !== 0
      counts += String.fromCharCode(48 + bits + (more ? 32 : 0))
    }
  })
  return { size: [height, width], counts }
}
