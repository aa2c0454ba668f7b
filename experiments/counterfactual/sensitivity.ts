import type { Sensitivity } from '../../models/contracts/counterfactual.ts';
import { percent } from '../percent.ts';
import { type LoggedSlate, rewardByExamination } from './logged-slate.ts';
import { normalInterval } from './normal-interval.ts';

type Input = {
  log: readonly LoggedSlate[];
  /** [slates] index of the unit */
  cluster: Int32Array;
  clusters: number;
  examination: Float64Array;
  maxReward: number;
  maxWeight: number;
  level: number;
  /** Discrete embedding of an item; absent: no marginalized estimate. */
  embedding?: ((itemId: string) => string) | undefined;
};

const slatesOfStep = 2_000;

/** The lift by estimators with other assumptions. They decide nothing: where they differ much from the verdict's, a person should know. */
export function* sensitivityOf(input: Input): Generator<void, Sensitivity, void> {
  return { marginalized: yield* marginalized(input), pseudoInverse: pseudoInverse(input) };
}

/**
 * Marginalized IPS (Saito and Joachims, "Off-policy evaluation for large action spaces via embeddings", ICML 2022), the item-position way: for each
 * shown item w(g) = sum_k e_k pi_t(g, k) / sum_k e_k pi_0(g, k), g its embedding. Unbiased if items of one embedding are worth the same, so that it needs less support.
 */
function* marginalized(input: Input): Generator<void, Sensitivity['marginalized'], void> {
  const { log, examination, maxReward, embedding } = input;
  if (embedding === undefined || log.length === 0) return null;
  const rate = rewardByExamination(input);
  const values = new Float64Array(log.length);
  for (const [index, slate] of log.entries()) {
    if (index % slatesOfStep === 0) yield;
    const reach = new Map<string, number>();
    for (const item of [...slate.base, ...slate.pool]) {
      const group = embedding(item);
      const own = examination.reduce((sum, value, slot) => sum + value * slate.propensity(item, slot), 0);
      reach.set(group, (reach.get(group) ?? 0) + own);
    }
    const wanted = new Map<string, number>();
    for (const [policy, sign] of [
      [slate.candidate, 1],
      [slate.champion, -1],
    ] as const)
      for (const [slot, item] of policy.entries()) wanted.set(embedding(item), (wanted.get(embedding(item)) ?? 0) + sign * (examination[slot] ?? 0));
    values[index] = slate.items.reduce((sum, item, slot) => {
      const group = embedding(item);
      const [mass, reached] = [wanted.get(group) ?? 0, reach.get(group) ?? 0];
      return reached === 0 ? sum : sum + (mass / reached) * (Math.min(maxReward, slate.rewards[slot] ?? 0) - rate * (examination[slot] ?? 0));
    }, 0);
  }
  return { lift: normalInterval({ scores: values, ...input }) };
}

/**
 * Pseudo-inverse estimate for a reward of the whole slate that is a sum over slots of something unknown (Swaminathan, Krishnamurthy, Agarwal, Dudík,
 * Langford, Jose and Zitouni, "Off-policy evaluation for slate recommendation", NeurIPS 2017). Where a slate explores at most one slot, and none at
 * all with a positive probability, the slates that the log can show are linearly independent as vectors of (item, slot); then the pseudo-inverse's
 * weights are the one way to write the target's vector with them: sum over its other places k of 1{slate is the base but for t_k} / pi_0 - (places - 1) 1{slate is
 * the base} / pi_0(base). Where every slate explores, the target's vector lies outside their span, and no data can tell.
 */
function pseudoInverse(input: Input): Sensitivity['pseudoInverse'] {
  const { log, maxReward, maxWeight } = input;
  const values: number[] = [];
  const units: number[] = [];
  for (const [index, slate] of log.entries()) {
    const untouched = slate.prefix(slate.base).at(-1) ?? 0;
    if (untouched * maxWeight < 1) continue;
    const weights = [slate.candidate, slate.champion].map((policy) => weightOf(slate, { policy, untouched, maxWeight }));
    const [candidate, champion] = weights;
    if (candidate === undefined || champion === undefined || candidate === null || champion === null) continue;
    const reward = Math.min(
      maxReward,
      Array.from(slate.rewards).reduce((sum, one) => sum + one, 0),
    );
    values.push((candidate - champion) * reward);
    units.push(input.cluster[index] as number);
  }
  if (values.length === 0)
    return { lift: null, share: 0, sentence: 'not identified: every slate explores, or the candidate differs in places that the log never fills so' };
  const seen = new Map<number, number>();
  const cluster = Int32Array.from(units, (unit) => {
    const known = seen.get(unit) ?? seen.size;
    seen.set(unit, known);
    return known;
  });
  const share = values.length / log.length;
  const lift = normalInterval({ scores: Float64Array.from(values), cluster, clusters: seen.size, level: input.level });
  return { lift, share, sentence: `on the ${percent(share, 0)} of slates where the log can tell` };
}

function weightOf(slate: LoggedSlate, { policy, untouched, maxWeight }: { policy: readonly string[]; untouched: number; maxWeight: number }): number | null {
  const others = policy.flatMap((item, slot) => (slate.base[slot] === item ? [] : [slot]));
  if (policy.length !== slate.base.length) return null;
  if (others.some((slot) => slate.propensity(policy[slot] as string, slot) * maxWeight < 1)) return null;
  const touched = slate.items.flatMap((item, slot) => (slate.base[slot] === item ? [] : [slot]));
  if (touched.length === 0) return -(others.length - 1) / untouched;
  const [slot] = touched as [number];
  const item = slate.items[slot] as string;
  return others.includes(slot) && policy[slot] === item ? 1 / slate.propensity(item, slot) : 0;
}
