import type { AssumptionCheck } from '../../models/contracts/counterfactual.ts';
import { percent } from '../percent.ts';
import { rewardByExamination, type WeighedSlate } from './logged-slate.ts';
import { rareRewards, rejectsMean } from './mean-interval.ts';

/** Fewer rewards behind a check than this, and it is silent. */
const rewardsToSpeak = 20;

type Input = {
  slates: readonly WeighedSlate[];
  examination: Float64Array;
  maxReward: number;
  /** Weights beyond this count as without support here too. */
  maxWeight: number;
  /** A check is wrong about a model that holds with this probability at most. */
  error: number;
};

/**
 * What one slate says of the candidate's places: by the check, by the item-position model on the same places, and how much of the slate that is. `most` and
 * `scale` are known before anything is drawn: no figure can be greater, and the variance goes with it.
 */
type Said = { own: number; model: number; share: number; rewards: number; most: { own: number; model: number }; scale: number };
const nothingSaid = (): Said => ({ own: 0, model: 0, share: 0, rewards: 0, most: { own: 0, model: 0 }, scale: 0 });

/**
 * Does the item-position model hold? Estimators that assume less are possible on some places of some slates only; there they must agree with it.
 *
 * - `slot-ips`: nothing carries over between slots, w = pi_t(a, k) / pi_0(a, k) (Li et al. 2018, sec. 4). Fails where an item is worth more or less in one slot than examination says.
 * - `reward-interaction-ips`: a slot's reward may depend on all that stands above it, so the whole beginning of the slate must agree (McInerney,
 *   Brost, Chandar, Mehrotra and Carterette, KDD 2020). Fails where neighbours change what an item is worth.
 * - `cascade-dr`: the same with a model of the rewards, which takes out the part of the noise that the model foretells (Kiyohara, Saito, Matsuhiro,
 *   Narita, Shimizu and Yamamoto, WSDM 2022). With a model that is additive over slots their recursion comes to weighted errors of the model.
 *
 * Of the candidate. The two figures differ where a gambler wins by betting that they do (mean-interval.ts): weights are large here and rewards rare, where a
 * normal test is wrong far too often.
 */
export function checkAssumptions(input: Input): AssumptionCheck[] {
  const { slates, examination, maxReward } = input;
  const rate = rewardByExamination({ log: slates.map(({ slate }) => slate), examination, maxReward });
  return [
    check('slot-ips', input, (weighed) => bySlot(weighed, input)),
    check('reward-interaction-ips', input, (weighed) => byBeginning(weighed, input, 0)),
    check('cascade-dr', input, (weighed) => byBeginning(weighed, input, rate)),
  ];
}

function bySlot(weighed: WeighedSlate, { examination, maxReward, maxWeight }: Input): Said {
  const { slate } = weighed;
  const said = nothingSaid();
  const explored = { own: 0, model: 0 };
  const places = new Map<string, { slot: number; propensity: number }>();
  for (const one of weighed.wanted) {
    const slot = slate.candidate.indexOf(one.item);
    const propensity = slot < 0 ? 0 : slate.propensity(one.item, slot);
    if (propensity * maxWeight < 1 || !one.supported) continue;
    places.set(one.item, { slot, propensity });
    const examined = examination[slot] ?? 0;
    said.share += examined;
    said.scale += examined / propensity + one.weight.candidate ** 2 * one.reach;
    const most = { own: maxReward / propensity, model: maxReward * one.weight.candidate };
    const target = slate.base.includes(one.item) ? said.most : explored;
    for (const key of ['own', 'model'] as const) target[key] = target === explored ? Math.max(explored[key], most[key]) : target[key] + most[key];
  }
  // At most one place is explored where the weights are this large; more of them would bound a figure by their sum.
  const draws = Math.max(1, slate.exploredSlots.length);
  for (const key of ['own', 'model'] as const) said.most[key] += draws * explored[key];
  for (const [slot, one] of weighed.shown.entries()) {
    const place = one === null ? undefined : places.get(one.item);
    const reward = Math.min(maxReward, slate.rewards[slot] ?? 0);
    if (one === null || place === undefined || reward === 0) continue;
    said.model += one.weight.candidate * reward;
    said.rewards += 1;
    if (place.slot === slot) said.own += reward / place.propensity;
  }
  return said;
}

