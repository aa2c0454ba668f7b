import type { AssumptionCheck } from '../../models/contracts/counterfactual.ts';
import { normalQuantile, twoSided } from '../normal.ts';
import type { WeighedSlate } from './logged-slate.ts';
import { clusterScores } from './single-slot/intervals.ts';

/** Fewer rewards behind a check than this, and it is silent. */
const rewardsToSpeak = 20;

type Input = {
  slates: readonly WeighedSlate[];
  /** [slates] index of the unit */
  cluster: Int32Array;
  clusters: number;
  examination: Float64Array;
  maxReward: number;
  /** Weights beyond this count as without support here too. */
  maxWeight: number;
  /** A check whose two figures differ with a smaller p-value than this has failed. */
  minP: number;
};

/** What one slate says of one policy's places: by the check, by the item-position model on the same places, and how much of the slate that is. */
type Said = { own: number; model: number; share: number; rewards: number };

/**
 * Does the item-position model hold? Estimators that assume less are possible on some places of some slates only; there they must agree with it.
 *
 * - `slot-ips`: nothing carries over between slots, w = pi_t(a, k) / pi_0(a, k) (Li et al. 2018, sec. 4). Fails where an item is worth more or less in one slot than examination says.
 * - `reward-interaction-ips`: a slot's reward may depend on all that stands above it, so the whole beginning of the slate must agree (McInerney,
 *   Brost, Chandar, Mehrotra and Carterette, KDD 2020). Fails where neighbours change what an item is worth.
 * - `cascade-dr`: the same with a model of the rewards, which takes out the part of the noise that the model foretells (Kiyohara, Saito, Matsuhiro,
 *   Narita, Shimizu and Yamamoto, WSDM 2022). With a model that is additive over slots their recursion comes to weighted errors of the model.
 *
 * Of the candidate; two-sided tests on the difference, clustered by unit.
 */
export function checkAssumptions(input: Input): AssumptionCheck[] {
  const { slates, examination, maxReward } = input;
  let [reward, examined] = [0, 0];
  for (const { slate } of slates)
    for (let slot = 0; slot < slate.items.length; slot += 1) {
      reward += Math.min(maxReward, slate.rewards[slot] ?? 0);
      examined += examination[slot] ?? 0;
    }
  const rate = examined === 0 ? 0 : reward / examined;
  return [
    check('slot-ips', input, (weighed) => bySlot(weighed, input)),
    check('reward-interaction-ips', input, (weighed) => byBeginning(weighed, input, 0)),
    check('cascade-dr', input, (weighed) => byBeginning(weighed, input, rate)),
  ];
}

function bySlot(weighed: WeighedSlate, { examination, maxReward, maxWeight }: Input): Said {
  const { slate } = weighed;
  const said: Said = { own: 0, model: 0, share: 0, rewards: 0 };
  const places = new Map<string, { slot: number; propensity: number }>();
  for (const one of weighed.wanted) {
    const slot = slate.candidate.indexOf(one.item);
    const propensity = slot < 0 ? 0 : slate.propensity(one.item, slot);
    if (propensity * maxWeight < 1 || !one.supported) continue;
    places.set(one.item, { slot, propensity });
    said.share += examination[slot] ?? 0;
  }
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
  const said: Said = { own: 0, model: 0, share: 0, rewards: 0 };
  const prefix = slate.prefix(slate.candidate);
  const supported = new Map(wanted.map((one) => [one.item, one.supported]));
  const impossible = slate.candidate.findIndex((item, place) => (prefix[place] ?? 0) * maxWeight < 1 || supported.get(item) !== true);
  const length = impossible < 0 ? slate.candidate.length : impossible;
  const places = new Set(slate.candidate.slice(0, length));
  for (let slot = 0; slot < length; slot += 1) said.share += examination[slot] ?? 0;
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
  const { slates, cluster, clusters, examination, minP } = input;
  const differences = new Float64Array(slates.length);
  const total = examination.reduce((sum, one) => sum + one, 0);
  const sum: Said = { own: 0, model: 0, share: 0, rewards: 0 };
  slates.forEach((weighed, index) => {
    const said = sayOf(weighed);
    differences[index] = said.own - said.model;
    for (const key of ['own', 'model', 'share', 'rewards'] as const) sum[key] += said[key];
  });
  const count = Math.max(1, slates.length);
  const share = total === 0 ? 0 : sum.share / count / total;
  const speaks = sum.rewards >= rewardsToSpeak && slates.length > 1;
  if (!speaks) {
    const sentence = `too few rewards (${sum.rewards}) stand where ${name} can speak, which is ${percent(share)} of the candidate's slate`;
    return { name, share, itemPosition: null, own: null, difference: null, pValue: null, passed: true, sentence };
  }
  const { mean, standardError } = clusterScores({ scores: differences, cluster, clusters });
  const half = normalQuantile(1 - minP / 2) * standardError;
  const pValue = twoSided(mean / standardError);
  const passed = pValue >= minP;
  const [own, model] = [sum.own / count, sum.model / count];
  const sentence = `on ${percent(share)} of the candidate's slate ${name} finds ${own.toFixed(4)} and the item-position model ${model.toFixed(4)} (p ${pValue.toPrecision(2)})${passed ? '' : ': the model does not hold, and what rests on it is no evidence'}`;
  return { name, share, itemPosition: model, own, difference: { value: mean, low: mean - half, high: mean + half }, pValue, passed, sentence };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
