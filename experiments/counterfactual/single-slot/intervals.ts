import type { Interval } from '../../../models/contracts/verdict.ts';
import { createRandom } from '../../../models/random.ts';
import { normalQuantile } from '../../normal.ts';
import { meanInterval } from '../mean-interval.ts';

export const intervalKinds = ['normal', 'empirical-bernstein', 'empirical-likelihood', 'bootstrap', 'betting'] as const;
export type IntervalKind = (typeof intervalKinds)[number];

export type ScoreSample = {
  /** Scores whose mean is the estimate, one a cluster: the sum of its rows' scores, times clusters / rows. */
  scores: Float64Array;
  mean: number;
  /** Of the mean. */
  standardError: number;
};

/** Sums rows into clusters, so that every interval below treats a cluster as one draw. */
export function clusterScores({ scores, cluster, clusters }: { scores: Float64Array; cluster: Int32Array | undefined; clusters: number }): ScoreSample {
  let own = scores;
  if (cluster !== undefined) {
    own = new Float64Array(clusters);
    const scale = clusters / scores.length;
    for (let row = 0; row < scores.length; row += 1) own[cluster[row] as number] = (own[cluster[row] as number] as number) + (scores[row] as number) * scale;
  }
  let sum = 0;
  for (let index = 0; index < own.length; index += 1) sum += own[index] as number;
  const mean = sum / own.length;
  let squares = 0;
  for (let index = 0; index < own.length; index += 1) squares += ((own[index] as number) - mean) ** 2;
  const standardError = own.length < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / (own.length - 1) / own.length);
  return { scores: own, mean, standardError };
}

type Request = { sample: ScoreSample; value: number; level: number; seed: number; replications: number; bounds: { low: number; high: number } };

/**
 * @param value the estimate; `sample.mean` up to rounding
 * @param bounds of a score, a priori; used by `empirical-bernstein` and `betting`
 */
export function intervalOf(kind: IntervalKind, request: Request): Interval {
  const { sample, value } = request;
  if (sample.scores.length < 2) return { value, ...request.bounds };
  const { low, high } = kinds[kind](request);
  return { value, low: Math.min(low, value), high: Math.max(high, value) };
}

const kinds: Record<IntervalKind, (request: Request) => { low: number; high: number }> = {
  /** value ± z standard error: right where many rows carry the estimate, too short where a few rewarded ones do. */
  normal: ({ value, sample, level }) => {
    const half = normalQuantile((1 + level) / 2) * sample.standardError;
    return { low: value - half, high: value + half };
  },
  /** Maurer and Pontil 2009, theorem 4, for scores within bounds: holds for any sample size, and is wide. */
  'empirical-bernstein': ({ value, sample, level, bounds }) => {
    const count = sample.scores.length;
    const log = Math.log(4 / (1 - level));
    const half = sample.standardError * Math.sqrt(2 * log) + (7 * (bounds.high - bounds.low) * log) / (3 * (count - 1));
    return { low: Math.max(bounds.low, value - half), high: Math.min(bounds.high, value + half) };
  },
  'empirical-likelihood': ({ sample, level }) => empiricalLikelihood(sample, level),
  /** Percentiles of means of clusters drawn with replacement. */
  bootstrap: ({ sample, level, seed, replications }) => {
    const random = createRandom(seed);
    const { scores } = sample;
    const means = new Float64Array(replications);
    for (let replication = 0; replication < replications; replication += 1) {
      let sum = 0;
      for (let draw = 0; draw < scores.length; draw += 1) sum += scores[random.below(scores.length)] as number;
      means[replication] = sum / scores.length;
    }
    means.sort();
    const at = (probability: number) => means[Math.min(replications - 1, Math.floor(probability * replications))] as number;
    return { low: at((1 - level) / 2), high: at((1 + level) / 2) };
  },
  /** Holds for any distribution within the bounds and at any time of looking. */
  betting: ({ sample, level, bounds }) => meanInterval({ values: sample.scores, ...bounds, level }),
};

/**
 * All means m with  -2 log R(m) <= chi2_1(level),  R the empirical likelihood ratio (Owen 1988). Its shape follows the data's skewness, which the
 * normal interval's does not.
 */
function empiricalLikelihood({ scores, mean, standardError }: ScoreSample, level: number): { low: number; high: number } {
  const critical = normalQuantile((1 + level) / 2) ** 2;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index += 1) {
    least = Math.min(least, scores[index] as number);
    most = Math.max(most, scores[index] as number);
  }
  if (!(standardError > 0)) return { low: mean, high: mean };
  const deviance = (supposed: number): number => {
    // Newton on the dual, kept inside  1 + lambda (x - m) > 1 / n.
    const count = scores.length;
    let from = (1 / count - 1) / (most - supposed);
    let to = (1 / count - 1) / (least - supposed);
    let lambda = 0;
    for (let step = 0; step < 60; step += 1) {
      let slope = 0;
      let curve = 0;
      for (let index = 0; index < count; index += 1) {
        const distance = (scores[index] as number) - supposed;
        const part = distance / (1 + lambda * distance);
        slope += part;
        curve += part * part;
      }
      if (slope > 0) from = lambda;
      else to = lambda;
      const next = lambda + slope / curve;
      const inside = next > from && next < to ? next : (from + to) / 2;
      if (Math.abs(inside - lambda) < 1e-10 * Math.max(1, Math.abs(lambda))) break;
      lambda = inside;
    }
    let sum = 0;
    for (let index = 0; index < scores.length; index += 1) sum += Math.log1p(lambda * ((scores[index] as number) - supposed));
    return 2 * sum;
  };
  const end = (outer: number): number => {
    let inside = mean;
    let outside = outer;
    for (let step = 0; step < 40 && Math.abs(outside - inside) > 1e-4 * standardError; step += 1) {
      const middle = (inside + outside) / 2;
      if (deviance(middle) <= critical) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  const reach = 12 * standardError;
  return { low: end(Math.max(least + 1e-9 * reach, mean - reach)), high: end(Math.min(most - 1e-9 * reach, mean + reach)) };
}
