// Measures a bundle on labelled pictures, or any model's confidence pictures:
// npm run evaluate -- --bundle DIR --data camvid:DIR   (--help for more)
import { parseOptions } from '../deploy/options.ts'
import { measureBundle } from './evaluate/measure-bundle.ts'
import { evaluatePredictions } from './evaluate/measure-predictions.ts'

const help = `npm run evaluate -- --bundle DIR --data LAYOUT:PATH [options]
npm run evaluate -- --predictions DIR --ground-truth DIR [--json]

Measures a bundle on labelled pictures, at the labels' own resolution.

  --bundle DIR            the bundle folder of a training run
  --data LAYOUT:PATH      kitti:DIR, camvid:DIR, pairs:DIR or groundtruth:FILE; repeat it for several
  --class-map MAP|FILE    what the labels of pairs:DIR mean (as in the bundle's training)
  --split train|val|test  which pictures (val)
  --leave-out DRIVE[,…]   val is these drives, or pictures that a FILE.txt lists, of the training pictures, train all others (as in the bundle's training)
  --val-fraction SHARE    share put aside for validation where the layout has none of its own (as in the bundle's training)
  --flip                  takes the mean of what the model says of a picture and of its mirror image, and says what it gains
  --seed N                of that split (as in the bundle's training)
  --overlays DIR          also writes the best, middling, worst and most uncertain pictures with the road tinted
  --upload FILE.zip       also writes what KITTI's leaderboard takes: confidence pictures of testing/image_2 in bird's-eye view
  --report FILE.html      also writes one page with curves, calibration, confusion matrix and such pictures
  --compare RUN           a run folder to lay beside it in that page; repeat it for several
  --json                  prints one JSON object as the last line

  --predictions DIR       confidence that a pixel is road, of any model: greyscale PNGs of 8 or 16 bits, um_road_000000.png or um_000000.png
  --ground-truth DIR      KITTI's um_road_000000.png and so on (training/gt_image_2); measured by category and all together
  --calib DIR             KITTI's calibration files, um_000000.txt and so on, for measures in bird's-eye view too; left out: the
                          folder calib beside the ground truth or the pictures

road_iou, mean_iou, pixel_accuracy, class_accuracy: from the class of each pixel (Long et al. 2015), the more probable one unless the
bundle has a threshold (npm run export -- --threshold).
covered: share of the labelled pixels that the model sees; the others, outside its crop, count in no measure.
weighted_iou: IoU of the classes weighted by their pixels.
max_f, ap, precision, recall, fpr, fnr, threshold: KITTI's road measures in perspective (Fritsch et al. 2013).
MaxF, AP, PRE, REC, FPR, FNR: the same by category at 256 thresholds, as KITTI's development kit has them; in bird's-eye view
10 m to both sides and 6 m to 46 m ahead, as on its leaderboard. A model's crop hides the rest there: it counts as not road.
`

async function evaluate(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseOptions({
    args,
    options: {
      bundle: text,
      data: { type: 'string', multiple: true },
      split: text,
      'val-fraction': text,
      seed: text,
      'class-map': text,
      'leave-out': text,
      predictions: text,
      'ground-truth': text,
      calib: text,
      flip: { type: 'boolean' },
      overlays: text,
      report: text,
      upload: text,
      compare: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void console.log(help)
  const { bundle, data } = values
  if (values.predictions || values['ground-truth']) await evaluatePredictions(values)
  else if (bundle && data) await measureBundle({ ...values, bundle, data })
  else throw new Error(`Expected --bundle DIR and --data LAYOUT:PATH\n\n${help}`)
}

evaluate(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
