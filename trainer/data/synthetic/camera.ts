// A pinhole camera in the world of the synthetic scenes: x to the right, y up, z ahead, metres; pixels from the top left.
import type { Point } from './mesh.ts'

export interface Camera {
  position: Point
  /** Unit vectors: to the right, up and ahead of the picture. */
  right: Point
  up: Point
  ahead: Point
  /** Focal length and the point that looks straight ahead, in pixels of the finished picture. */
  focal: number
  centreX: number
  centreY: number
  width: number
  height: number
}

export interface View {
  position: Point
  /** Radians: to the right, upwards, clockwise. */
  yaw: number
  pitch: number
  roll: number
  width: number
  height: number
  /** Horizontal angle of view, radians. */
  fieldOfView: number
}

export function makeCamera({ position, yaw, pitch, roll, width, height, fieldOfView }: View): Camera {
  const [cy, sy, cp, sp, cr, sr] = [
    Math.cos(yaw),
    Math.sin(yaw),
    Math.cos(pitch),
    Math.sin(pitch),
    Math.cos(roll),
    Math.sin(roll),
  ]
  const ahead: Point = [sy * cp, sp, cy * cp]
  const level: Point = [cy, 0, -sy]
  const upright: Point = [-sy * sp, cp, -cy * sp]
  const turn = (a: Point, b: Point, c: number, s: number): Point => [
    a[0] * c + b[0] * s,
    a[1] * c + b[1] * s,
    a[2] * c + b[2] * s,
  ]
  return {
    position,
    right: turn(level, upright, cr, -sr),
    up: turn(upright, level, cr, sr),
    ahead,
    focal: width / 2 / Math.tan(fieldOfView / 2),
    centreX: width / 2,
    centreY: height / 2,
    width,
    height,
  }
}
