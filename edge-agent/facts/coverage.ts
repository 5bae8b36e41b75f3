// What a mask says, in numbers. Pure; zones, free space and contours join it here.

export interface Coverage {
  /** Share of the mask that is road, 0 to 100, to a hundredth. */
  road_percent: number
  /** Mean over the mask of the winning class's probability, 0 to 1, to a thousandth. */
  confidence: number
}

/** Facts of one mask from the statistics that the model gives with it: `classShare` by class id and `confidence`, 0 to 1. */
export function coverage(classShare: Float32Array, road: number, confidence: number): Coverage {
  return { road_percent: round(100 * (classShare[road] ?? 0), 2), confidence: round(confidence, 3) }
}

const round = (value: number, digits: number) => Number(value.toFixed(digits))
