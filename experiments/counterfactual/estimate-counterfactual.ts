import type { CounterfactualResult } from '../../models/contracts/report.ts';
import type { Interval, Verdict } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { type ExploredSlot, estimateExamination } from './examination.ts';
import { effectiveSampleSize } from './weighted-mean.ts';

/** One slate of the log, with what each policy would have answered to the same request. */
export type LoggedSlate = {
  unit: string;
  items: readonly string[];
  /** [items] attributed reward by slot */
  rewards: ArrayLike<number>;
  /** [items] did the visitor engage with the slot at all */
  engaged: readonly boolean[];
  /** Slots that exploration drew. */
  exploredSlots: readonly number[];
  /** Probability under the logging policy that the item stands at the slot; 0 where it never could. */
  propensity: (itemId: string, slot: number) => number;
  candidate: readonly string[];
  champion: readonly string[];
};

export type CounterfactualInput = {
  log: readonly LoggedSlate[];
  voided: number;
  size: number;
  minEffectiveSampleSize: number;
  level?: number;
  replications?: number;
  seed: number;
};

/** Less of the candidate's slots than this in the log's reach, and no estimate speaks for the candidate. */
const minSupport = 0.8;

/** A policy's sums over a user's slates: sum of w r, sum of e w, and how many slates. */
type UserSums = { candidateReward: number; candidateWeight: number; championReward: number; championWeight: number; logged: number; slates: number };

/**
 * Reward a slate that candidate and champion would have earned on the log's own requests, and their difference, paired by user.
 *
 * Item-position model: an item's reward at a slot is examination times what the item is worth to this visitor. Then for each shown item a
 * w(a) = sum_k e_k pi_t(a, k) / sum_k e_k pi_0(a, k) (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, "Offline evaluation of ranking policies with
 * click models", KDD 2018, sec. 4). IPS is the mean over slates of sum_k r_k w(a_k); SNIPS divides by the mean of
 * sum_k e_k w(a_k), whose expectation is sum_k e_k. Intervals: percentile bootstrap by user.
 */
export function estimateCounterfactual(input: CounterfactualInput): CounterfactualResult {
  const { log, size, seed, level = 0.95, replications = 500 } = input;
  const examination = estimateExamination({ explored: exploredSlotsOf(log), size });
  const totalExamination = examination.reduce((sum, value) => sum + value, 0);
  const users = new Map<string, UserSums>();
  const weights: number[] = [];
  let supportedMass = 0;
  let targetMass = 0;
  for (const slate of log) {
    const sums = users.get(slate.unit) ?? { candidateReward: 0, candidateWeight: 0, championReward: 0, championWeight: 0, logged: 0, slates: 0 };
    users.set(slate.unit, sums);
    sums.slates += 1;
    const reach = (itemId: string) => examination.reduce((sum, value, slot) => sum + value * slate.propensity(itemId, slot), 0);
    slate.items.forEach((itemId, slot) => {
      const reward = slate.rewards[slot] ?? 0;
      const reached = reach(itemId);
      const examined = examination[slot] ?? 0;
      sums.logged += reward;
      if (reached === 0) return;
      const candidateWeight = (examination[slate.candidate.indexOf(itemId)] ?? 0) / reached;
      const championWeight = (examination[slate.champion.indexOf(itemId)] ?? 0) / reached;
      sums.candidateReward += candidateWeight * reward;
      sums.candidateWeight += candidateWeight * examined;
      sums.championReward += championWeight * reward;
      sums.championWeight += championWeight * examined;
      if (candidateWeight > 0) weights.push(candidateWeight * examined);
    });
    slate.candidate.forEach((itemId, slot) => {
      const mass = examination[slot] ?? 0;
      targetMass += mass;
      if (reach(itemId) > 0) supportedMass += mass;
    });
  }

  const rows = [...users.values()];
  const estimates = (sums: readonly UserSums[], draws: ArrayLike<number>) => estimatesOf(sums, draws, totalExamination);
  const everybody = Uint32Array.from(rows, (_, index) => index);
  const point = estimates(rows, everybody);
  const random = createRandom(seed);
  const resamples =
    rows.length === 0
      ? []
      : Array.from({ length: replications }, () =>
          estimates(
            rows,
            everybody.map(() => random.below(rows.length)),
          ),
        );
  const interval = (of: (one: Estimates) => number): Interval => percentile({ value: of(point), values: resamples.map(of), level });
  const support = targetMass === 0 ? 0 : supportedMass / targetMass;
  const lift = interval((one) => one.candidate.snips - one.champion.snips);
  const ess = effectiveSampleSize(weights);
  return {
    slates: log.length,
    users: rows.length,
    ips: interval((one) => one.candidate.ips),
    snips: interval((one) => one.candidate.snips),
    logged: interval((one) => one.logged),
    lift,
    effectiveSampleSize: ess,
    maxWeight: weights.reduce((most, weight) => Math.max(most, weight), 0),
    support,
    voided: input.voided,
    ...judge({ lift, ess, support, minEffectiveSampleSize: input.minEffectiveSampleSize }),
  };
}

