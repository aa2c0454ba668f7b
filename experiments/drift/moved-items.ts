import { studentQuantile } from '../counterfactual/single-slot/student.ts';
import type { Pairs } from './compare-items.ts';
import type { Interval } from '../../models/contracts/verdict.ts';

/** What an item moved beyond retraining, and its share of all that items moved so. */
export type Moved = { row: number; beyond: number; share: number };

/**
 * Items by what they moved beyond what retraining moves them: displacement from the model to the others, less that among the others, where it is above 0.
 * @param among null where there are no retrainings
 * @returns all items, the most moved first
 */
export function movedItems({ away, among }: Pick<Pairs, 'away' | 'among'>): Moved[] {
  const beyond = away.map((own, row) => Math.max(0, own - (among?.[row] ?? 0)));
  const total = beyond.reduce((sum, one) => sum + one, 0);
  return Array.from(beyond, (one, row) => ({ row, beyond: one, share: total > 0 ? one / total : 0 })).sort((a, b) => b.beyond - a.beyond || a.row - b.row);
}

/** The same by segments that items are of. */
export function movedSegments(
  moved: readonly Moved[],
  segmentOf: (row: number) => string,
): { segment: string; items: number; beyond: number; share: number }[] {
  return [...Map.groupBy(moved, ({ row }) => segmentOf(row))]
    .map(([segment, items]) => ({
      ...{ segment, items: items.length },
      beyond: items.reduce((sum, { beyond }) => sum + beyond, 0) / items.length,
      share: Math.min(
        1,
        items.reduce((sum, { share }) => sum + share, 0),
      ),
    }))
    .sort((a, b) => b.share - a.share || (a.segment < b.segment ? -1 : 1));
}

/**
 * Change of a daily sum, as a share of what it was, with its 95 % interval: that of the logarithm of the ratio of two means over days, by linearization, with Student's quantile.
 * Null where there was nothing before, or too few days.
 */
export function changeOfDays(before: readonly number[], after: readonly number[]): Interval | null {
  if (before.length < 2 || after.length < 2) return null;
  const [was, is] = [before, after].map((days) => {
    const mean = days.reduce((sum, day) => sum + day, 0) / days.length;
    return { mean, variance: days.reduce((sum, day) => sum + (day - mean) ** 2, 0) / (days.length - 1) / days.length };
  }) as [Mean, Mean];
  if (was.mean <= 0) return null;
  if (is.mean <= 0) return { value: -1, low: -1, high: -1 };
  const log = Math.log(is.mean / was.mean);
  const half = studentQuantile(0.975, before.length + after.length - 2) * Math.sqrt(was.variance / was.mean ** 2 + is.variance / is.mean ** 2);
  const shareOf = (one: number) => Math.exp(Math.max(-50, Math.min(50, one))) - 1;
  return { value: shareOf(log), low: shareOf(log - half), high: shareOf(log + half) };
}
type Mean = { mean: number; variance: number };
