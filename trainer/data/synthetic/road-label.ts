// Labels of rendered pictures in KITTI's colours: (255,0,255) road, (255,0,0) not road.
import sharp from 'sharp'

/** Writes a label PNG; `road` is 1 where asphalt is seen, [height, width]. */
export async function writeRoadLabel(file: string, road: Uint8Array, width: number, height: number): Promise<void> {
  const label = new Uint8Array(3 * road.length)
  for (let pixel = 0; pixel < road.length; pixel++) {
    label[3 * pixel] = 255
    label[3 * pixel + 2] = road[pixel] === 1 ? 255 : 0
  }
  await sharp(label, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(file)
}
