// Bodies of cars as cross-sections from the rear to the front, metres from the car's middle on the ground.

/** A cross-section of the body at one place along it, metres from the car's middle on the ground. */
export interface Station {
  z: number
  /** Half width at the widest. */
  half: number
  /** Heights of the lower edge, the waistline and the top. */
  sill: number
  waist: number
  top: number
  /** What the sides above the waist and the top are made of, from here to the next station. */
  side?: 'glass'
  roof?: 'glass'
}

export interface CarShape {
  stations: Station[]
  /** Middles of the wheels along the car, and their radius. */
  axles: [rear: number, front: number]
  wheel: number
  /** Where the gaps between the doors are, along the car. */
  doors: number[]
}

const hatchback: CarShape = {
  axles: [-1.28, 1.3],
  wheel: 0.32,
  doors: [-1.0, -0.37, 0.78],
  stations: [
    { z: -2.03, half: 0.74, sill: 0.3, waist: 0.84, top: 0.88 },
    { z: -1.97, half: 0.83, sill: 0.24, waist: 0.95, top: 1.0, roof: 'glass' },
    { z: -1.62, half: 0.88, sill: 0.22, waist: 0.98, top: 1.4, side: 'glass' },
    { z: -1.2, half: 0.89, sill: 0.2, waist: 0.96, top: 1.46, side: 'glass' },
    { z: -0.42, half: 0.9, sill: 0.19, waist: 0.94, top: 1.49 },
    { z: -0.32, half: 0.9, sill: 0.19, waist: 0.94, top: 1.49, side: 'glass' },
    { z: 0.35, half: 0.9, sill: 0.19, waist: 0.92, top: 1.45, side: 'glass', roof: 'glass' },
    { z: 1.1, half: 0.89, sill: 0.2, waist: 0.92, top: 1.01 },
    { z: 1.65, half: 0.87, sill: 0.21, waist: 0.84, top: 0.92 },
    { z: 1.93, half: 0.82, sill: 0.22, waist: 0.74, top: 0.82 },
    { z: 2.03, half: 0.74, sill: 0.23, waist: 0.67, top: 0.73 },
  ],
}

const saloon: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.33,
  doors: [-1.05, -0.13, 0.95],
  stations: [
    { z: -2.36, half: 0.75, sill: 0.3, waist: 0.86, top: 0.9 },
    { z: -2.28, half: 0.84, sill: 0.25, waist: 0.97, top: 1.02 },
    { z: -1.72, half: 0.9, sill: 0.22, waist: 0.98, top: 1.06, roof: 'glass' },
    { z: -1.02, half: 0.92, sill: 0.2, waist: 0.96, top: 1.39, side: 'glass' },
    { z: -0.78, half: 0.92, sill: 0.19, waist: 0.95, top: 1.43, side: 'glass' },
    { z: -0.18, half: 0.92, sill: 0.19, waist: 0.94, top: 1.45 },
    { z: -0.08, half: 0.92, sill: 0.19, waist: 0.94, top: 1.45, side: 'glass' },
    { z: 0.48, half: 0.92, sill: 0.19, waist: 0.92, top: 1.41, side: 'glass', roof: 'glass' },
    { z: 1.24, half: 0.91, sill: 0.2, waist: 0.92, top: 1.0 },
    { z: 1.9, half: 0.89, sill: 0.21, waist: 0.84, top: 0.91 },
    { z: 2.24, half: 0.83, sill: 0.22, waist: 0.73, top: 0.8 },
    { z: 2.35, half: 0.74, sill: 0.23, waist: 0.66, top: 0.71 },
  ],
}

const estate: CarShape = {
  axles: [-1.4, 1.42],
  wheel: 0.36,
  doors: [-1.25, -0.29, 0.85],
  stations: [
    { z: -2.32, half: 0.79, sill: 0.36, waist: 0.96, top: 1.0 },
    { z: -2.25, half: 0.88, sill: 0.3, waist: 1.08, top: 1.14, roof: 'glass' },
    { z: -1.97, half: 0.92, sill: 0.27, waist: 1.09, top: 1.6, side: 'glass' },
    { z: -1.3, half: 0.93, sill: 0.25, waist: 1.08, top: 1.67 },
    { z: -1.2, half: 0.93, sill: 0.25, waist: 1.08, top: 1.68, side: 'glass' },
    { z: -0.34, half: 0.94, sill: 0.24, waist: 1.06, top: 1.69 },
    { z: -0.24, half: 0.94, sill: 0.24, waist: 1.06, top: 1.69, side: 'glass' },
    { z: 0.45, half: 0.94, sill: 0.24, waist: 1.05, top: 1.64, side: 'glass', roof: 'glass' },
    { z: 1.12, half: 0.93, sill: 0.25, waist: 1.05, top: 1.15 },
    { z: 1.85, half: 0.91, sill: 0.26, waist: 0.99, top: 1.07 },
    { z: 2.18, half: 0.85, sill: 0.28, waist: 0.88, top: 0.95 },
    { z: 2.28, half: 0.77, sill: 0.3, waist: 0.8, top: 0.85 },
  ],
}

const van: CarShape = {
  axles: [-1.65, 1.7],
  wheel: 0.36,
  doors: [-0.6, 0.62, 1.62],
  stations: [
    { z: -2.75, half: 0.94, sill: 0.36, waist: 1.2, top: 2.28 },
    { z: -2.7, half: 0.98, sill: 0.32, waist: 1.2, top: 2.38 },
    { z: -0.2, half: 1.0, sill: 0.28, waist: 1.2, top: 2.42 },
    { z: 0.72, half: 1.0, sill: 0.28, waist: 1.2, top: 2.4, side: 'glass' },
    { z: 1.02, half: 0.99, sill: 0.28, waist: 1.18, top: 2.3, side: 'glass', roof: 'glass' },
    { z: 1.88, half: 0.98, sill: 0.28, waist: 1.16, top: 1.3 },
    { z: 2.42, half: 0.94, sill: 0.28, waist: 1.02, top: 1.12 },
    { z: 2.66, half: 0.87, sill: 0.28, waist: 0.88, top: 0.96 },
    { z: 2.72, half: 0.79, sill: 0.3, waist: 0.8, top: 0.85 },
  ],
}

export const carShapes = { hatchback, saloon, estate, van }