function exploredSlotsOf(log: readonly LoggedSlate[]): ExploredSlot[] {
  return log.flatMap((slate) => slate.exploredSlots.map((slot) => ({ slot, engaged: slate.engaged[slot] === true })));
}

type Estimates = { candidate: { ips: number; snips: number }; champion: { ips: number; snips: number }; logged: number };

function estimatesOf(users: readonly UserSums[], draws: ArrayLike<number>, totalExamination: number): Estimates {
  const sum: UserSums = { candidateReward: 0, candidateWeight: 0, championReward: 0, championWeight: 0, logged: 0, slates: 0 };
  for (let draw = 0; draw < draws.length; draw += 1) {
    const user = users[draws[draw] as number] as UserSums;
    sum.candidateReward += user.candidateReward;
    sum.candidateWeight += user.candidateWeight;
    sum.championReward += user.championReward;
    sum.championWeight += user.championWeight;
    sum.logged += user.logged;
    sum.slates += user.slates;
  }
  const policy = (reward: number, weight: number) => ({
    ips: sum.slates === 0 ? 0 : reward / sum.slates,
    snips: weight === 0 ? 0 : (reward / weight) * totalExamination,
  });
  return {
    candidate: policy(sum.candidateReward, sum.candidateWeight),
    champion: policy(sum.championReward, sum.championWeight),
    logged: sum.slates === 0 ? 0 : sum.logged / sum.slates,
  };
}

function percentile({ value, values, level }: { value: number; values: number[]; level: number }): Interval {
  if (values.length === 0) return { value, low: value, high: value };
  const sorted = values.sort((a, b) => a - b);
  const at = (probability: number) => sorted[Math.min(sorted.length - 1, Math.floor(probability * sorted.length))] as number;
  return { value, low: at((1 - level) / 2), high: at((1 + level) / 2) };
}

function judge({ lift, ess, support, minEffectiveSampleSize }: { lift: Interval; ess: number; support: number; minEffectiveSampleSize: number }): {
  verdict: Verdict;
  reason: string;
} {
  if (support < minSupport)
    return {
      verdict: 'not-enough-evidence',
      reason: `the log could have shown ${percent(support)} of what the candidate would show; ${percent(minSupport)} are needed`,
    };
  if (ess < minEffectiveSampleSize)
    return {
      verdict: 'not-enough-evidence',
      reason: `the log tells as much about the candidate as ${Math.floor(ess)} unweighted draws; ${minEffectiveSampleSize} are needed`,
    };
  const range = `${lift.low.toFixed(5)} to ${lift.high.toFixed(5)} reward a slate`;
  if (lift.low > 0) return { verdict: 'better', reason: `the lift lies within ${range}` };
  if (lift.high < 0) return { verdict: 'worse', reason: `the lift lies within ${range}` };
  return { verdict: 'not-enough-evidence', reason: `the lift may lie on either side of 0: ${range}` };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
