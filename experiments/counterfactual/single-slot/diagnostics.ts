import { twoSided } from '../../normal.ts';
import { effectiveSampleSize } from '../weighted-mean.ts';
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
};

export type DiagnosticLimits = {
  minEss: number;
  minEssRewarded: number;
  maxWeightShare: number;
  maxTailIndex: number;
  minMeanWeightP: number;
  maxUnsupportedMass: number;
  minDriftP: number;
};
export const defaultLimits: DiagnosticLimits = {
  minEss: 100,
  minEssRewarded: 30,
  maxWeightShare: 0.05,
  maxTailIndex: 0.7,
  minMeanWeightP: 0.001,
  maxUnsupportedMass: 0.05,
  minDriftP: 0.001,
};

/** @param weightSample the weights as scores, clustered */
export function diagnose({ rows, weights, weightSample }: { rows: LoggedRows; weights: Float64Array; weightSample: ScoreSample }): Diagnostics {
  const count = weights.length;
  let most = 0;
  let rewarded = 0;
  for (let row = 0; row < count; row += 1) {
    most = Math.max(most, weights[row] as number);
    if (rows.reward[row] !== 0) rewarded += 1;
  }
  const ofRewarded = new Float64Array(rewarded);
  let next = 0;
  for (let row = 0; row < count; row += 1) if (rows.reward[row] !== 0) ofRewarded[next++] = weights[row] as number;
  const { mean, standardError, scores } = weightSample;
  const half = Math.floor(scores.length / 2);
  const [before, after] = [momentsOf(scores, 0, half), momentsOf(scores, half, scores.length)];
  return {
    rows: count,
    clusters: scores.length,
    ess: effectiveSampleSize(weights),
    essRewarded: effectiveSampleSize(ofRewarded),
    maxWeight: most,
    maxWeightShare: mean === 0 ? 1 : most / (mean * count),
    tailIndex: tailIndex(weights),
    meanWeight: mean,
    positions: byPosition(rows.position, weights),
    meanWeightP: twoSided((mean - 1) / standardError),
    unsupportedMass: Math.max(0, 1 - mean - 2 * (Number.isFinite(standardError) ? standardError : 1)),
    driftP: twoSided((before.mean - after.mean) / Math.sqrt(before.variance + after.variance)),
  };
}

/** A sentence for each limit that is broken; none: the log can carry an estimate. */
export function objections(found: Diagnostics, limits: DiagnosticLimits): string[] {
  const checks: [boolean, string][] = [
    [found.ess < limits.minEss, `the log tells as much about the target as ${found.ess.toFixed(0)} unweighted rows; ${limits.minEss} are needed`],
    [
      found.essRewarded < limits.minEssRewarded,
      `the rewards of the target rest on as much as ${found.essRewarded.toFixed(0)} unweighted rewarded rows; ${limits.minEssRewarded} are needed`,
    ],
    [found.maxWeightShare > limits.maxWeightShare, `one row carries ${percent(found.maxWeightShare)} of all weight; ${percent(limits.maxWeightShare)} at most`],
    [
      found.tailIndex > limits.maxTailIndex,
      `the weights have a heavy tail (index ${found.tailIndex.toFixed(2)}, ${limits.maxTailIndex} at most): the next row may change everything`,
    ],
    [
      found.unsupportedMass > limits.maxUnsupportedMass,
      `at least ${percent(found.unsupportedMass)} of what the target would do could never be logged; ${percent(limits.maxUnsupportedMass)} at most`,
    ],
    [
      found.meanWeightP < limits.minMeanWeightP,
      `the mean weight is ${found.meanWeight.toFixed(3)} where 1 is expected (p ${found.meanWeightP.toExponential(1)}): propensities are wrong, or actions are missing`,
    ],
    [found.driftP < limits.minDriftP, `the mean weight differs between the halves of the log (p ${found.driftP.toExponential(1)}): the propensities drift`],
  ];
  return checks.filter(([broken]) => broken).map(([, sentence]) => sentence);
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
 * Hill's estimator of the tail index (Hill 1975) over the largest min(n / 5, 3 sqrt n) weights, as many as Pareto smoothed importance sampling looks
 * at (Vehtari, Simpson, Gelman, Yao and Gabry 2024, sec. 2).
 */
export function tailIndex(weights: Float64Array): number {
  const size = Math.floor(Math.min(weights.length / 5, 3 * Math.sqrt(weights.length)));
  if (size < 5) return 0;
  const top = largest(weights, size + 1);
  const threshold = top[0] as number;
  if (!(threshold > 0)) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let index = 1; index <= size; index += 1) sum += Math.log((top[index] as number) / threshold);
  return sum / size;
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

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
