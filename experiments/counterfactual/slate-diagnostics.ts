import type { Charter } from '../../models/contracts/charter.ts';
import type { LogDiagnostic } from '../../models/contracts/counterfactual.ts';
import { twoSided } from '../normal.ts';
import { percent } from '../percent.ts';
import type { WeighedSlate } from './logged-slate.ts';
import { clusterScores } from './single-slot/intervals.ts';
import { tailIndex } from './single-slot/diagnostics.ts';
import { effectiveSampleSize } from './effective-sample-size.ts';

type Limits = Charter['gates']['logLimits'] & { minEffectiveSampleSize: number };
type Input = {
  slates: readonly WeighedSlate[];
  /** [slates] index of the unit */
  cluster: Int32Array;
  clusters: number;
  examination: Float64Array;
  /** Rewards of equal weight that would leave as much open of the lift: see liftOfSlates. */
  rewards: number;
  limits: Limits;
};

/** What the log can carry, each figure with its limit and a sentence for a person. One that has not passed: no verdict. */
export function diagnoseSlates({ slates, cluster, clusters, examination, rewards, limits }: Input): LogDiagnostic[] {
  const weights = slotWeights(slates, examination);
  const found = {
    support: supportOf(slates),
    ess: effectiveSampleSize(weights.learning),
    maxWeight: weights.learning.reduce((most, one) => Math.max(most, one), 0),
    tail: weights.candidate.length === 0 ? 0 : tailIndex(Float64Array.from(weights.candidate)),
    ...meanWeights({ slates, cluster, clusters, examination }),
  };
  const total = weights.learning.reduce((sum, one) => sum + one, 0);
  const largestShare = total === 0 ? 0 : found.maxWeight / total;
  const row = (name: string, value: number, limit: number | null, passed: boolean, sentence: string): LogDiagnostic => ({
    name,
    value: Number.isFinite(value) ? value : 0,
    limit,
    passed,
    sentence,
  });
  const share = (one: number) => percent(one, one < 0.1 ? 1 : 0);
  return [
    row(
      'support',
      found.support,
      limits.minSupport,
      found.support >= limits.minSupport,
      `the log could have shown ${share(found.support)} of what the candidate would show; ${share(limits.minSupport)} are needed`,
    ),
    row(
      'effective-sample-size',
      found.ess,
      limits.minEffectiveSampleSize,
      found.ess >= limits.minEffectiveSampleSize,
      `the log tells as much about what the candidate does otherwise as ${Math.floor(found.ess)} unweighted draws; ${limits.minEffectiveSampleSize} are needed`,
    ),
    row(
      'effective-rewarded-sample-size',
      rewards,
      limits.minRewardedSampleSize,
      rewards >= limits.minRewardedSampleSize,
      `the difference rests on as much as ${rewards.toFixed(1)} rewards of equal weight; ${limits.minRewardedSampleSize} are needed`,
    ),
    row(
      'largest-weight-share',
      largestShare,
      limits.maxWeightShare,
      largestShare <= limits.maxWeightShare,
      `one slot carries ${share(largestShare)} of the weight of what the candidate does otherwise; ${share(limits.maxWeightShare)} at most`,
    ),
    row(
      'tail-index',
      found.tail,
      limits.maxTailIndex,
      found.tail <= limits.maxTailIndex,
      `the largest weights fall off with a tail index of ${found.tail.toFixed(2)}; ${limits.maxTailIndex} at most`,
    ),
    row(
      'mean-weight',
      found.meanRatio,
      limits.minMeanWeightP,
      found.meanP >= limits.minMeanWeightP,
      `the mean weight is ${found.meanRatio.toFixed(3)} of what it must be (p ${found.meanP.toExponential(1)}): ${found.meanP >= limits.minMeanWeightP ? 'the propensities fit what was shown' : 'the propensities are not those of this log'}`,
    ),
    row(
      'propensity-drift',
      found.driftP,
      limits.minDriftP,
      found.driftP >= limits.minDriftP,
      `the mean weight ${found.driftP >= limits.minDriftP ? 'does not differ' : 'differs'} between the halves of the log (p ${found.driftP.toExponential(1)})`,
    ),
  ];
}

/** Share of the candidate's slots, by examination, that the log supports. */
export function supportOf(slates: readonly WeighedSlate[]): number {
  let [supported, wanted] = [0, 0];
  for (const slate of slates)
    for (const one of slate.wanted) {
      wanted += one.examined.candidate;
      if (one.supported) supported += one.examined.candidate;
    }
  return wanted === 0 ? 0 : supported / wanted;
}

/** The lift is learnt where a policy's own choices were shown; what both show alike says nothing of it. */
function slotWeights(slates: readonly WeighedSlate[], examination: Float64Array) {
  const learning: number[] = [];
  const candidate: number[] = [];
  for (const { shown } of slates)
    for (const [slot, one] of shown.entries()) {
      if (one === null) continue;
      const difference = one.weight.candidate - one.weight.champion;
      if (one.weight.candidate > 0) candidate.push(one.weight.candidate);
      if (difference > 0) learning.push(difference * (examination[slot] ?? 0));
    }
  return { learning, candidate };
}

/** Of the candidate: sum_k e_k w(a_k) has the expectation sum_j e_j over what has support, if the propensities are right. */
function meanWeights({ slates, cluster, clusters, examination }: Omit<Input, 'limits' | 'rewards'>): { meanRatio: number; meanP: number; driftP: number } {
  const excess = new Float64Array(slates.length);
  let expected = 0;
  slates.forEach(({ wanted, shown }, index) => {
    const own = wanted.reduce((sum, one) => sum + (one.supported ? one.examined.candidate : 0), 0);
    const weight = shown.reduce((sum, one, slot) => sum + (one === null ? 0 : one.weight.candidate * (examination[slot] ?? 0)), 0);
    expected += own / slates.length;
    excess[index] = weight - own;
  });
  if (slates.length === 0) return { meanRatio: 0, meanP: 1, driftP: 1 };
  const whole = clusterScores({ scores: excess, cluster, clusters });
  const middle = slates.length >> 1;
  const [before, after] = [excess.subarray(0, middle), excess.subarray(middle)].map((scores) =>
    clusterScores({ scores, cluster: undefined, clusters: scores.length }),
  ) as [typeof whole, typeof whole];
  return {
    meanRatio: expected === 0 ? 0 : 1 + whole.mean / expected,
    meanP: twoSided(whole.mean / whole.standardError),
    driftP: middle === 0 ? 1 : twoSided((before.mean - after.mean) / Math.hypot(before.standardError, after.standardError)),
  };
}
