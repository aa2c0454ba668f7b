import type { CounterfactualResult } from '../../models/contracts/counterfactual.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { normalQuantile } from '../normal.ts';
import type { Examination } from './examination.ts';
import type { WeighedSlate } from './logged-slate.ts';
import { meanInterval, rareRewards } from './mean-interval.ts';
import type { PairedValues } from './paired-values.ts';
import { clusterScores, intervalOf } from './single-slot/intervals.ts';

/** With fewer rewards behind the lift than this, its distribution is not known well enough for anything but bets. */
const rewardsForLikelihood = 8;

type Input = {
  values: PairedValues;
  slates: readonly WeighedSlate[];
  /** [slates] index of the unit */
  cluster: Int32Array;
  clusters: number;
  examination: Examination;
  maxReward: number;
  level: number;
};

export type LiftOfSlates = Pick<Required<CounterfactualResult>, 'lift' | 'widenedBy' | 'liftInterval'> & {
  /** Rewards of equal weight that would leave as much open as the log's do. */
  rewards: number;
};

/**
 * The lift with what the draws of exploration leave open and what the log leaves open of examination (the lift's slope by e, Cov(e) of examination.ts),
 * which are two errors with hardly anything in common and add up as such; and wider by the worst case of what has no support: the candidate's could be
 * worth nothing or all, and the champion's too.
 *
 * The draws' part, by user: empirical likelihood with Student's quantile (single-slot/intervals.ts) where enough rewards carry the lift, and a bet
 * (mean-interval.ts) where they do not: it holds however few there are, and is wider. How many there are follows from the propensities and from the
 * rate at which drawn slots are rewarded, not from which of them were: E[x^2]^2 / E[x^4] of the slates' values, summed. A log is not to be judged by its luck.
 */
export function liftOfSlates({ values, slates, cluster, clusters, examination, maxReward, level }: Input): LiftOfSlates {
  const count = Math.max(1, slates.length);
  const sum = (all: Float64Array) => all.reduce((total, one) => total + one, 0);
  const fourth = sum(values.fourths);
  const rewards = fourth === 0 ? 0 : (values.drawnRate * sum(values.scales) ** 2) / fourth;
  const liftInterval = rewards >= rewardsForLikelihood ? 'empirical-likelihood' : 'betting';
  const drawn: Interval =
    liftInterval === 'betting'
      ? meanInterval({
          values: values.lift,
          ...values.bounds,
          level,
          scales: values.scales,
          belief: rareRewards({ scales: values.scales, unit: maxReward }),
        })
      : byLikelihood({ values, cluster, clusters, level, freedom: rewards });
  const ofExamination = normalQuantile((1 + level) / 2) * Math.sqrt(Math.max(0, varianceAlong(values.slope, examination.covariance)));
  // A slate's reward is not more than all of it, however many of its items have no support.
  const worst = (policy: 'candidate' | 'champion') => {
    const missing = slates.map(({ wanted }) => wanted.reduce((all, one) => all + (one.supported ? 0 : one.examined[policy]), 0));
    return missing.reduce((total, one) => total + Math.min(1, one), 0) * (maxReward / count);
  };
  const [unsupportedBelow, unsupportedAbove] = [worst('champion'), worst('candidate')];
  const assumed = sum(values.unsupported) / count;
  return {
    lift: {
      value: drawn.value + Math.max(-unsupportedBelow, Math.min(unsupportedAbove, assumed)),
      low: drawn.value - Math.hypot(drawn.value - drawn.low, ofExamination) - unsupportedBelow,
      high: drawn.value + Math.hypot(drawn.high - drawn.value, ofExamination) + unsupportedAbove,
    },
    liftInterval,
    widenedBy: { examination: ofExamination, unsupportedBelow, unsupportedAbove },
    rewards,
  };
}

type ByLikelihood = Pick<Input, 'values' | 'cluster' | 'clusters' | 'level'> & { freedom: number };

function byLikelihood({ values, cluster, clusters, level, freedom }: ByLikelihood): Interval {
  const sample = clusterScores({ scores: values.lift, cluster, clusters });
  return intervalOf('empirical-likelihood', { sample, value: sample.mean, level, seed: 1, replications: 0, bounds: values.bounds, freedom });
}

/** Of a linear function of what has this covariance. */
function varianceAlong(slope: Float64Array, covariance: Float64Array): number {
  const size = slope.length;
  let variance = 0;
  for (let row = 0; row < size; row += 1)
    for (let column = 0; column < size; column += 1)
      variance += (slope[row] as number) * (slope[column] as number) * (covariance[row * size + column] as number);
  return variance;
}
