import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { normalQuantile } from '../normal.ts';

/** What an exploration slot showed: its place, and whether the visitor engaged with the item there. */
export type ExploredSlot = { slot: number; engaged: boolean };

/** Engagements that the prior is worth at each slot: a log with few of them says hardly anything about positions. */
const priorEngagements = 5;
/** What is believed before: the discount of DCG, 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002). */
const priorExamination = (slot: number): number => 1 / Math.log2(slot + 2);

/** Draws of the posterior from which its spread is taken. */
const draws = 400;

export type Examination = {
  /** e [size], e_0 = 1, never rising. */
  value: Float64Array;
  /** [size x size] Covariance of e, by rows. */
  covariance: Float64Array;
  /** [size] The middle 95 % of the posterior. */
  intervals: Interval[];
};

/**
 * Examination by position. Explored items are put at slots uniformly, whatever they are, so their engagement by slot is proportional to examination
 * (the randomization argument of Joachims, Swaminathan and Schnabel 2017, sec. 5.1, on the slots that exploration draws). Rates have gamma posteriors;
 * made monotone by pooling adjacent violators, and the error by drawing from the posteriors and doing the same to each draw.
 */
export function estimateExamination({ explored, size, seed }: { explored: readonly ExploredSlot[]; size: number; seed: number }): Examination {
  const posterior = posteriorOf({ explored, size });
  const value = normalized(posterior.map(({ shape, views }) => ({ rate: shape / views, weight: views })));
  const random = createRandom(seed);
  const drawn = Array.from({ length: draws }, () =>
    normalized(posterior.map(({ shape, views }) => ({ rate: gammaDraw(shape, random) / views, weight: views }))),
  );
  const mean = Float64Array.from(value, (_, slot) => drawn.reduce((sum, one) => sum + (one[slot] as number), 0) / draws);
  const covariance = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1)
    for (let column = 0; column < size; column += 1) {
      const products = drawn.reduce(
        (sum, one) => sum + ((one[row] as number) - (mean[row] as number)) * ((one[column] as number) - (mean[column] as number)),
        0,
      );
      covariance[row * size + column] = products / (draws - 1);
    }
  const intervals = Array.from(value, (middle, slot): Interval => {
    const sorted = drawn.map((one) => one[slot] as number).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(share * draws)] as number;
    return { value: middle, low: Math.min(middle, at(0.025)), high: Math.max(middle, at(0.975)) };
  });
  return { value, covariance, intervals };
}

/** Gamma posterior of each slot's engagements a view. */
function posteriorOf({ explored, size }: { explored: readonly ExploredSlot[]; size: number }): { shape: number; views: number }[] {
  const views = new Float64Array(size);
  const engagements = new Float64Array(size);
  for (const { slot, engaged } of explored) {
    if (slot < 0 || slot >= size) continue;
    views[slot] = (views[slot] as number) + 1;
    if (engaged) engagements[slot] = (engagements[slot] as number) + 1;
  }
  const totalViews = views.reduce((sum, count) => sum + count, 0);
  const totalEngagements = engagements.reduce((sum, count) => sum + count, 0);
  if (totalEngagements === 0) return Array.from(views, (_, slot) => ({ shape: priorEngagements * priorExamination(slot), views: priorEngagements }));
  const overall = totalEngagements / totalViews;
  const priorMean = views.reduce((sum, count, slot) => sum + count * priorExamination(slot), 0) / totalViews;
  const priorViews = priorEngagements / overall;
  return Array.from(views, (count, slot) => ({
    shape: (engagements[slot] as number) + (priorEngagements * priorExamination(slot)) / priorMean,
    views: count + priorViews,
  }));
}

function normalized(rates: readonly { rate: number; weight: number }[]): Float64Array {
  const monotone = poolAdjacentViolators(rates);
  const first = monotone[0] as number;
  return Float64Array.from(monotone, (rate) => rate / first);
}

/** A gamma variate of this shape, scale 1, from a normal one (Wilson and Hilferty 1931). */
function gammaDraw(shape: number, random: Random): number {
  const z = normalQuantile(random.float() * 0.999_998 + 1e-6);
  return shape * Math.max(1e-3, 1 - 1 / (9 * shape) + z / (3 * Math.sqrt(shape))) ** 3;
}

/** Weighted least-squares fit that never rises (Barlow et al. 1972). */
function poolAdjacentViolators(points: readonly { rate: number; weight: number }[]): number[] {
  const blocks: { rate: number; weight: number; length: number }[] = [];
  for (const point of points) {
    blocks.push({ ...point, length: 1 });
    while (blocks.length > 1) {
      const last = blocks[blocks.length - 1] as (typeof blocks)[number];
      const before = blocks[blocks.length - 2] as (typeof blocks)[number];
      if (last.rate <= before.rate) break;
      const weight = last.weight + before.weight;
      blocks.splice(-2, 2, { rate: (last.rate * last.weight + before.rate * before.weight) / weight, weight, length: last.length + before.length });
    }
  }
  return blocks.flatMap((block) => new Array<number>(block.length).fill(block.rate));
}
