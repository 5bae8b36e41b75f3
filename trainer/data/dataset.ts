// What every layout of pictures and labels is read into, and what the rest of the trainer works on.

/** Label value of pixels that count neither in the loss nor in any measure. */
export const ignore = 255

export interface Sample {
  /** Unique within its data set, for people: `um_000003`, `0016E5_01770`. */
  name: string
  /** Path of the picture. */
  picture: string
  /** Path of the label picture; absent for test pictures that have none. */
  label?: string
  /** Frames of one drive look alike: they share this name. KITTI's categories and CamVid's sequences are drives. */
  drive: string
}

/** Reason of training pictures that are skipped since no label lies beside them. */
export const withoutLabel = 'a picture without a label'

export interface Skipped {
  file: string
  reason: string
}

export interface ClassIds {
  width: number
  height: number
  /** Class id of every pixel, row by row; `ignore` where there is none. */
  ids: Uint8Array
}

export interface Dataset {
  /** As on the command line: `kitti:data/data_road`. */
  name: string
  train: Sample[]
  val: Sample[]
  /** May lack labels. */
  test: Sample[]
  /** By class id. */
  classes: { name: string; colour: string }[]
  road: number
  licence: string
  skipped: Skipped[]
  /** Reads a label picture into class ids at its own size. Throws, naming the file, where a pixel's code is none of the layout's. */
  readLabel(file: string): Promise<ClassIds>
}
