import type { Interval } from '../../../models/contracts/verdict.ts';
import { createRandom } from '../../../models/random.ts';
import { normalQuantile } from '../../normal.ts';
import { meanInterval } from '../mean-interval.ts';
import { empiricalLikelihood } from './empirical-likelihood.ts';
import { studentQuantile } from './student.ts';

export const intervalKinds = ['normal', 'empirical-bernstein', 'empirical-likelihood', 'bootstrap', 'betting'] as const;
export type IntervalKind = (typeof intervalKinds)[number];

export type ScoreSample = {
  /** Scores whose mean is the estimate, one a cluster: the estimate, and clusters / rows for each row's distance from it. */
  scores: Float64Array;
  mean: number;
  /** Of the mean. */
  standardError: number;
};

/**
 * Sums rows into clusters, so that every interval below treats a cluster as one draw. The estimate is a ratio, sums over clusters of scores and of
 * rows: a cluster's influence is its rows' distance from the estimate, however many they are (Cochran, "Sampling techniques", 1977, sec. 6.4).
 */
export function clusterScores({ scores, cluster, clusters }: { scores: Float64Array; cluster: Int32Array | undefined; clusters: number }): ScoreSample {
  let sum = 0;
  for (let row = 0; row < scores.length; row += 1) sum += scores[row] as number;
  const mean = sum / scores.length;
  let own = scores;
  if (cluster !== undefined) {
    own = new Float64Array(clusters).fill(mean);
    const scale = clusters / scores.length;
    for (let row = 0; row < scores.length; row += 1)
      own[cluster[row] as number] = (own[cluster[row] as number] as number) + ((scores[row] as number) - mean) * scale;
  }
  let squares = 0;
  for (let index = 0; index < own.length; index += 1) squares += ((own[index] as number) - mean) ** 2;
  const standardError = own.length < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / (own.length - 1) / own.length);
  return { scores: own, mean, standardError };
}

type Request = {
  sample: ScoreSample;
  /** The estimate; `sample.mean` up to rounding. */
  value: number;
  level: number;
  seed: number;
  replications: number;
  /** Of a score, a priori; used by `empirical-bernstein` and `betting`. */
  bounds: { low: number; high: number };
  /** Of the variance that the scores show; used by `empirical-likelihood`, for which it is as good as known where absent. */
  freedom?: number;
};

/** The interval, which holds the estimate; of less than two clusters nothing is known but the bounds. */
export function intervalOf(kind: IntervalKind, request: Request): Interval {
  const { sample, value } = request;
  if (sample.scores.length < 2) return { value, ...request.bounds };
  const { low, high } = kinds[kind](request);
  return { value, low: Math.min(low, value), high: Math.max(high, value) };
}

/** Below this Student's quantile is no longer what widens an interval for good reason: there is no variance to speak of. */
const leastFreedom = 4;

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
  /** The deviance's limit is the square of Student's quantile, which is chi-squared's where the variance is known (as Owen 1990, sec. 4, does by F). */
  'empirical-likelihood': ({ sample, level, freedom = Number.POSITIVE_INFINITY }) =>
    empiricalLikelihood({ ...sample, critical: studentQuantile((1 + level) / 2, Math.max(leastFreedom, freedom)) ** 2 }),
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
