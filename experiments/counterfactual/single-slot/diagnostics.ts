import { twoSided } from '../../normal.ts';
import { effectiveSampleSize } from '../effective-sample-size.ts';
import { essOfLift } from './ess-of-lift.ts';
import type { ScoreSample } from './intervals.ts';
import type { LoggedRows } from './logged-rows.ts';

/** What the log can carry. */
export type Diagnostics = {
  rows: number;
  clusters: number;
  /** Kish's, over all rows. */
  ess: number;
  /** The same over the rows with a reward: what an estimate of rare rewards rests on. */
  essRewarded: number;
  /** Rewards that the difference from the logging policy rests on: see essOfLift. */
  essLift: number;
  maxWeight: number;
  /** The largest weight's part of all weight. */
  maxWeightShare: number;
  /** Shape of the weights' upper tail; at .5 the variance, at 1 the mean ceases to exist. */
  tailIndex: number;
  meanWeight: number;
  positions: { position: number; rows: number; meanWeight: number }[];
  /** Two-sided, of E[w] = 1, which holds when propensities are right and every action of the target could be logged. */
  meanWeightP: number;
  /** Target probability that the log never reaches: what is missing of E[w] = 1, less two standard errors. */
  unsupportedMass: number;
  /** Two-sided, of equal mean weights in the first and the second half of the log. */
  driftP: number;
  /** Rows whose probabilities over all actions sum to something else than 1, of those that say so. */
  badSumShare: number;
  /** Rows that are there twice, of those with an id. */
  duplicateShare: number;
  /** Rows that were left out since their propensity is not known. */
  missingShare: number;
};

/** @param weightSample the weights as scores, clustered */
export function diagnose({ rows, weights, weightSample }: { rows: LoggedRows; weights: Float64Array; weightSample: ScoreSample }): Diagnostics {
  const count = weights.length;
  let most = 0;
  let [rewardedWeight, rewardedSquares] = [0, 0];
  for (let row = 0; row < count; row += 1) {
    const weight = weights[row] as number;
    most = Math.max(most, weight);
    if (rows.reward[row] === 0) continue;
    rewardedWeight += weight;
    rewardedSquares += weight * weight;
  }
  const { mean, standardError } = weightSample;
  return {
    rows: count,
    clusters: weightSample.scores.length,
    ess: effectiveSampleSize(weights),
    essRewarded: rewardedSquares === 0 ? 0 : (rewardedWeight * rewardedWeight) / rewardedSquares,
    essLift: essOfLift({ rows, weights, meanWeight: weightSample.mean, clusters: weightSample.scores.length }),
    maxWeight: most,
    maxWeightShare: mean === 0 ? 1 : most / (mean * count),
    tailIndex: tailIndex(weights),
    meanWeight: mean,
    positions: byPosition(rows.position, weights),
    meanWeightP: twoSided((mean - 1) / standardError),
    unsupportedMass: Math.max(0, 1 - mean - 2 * (Number.isFinite(standardError) ? standardError : 1)),
    driftP: driftOf({ rows, weights, clusters: weightSample.scores.length }),
    badSumShare: shareWhere(rows.propensitySum, (sum) => !(Math.abs(sum - 1) <= 1e-3)),
    duplicateShare: duplicates(rows.id) / count,
    missingShare: (rows.withoutPropensity ?? 0) / (count + (rows.withoutPropensity ?? 0)),
  };
}

/**
 * Of the first and the second half of the rows; a cluster counts in both, whatever its number. Of several policies each by itself: their weights by the
 * mixture need not have the same mean, and they may have logged one after the other.
 */
function driftOf({ rows, weights, clusters }: { rows: LoggedRows; weights: Float64Array; clusters: number }): number {
  const { pooled, cluster } = rows;
  const centred = pooled === undefined ? weights : withoutMeans(weights, pooled.policy);
  const half = Math.floor(centred.length / 2);
  const [before, after] = [momentsOf(centred, 0, half), momentsOf(centred, half, centred.length)];
  if (cluster === undefined) return twoSided((before.mean - after.mean) / Math.sqrt(before.variance + after.variance));
  const influence = new Float64Array(clusters);
  for (let row = 0; row < centred.length; row += 1) {
    const own = cluster[row] as number;
    const part = row < half ? ((centred[row] as number) - before.mean) / half : (after.mean - (centred[row] as number)) / (centred.length - half);
    influence[own] = (influence[own] as number) + part;
  }
  let variance = 0;
  for (let own = 0; own < clusters; own += 1) variance += (influence[own] as number) ** 2;
  return twoSided((before.mean - after.mean) / Math.sqrt(variance));
}

