// When a run ends before its last epoch.
import type { EpochRow } from '../report/log.ts'
import type { Settings } from '../run/settings.ts'

/**
 * Whether a run stops here: the reason as a sentence, undefined where it goes on. An epoch is progress where its road IoU is
 * more than `tolerance` above that of the last epoch that was; the run stops after `patience` epochs without (0: never).
 * @param rows of all epochs so far, as the log has them: so a resumed run decides as one that was never stopped
 */
export function earlyStop(
  rows: readonly Pick<EpochRow, 'epoch' | 'road_iou'>[],
  { patience, minEpochs, tolerance }: Pick<Settings, 'patience' | 'minEpochs' | 'tolerance'>,
): string | undefined {
  const [last] = rows.slice(-1)
  if (!last || patience === 0 || last.epoch < minEpochs) return undefined
  // An IoU is not a number where no validation picture has road; then there is no telling, and the run goes on.
  const { epoch, road_iou } = rows.reduce((best, row) => (row.road_iou <= best.road_iou + tolerance ? best : row))
  const without = last.epoch - epoch
  if (without < patience) return undefined
  const more = tolerance === 0 ? '' : ` by more than ${tolerance}`
  const epochs = without === 1 ? 'an epoch' : `${without} epochs`
  return `Stopped early after epoch ${last.epoch}: road IoU has not risen${more} for ${epochs}, from ${road_iou.toFixed(4)} in epoch ${epoch}.`
}
