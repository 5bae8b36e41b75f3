// A process that exports kept frames into a folder and says on its last line how many; pictures are decoded and blurred in it:
//   node export-process.js HARD_FRAMES_FOLDER TO DEVICE blur|clear
import { openDestination } from './destination.ts'
import { sendFrames } from './export-frames.ts'
import { openFrameStore } from './frame-store.ts'

const [from = '', folder = '', device = '', look] = process.argv.slice(2)
const to = await openDestination(folder, { device, kibPerSecond: 0 })
const { lines } = await sendFrames(await openFrameStore(from), to, look === 'blur')
console.log(JSON.stringify({ frames: lines }))