function withoutMeans(scores: Float64Array, group: Int32Array): Float64Array {
  const sums: number[] = [];
  const counts: number[] = [];
  for (let row = 0; row < scores.length; row += 1) {
    const own = group[row] as number;
    sums[own] = (sums[own] ?? 0) + (scores[row] as number);
    counts[own] = (counts[own] ?? 0) + 1;
  }
  return scores.map((score, row) => score - (sums[group[row] as number] as number) / (counts[group[row] as number] as number));
}

function shareWhere(values: Float64Array | undefined, isSo: (value: number) => boolean): number {
  let found = 0;
  for (let row = 0; row < (values?.length ?? 0); row += 1) if (isSo((values as Float64Array)[row] as number)) found += 1;
  return found === 0 ? 0 : found / (values as Float64Array).length;
}

function duplicates(id: Int32Array | undefined): number {
  if (id === undefined) return 0;
  let most = 0;
  for (let row = 0; row < id.length; row += 1) most = Math.max(most, id[row] as number);
  const seen = new Uint8Array(most + 1);
  let found = 0;
  for (let row = 0; row < id.length; row += 1) {
    const own = id[row] as number;
    if (seen[own] === 1) found += 1;
    seen[own] = 1;
  }
  return found;
}

function byPosition(position: Int32Array | undefined, weights: Float64Array): Diagnostics['positions'] {
  const sums = new Map<number, { rows: number; weight: number }>();
  position?.forEach((slot, row) => {
    const sum = sums.get(slot) ?? { rows: 0, weight: 0 };
    sum.rows += 1;
    sum.weight += weights[row] as number;
    sums.set(slot, sum);
  });
  return [...sums].sort(([a], [b]) => a - b).map(([slot, { rows, weight }]) => ({ position: slot, rows, meanWeight: weight / rows }));
}

/**
 * Shape k of a generalized Pareto distribution over what the largest min(n / 5, 3 sqrt n) weights exceed the next one by, as Pareto smoothed importance
 * sampling has it (Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", JMLR 2024, sec. 2 and app. C): the fit of Zhang and
 * Stephens (Technometrics 2009), drawn to .5 as ten observations would. Below 0 the weights have an end; from .5 on they have no variance,
 * from 1 on no mean. 0 where less than five exceed. Where the largest weight came five times the weights have steps and an end, whatever the fit makes
 * of the steps: 0 at most.
 */
export function tailIndex(weights: Float64Array): number {
  const size = Math.floor(Math.min(weights.length / 5, 3 * Math.sqrt(weights.length)));
  if (size < 5) return 0;
  const top = largest(weights, size + 1);
  const threshold = top[0] as number;
  const over = top.map((weight) => weight - threshold).filter((excess) => excess > 0);
  const count = over.length;
  if (count < 5) return 0;
  const most = over[count - 1] as number;
  const quartile = over[Math.floor(count / 4 + 0.5) - 1] as number;
  const candidates = 30 + Math.floor(Math.sqrt(count));
  const shapeAt = (slope: number) => over.reduce((sum, excess) => sum + Math.log1p(-slope * excess), 0) / count;
  const slopes = Array.from({ length: candidates }, (_, place) => 1 / most + (1 - Math.sqrt(candidates / (place + 0.5))) / (3 * quartile));
  const likelihoods = slopes.map((slope) => {
    const shape = shapeAt(slope);
    return shape === 0 ? Number.NEGATIVE_INFINITY : count * (Math.log(-slope / shape) - shape - 1);
  });
  const best = likelihoods.reduce((all, one) => Math.max(all, one), Number.NEGATIVE_INFINITY);
  const parts = likelihoods.map((one) => Math.exp(one - best));
  const slope = slopes.reduce((sum, one, place) => sum + one * (parts[place] as number), 0) / parts.reduce((sum, one) => sum + one, 0);
  const shape = (shapeAt(slope) * count + 0.5 * 10) / (count + 10);
  return over[count - 5] === most ? Math.min(0, shape) : shape;
}

/** The `size` largest, ascending: a binary heap, since sorting millions for a few thousand is slow. */
function largest(values: Float64Array, size: number): Float64Array {
  const heap = values.slice(0, size).sort();
  for (let index = size; index < values.length; index += 1) {
    const value = values[index] as number;
    if (value <= (heap[0] as number)) continue;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] as number) < (heap[child] as number)) child += 1;
      if ((heap[child] as number) >= value) break;
      heap[place] = heap[child] as number;
      place = child;
    }
    heap[place] = value;
  }
  return heap.sort();
}

function momentsOf(values: Float64Array, from: number, to: number): { mean: number; variance: number } {
  const count = to - from;
  let sum = 0;
  let squares = 0;
  for (let index = from; index < to; index += 1) {
    sum += values[index] as number;
    squares += (values[index] as number) ** 2;
  }
  const mean = sum / count;
  return { mean, variance: count < 2 ? Number.POSITIVE_INFINITY : Math.max(0, squares / count - mean * mean) / (count - 1) };
}
