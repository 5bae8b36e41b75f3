// Events in words.
import type { CameraEvent } from '../../edge-agent/wire.ts'

export const eventTexts: Record<CameraEvent['type'], string> = {
  clock_step: 'clock set',
  camera_lost: 'lost',
  camera_back: 'back',
  camera_enabled: 'switched on',
  camera_disabled: 'switched off',
  zone_blocked: 'zone blocked',
  zone_clear: 'zone clear',
  drift_start: 'looks unlike the training pictures',
  drift_end: 'looks like the training pictures again',
  model_shadow: 'new model runs beside the old one',
  model_switched: 'new model took over',
  model_settled: 'new model stays',
  model_rolled_back: 'model taken back',
  model_refused: 'new model refused',
}
