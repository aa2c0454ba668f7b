import { Panels } from '../../neural/full-softmax.ts';
import { mostSampled } from '../../neural/sampled-loss.ts';

const mostItemsForSoftmax = 10_000;

/** `mostTouched`: rows of the table in a step, where that is fewer than there are. `calibration`: of gbce. */
export type Sampled = { negatives: number; calibration?: number; mostTouched: number | undefined };

type Loss = { loss: 'auto' | 'softmax' | 'sampled-softmax' | 'gbce'; negatives: number; calibration: number };

/** Undefined where the loss is over all items. */
export function sampledBy({ loss, negatives: asked, calibration }: Loss, { itemCount, rows }: { itemCount: number; rows: number }): Sampled | undefined {
  if (loss === 'softmax' || (loss === 'auto' && itemCount <= mostItemsForSoftmax)) return undefined;
  const negatives = Math.ceil(asked / 8) * 8;
  const mostTouched = rows + mostSampled(rows, negatives);
  return { negatives, mostTouched: mostTouched < Panels.rowsFor(itemCount) ? mostTouched : undefined, ...(loss === 'gbce' ? { calibration } : {}) };
}
