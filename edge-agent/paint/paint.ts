// The process that paints: pictures in, pictures out, one after the other. libvips works here and not in main, so that a
// broken JPEG can take nothing else down.
import sharp from 'sharp'
import type { FromPaint, ToPaint } from './messages.ts'
import { paintPicture } from './picture.ts'

sharp.concurrency(1) // the cores belong to the model
sharp.cache(false) // no picture comes twice

const tell = (message: FromPaint) => process.connected && process.send?.(message)

process.on('message', (message: ToPaint) => {
  if (message.type === 'stop') process.exit(0)
  const { job, work, picture, mask, place } = message
  paintPicture(work, picture, mask, place).then(
    (jpeg) => tell({ type: 'painted', job, jpeg }),
    (error: Error) => tell({ type: 'failed', job, reason: error.message }),
  )
})
process.on('disconnect', () => process.exit(0)) // main has died
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // main decides, also on Ctrl-C