/** @param rate reward by examination that the model foretells everywhere */
function byBeginning(weighed: WeighedSlate, { examination, maxReward, maxWeight }: Input, rate: number): Said {
  const { slate, wanted, shown } = weighed;
  const said = nothingSaid();
  const prefix = slate.prefix(slate.candidate);
  const supported = new Map(wanted.map((one) => [one.item, one.supported]));
  const impossible = slate.candidate.findIndex((item, place) => (prefix[place] ?? 0) * maxWeight < 1 || supported.get(item) !== true);
  const length = impossible < 0 ? slate.candidate.length : impossible;
  const places = new Set(slate.candidate.slice(0, length));
  for (let slot = 0; slot < length; slot += 1) {
    const examined = examination[slot] ?? 0;
    said.share += examined;
    said.most.own += maxReward / (prefix[slot] as number);
    said.scale += examined / (prefix[slot] as number);
  }
  for (const one of wanted) {
    if (!places.has(one.item)) continue;
    said.most.model += maxReward * one.weight.candidate;
    said.scale += one.weight.candidate ** 2 * one.reach;
  }
  said.own = rate * said.share;
  said.model = said.own;
  let agrees = true;
  for (const [slot, one] of shown.entries()) {
    agrees &&= slot < length && slate.items[slot] === slate.candidate[slot];
    if (one === null || !places.has(one.item)) continue;
    const reward = Math.min(maxReward, slate.rewards[slot] ?? 0);
    const error = reward - rate * (examination[slot] ?? 0);
    said.model += one.weight.candidate * error;
    if (agrees) said.own += error / (prefix[slot] as number);
    if (reward > 0) said.rewards += 1;
  }
  return said;
}

function check(name: AssumptionCheck['name'], input: Input, sayOf: (weighed: WeighedSlate) => Said): AssumptionCheck {
  const { slates, examination, error, maxReward } = input;
  const said = slates.map(sayOf);
  const total = (of: (one: Said) => number) => said.reduce((sum, one) => sum + of(one), 0);
  const most = (of: (one: Said) => number) => said.reduce((all, one) => Math.max(all, of(one)), 0);
  const count = Math.max(1, slates.length);
  const examined = examination.reduce((sum, one) => sum + one, 0);
  const share = examined === 0 ? 0 : total((one) => one.share) / count / examined;
  const rewards = total((one) => one.rewards);
  if (rewards < rewardsToSpeak) {
    const sentence = `too few rewards (${rewards}) stand where ${name} can speak, which is ${percent(share, 0)} of the candidate's slate`;
    return { name, share, itemPosition: null, own: null, passed: true, sentence };
  }
  const scales = Float64Array.from(said, (one) => one.scale);
  const passed = !rejectsMean({
    supposed: 0,
    values: Float64Array.from(said, (one) => one.own - one.model),
    low: -most((one) => one.most.model + maxReward),
    high: most((one) => one.most.own + maxReward),
    level: 1 - error,
    scales,
    belief: rareRewards({ scales, unit: maxReward * maxReward }),
  });
  const [own, model] = [total((one) => one.own) / count, total((one) => one.model) / count];
  const figures = `on ${percent(share, 0)} of the candidate's slate ${name} finds ${own.toFixed(4)} and the item-position model ${model.toFixed(4)}`;
  const sentence = `${figures}, which ${passed ? 'may be chance' : 'is no chance: the model does not hold, and what rests on it is no evidence'}`;
  return { name, share, itemPosition: model, own, passed, sentence };
}
