// The settings of what is told of a camera's masks. Places are 0 to 1 of the camera's picture, from its upper left corner.
import { z } from 'zod'

const share = z.number().min(0).max(1)
const percent = z.number().min(0).max(100)

/** A part of the picture that counts as blocked while it holds too little road. */
export const Zone = z
  .strictObject({
    name: z.string().min(1).max(64),
    polygon: z
      .array(z.tuple([share, share]))
      .min(3)
      .max(64),
    blocked_below: percent.default(50),
    clear_above: percent.optional(),
    hold_s: z.number().min(0).max(3600).default(1),
  })
  .superRefine(({ polygon, blocked_below, clear_above }, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
    if (clear_above !== undefined && clear_above < blocked_below)
      refuse('clear_above', `"clear_above" is ${clear_above}, less than "blocked_below", which is ${blocked_below}`)
    const [xs, ys] = [0, 1].map((axis) => new Set(polygon.map((point) => point[axis as 0 | 1])))
    if (xs!.size < 2 || ys!.size < 2) refuse('polygon', '"polygon" is a line: expected corners of an area')
  })

export const FactSettings = z.strictObject({
  contours: z.int().min(0).max(64).default(4),
  contour_points: z.int().min(4).max(1024).default(32),
  sectors: z.int().min(0).max(64).default(9),
  bottom: share.default(1),
  rle: z.boolean().default(false),
})

/** How a camera hangs, for distances on a flat road. */
export const Mounting = z.strictObject({
  height_m: z.number().positive().max(100),
  pitch_deg: z.number().min(-45).max(90),
  focal_px: z.number().positive().max(100_000),
})

/** A camera drifts while its pictures are so strange in the mean of `over_s` seconds. */
export const DriftSettings = z
  .strictObject({
    start: z.number().positive().default(1.3),
    end: z.number().positive().default(1.1),
    over_s: z.number().min(1).max(3600).default(60),
  })
  .refine(({ start, end }) => end <= start, { path: ['end'], message: '"end" is more than "start"' })

export type DriftSettings = z.infer<typeof DriftSettings>
export type Zone = z.infer<typeof Zone>
export type FactSettings = z.infer<typeof FactSettings>
export type Mounting = z.infer<typeof Mounting>
