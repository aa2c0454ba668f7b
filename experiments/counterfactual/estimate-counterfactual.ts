import type { CounterfactualResult } from '../../models/contracts/report.ts';
import type { Interval, Verdict } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { type ExploredSlot, estimateExamination } from './examination.ts';
import { meanInterval } from './mean-interval.ts';
import { effectiveSampleSize, ips, snips, type WeightedSums, weightedSums } from './weighted-mean.ts';

/** One slate of the log, with what each policy would have answered to the same request. */
export type LoggedSlate = {
  unit: string;
  items: readonly string[];
  /** [items] attributed reward by slot */
  rewards: ArrayLike<number>;
  /** [items] did the visitor engage with the slot at all */
  engaged: readonly boolean[];
  /** What stood in the slate before exploration. */
  base: readonly string[];
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
  /** Reward of one slot is capped here. */
  maxReward: number;
  minEffectiveSampleSize: number;
  level?: number;
  replications?: number;
  seed: number;
};

/**
 * An item that would weigh more was shown so seldom that one reward of it would swing the estimate: it counts as without support. Whatever has no
 * support counts in the lift as worth what the log earns on average, and too much of it leaves no verdict.
 */
const maxItemWeight = 200;
/** Less of the candidate's slots than this in the log's reach, and no estimate speaks for the candidate. */
const minSupport = 0.8;

/** A slot that was shown: what it earned, how far it is examined, and the weight of its item under each policy. */
type Shown = { reward: number; examined: number; candidate: number; champion: number };
type Weighted = {
  unit: string;
  shown: Shown[];
  /** Weight under the candidate minus weight under the champion: of what stands in the base, and of what only exploration can show. */
  differences: { base: number[]; explored: number[] };
  supported: number;
  wanted: number;
};

/**
 * Reward a slate that candidate and champion would have earned on the log's own requests, and their difference.
 *
 * Item-position model: an item's reward at a slot is examination times what the item is worth to this visitor. Then for each shown item a
 * w(a) = sum_k e_k pi_t(a, k) / sum_k e_k pi_0(a, k) (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, "Offline evaluation of ranking policies with
 * click models", KDD 2018, sec. 4). IPS is the mean over slates of sum_k r_k w(a_k); SNIPS divides by the mean of sum_k e_k w(a_k), whose
 * expectation is sum_k e_k. Their intervals: percentile bootstrap by user.
 *
 * The lift of a slate is sum_k (w_candidate - w_champion)(a_k) (r_k - c e_k), c the log's reward by examination: both policies examine alike, so the
 * control c e_k changes no expectation and takes out what the same visitor would give to anything. Its draw is independent of all others, since
 * exploration draws each slate anew, so its interval (meanInterval) speaks of the log's own requests with the stated level, however rare rewards are.
 */
export function estimateCounterfactual(input: CounterfactualInput): CounterfactualResult {
  const { log, size, seed, maxReward, level = 0.95, replications = 500 } = input;
  const examination = estimateExamination({ explored: exploredSlotsOf(log), size });
  const slates = log.map((slate) => weigh(slate, { examination, maxReward }));
  const shown = slates.flatMap((slate) => slate.shown);
  const candidateWeights = shown.map((slot) => slot.candidate * slot.examined);
  const byUser = [...Map.groupBy(slates, (slate) => slate.unit).values()];
  const totalExamination = examination.reduce((sum, value) => sum + value, 0);
  const interval = bootstrap({ byUser, totalExamination, seed, level, replications });
  const wanted = slates.reduce((sum, slate) => sum + slate.wanted, 0);
  const support = wanted === 0 ? 0 : slates.reduce((sum, slate) => sum + slate.supported, 0) / wanted;
  const slots = log.reduce((most, slate) => Math.max(most, slate.exploredSlots.length), 0);
  const lift = liftOf(slates, { level, maxReward, slots });
  // The lift is learnt where the candidate's own choices were shown; what both policies show alike says nothing of it.
  const ess = effectiveSampleSize(shown.map((slot) => Math.max(0, slot.candidate - slot.champion) * slot.examined));
  return {
    slates: log.length,
    users: byUser.length,
    ips: interval((one) => one.ips),
    snips: interval((one) => one.snips),
    logged: interval((one) => one.logged),
    lift,
    effectiveSampleSize: ess,
    maxWeight: candidateWeights.reduce((most, weight) => Math.max(most, weight), 0),
    support,
    voided: input.voided,
    ...judge({ lift, ess, support, minEffectiveSampleSize: input.minEffectiveSampleSize }),
  };
}

function weigh(slate: LoggedSlate, { examination, maxReward }: { examination: Float64Array; maxReward: number }): Weighted {
  const reach = (itemId: string) => {
    const reached = examination.reduce((sum, value, slot) => sum + value * slate.propensity(itemId, slot), 0);
    return reached * maxItemWeight < 1 ? 0 : reached;
  };
  const weightOf = (policy: readonly string[], itemId: string, reached: number) => (reached === 0 ? 0 : (examination[policy.indexOf(itemId)] ?? 0) / reached);
  const shown = slate.items.map((itemId, slot): Shown => {
    const reached = reach(itemId);
    return {
      reward: Math.min(maxReward, slate.rewards[slot] ?? 0),
      examined: examination[slot] ?? 0,
      candidate: weightOf(slate.candidate, itemId, reached),
      champion: weightOf(slate.champion, itemId, reached),
    };
  });
  let supported = 0;
  let wanted = 0;
  const differences: Weighted['differences'] = { base: [], explored: [] };
  const base = new Set(slate.base);
  for (const itemId of new Set([...slate.candidate, ...slate.champion])) {
    const reached = reach(itemId);
    const mass = examination[slate.candidate.indexOf(itemId)] ?? 0;
    wanted += mass;
    if (reached === 0) continue;
    supported += mass;
    const difference = weightOf(slate.candidate, itemId, reached) - weightOf(slate.champion, itemId, reached);
    (base.has(itemId) ? differences.base : differences.explored).push(difference);
  }
  return { unit: slate.unit, shown, differences, supported, wanted };
}

/** The bounds follow from the requests and the propensities, never from what was drawn: a slate holds its base and at most `slots` items of the pool. */
function liftOf(slates: readonly Weighted[], { level, maxReward, slots }: { level: number; maxReward: number; slots: number }): Interval {
  const rewarded = slates.reduce((sum, slate) => sum + slate.shown.reduce((all, slot) => all + slot.reward, 0), 0);
  const examined = slates.reduce((sum, slate) => sum + slate.shown.reduce((all, slot) => all + slot.examined, 0), 0);
  const control = examined === 0 ? 0 : rewarded / examined;
  const values = Float64Array.from(slates, ({ shown }) =>
    shown.reduce((sum, slot) => sum + (slot.candidate - slot.champion) * (slot.reward - control * slot.examined), 0),
  );
  let low = 0;
  let high = 0;
  for (const { differences } of slates) {
    const positive = (all: readonly number[]) => all.filter((one) => one > 0).sort((a, b) => b - a);
    const negative = (all: readonly number[]) => positive(all.map((one) => -one));
    const total = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0);
    const most = total(positive(differences.base)) + total(positive(differences.explored).slice(0, slots));
    const least = total(negative(differences.base)) + total(negative(differences.explored).slice(0, slots));
    high = Math.max(high, most * maxReward + least * control);
    low = Math.min(low, -(least * maxReward + most * control));
  }
  return meanInterval({ values, low, high, level });
}

function exploredSlotsOf(log: readonly LoggedSlate[]): ExploredSlot[] {
  return log.flatMap((slate) => slate.exploredSlots.map((slot) => ({ slot, engaged: slate.engaged[slot] === true })));
}

type Estimates = { ips: number; snips: number; logged: number };

/** Percentile intervals of the candidate's estimates, users drawn with replacement. */
function bootstrap(input: { byUser: readonly (readonly Weighted[])[]; totalExamination: number; seed: number; level: number; replications: number }) {
  const { byUser, totalExamination, seed, level, replications } = input;
  const users = byUser.map((slates) => {
    const shown = slates.flatMap((slate) => slate.shown);
    const rewards = shown.map((slot) => slot.reward);
    const sums = weightedSums({ weights: shown.map((slot) => slot.candidate), rewards, control: shown.map((slot) => slot.examined) });
    return { ...sums, count: slates.length, logged: rewards.reduce((sum, one) => sum + one, 0) };
  });
  const estimate = (draws: ArrayLike<number>): Estimates => {
    const sum: WeightedSums & { logged: number } = { count: 0, weighted: 0, weight: 0, logged: 0 };
    for (let draw = 0; draw < draws.length; draw += 1) {
      const user = users[draws[draw] as number] as typeof sum;
      for (const key of ['count', 'weighted', 'weight', 'logged'] as const) sum[key] += user[key];
    }
    return { ips: ips(sum), snips: snips(sum) * totalExamination, logged: sum.count === 0 ? 0 : sum.logged / sum.count };
  };
  const everybody = Uint32Array.from(users, (_, index) => index);
  const point = estimate(everybody);
  const random = createRandom(seed);
  const resamples = users.length === 0 ? [] : Array.from({ length: replications }, () => estimate(everybody.map(() => random.below(users.length))));
  return (of: (one: Estimates) => number): Interval => percentile({ value: of(point), values: resamples.map(of), level });
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
