import type { LoggedSlate, WantedItem, WeighedSlate } from './logged-slate.ts';
import { ItemValues } from './item-values.ts';

type Input = {
  slates: readonly WeighedSlate[];
  rewardsOf: (slate: LoggedSlate) => ArrayLike<number>;
  examination: Float64Array;
  /** Reward of one slot is capped here. */
  maxReward: number;
  /** Slots that exploration draws at most. */
  slots: number;
};

/** What each slate says, [slates] each. Their means are the estimates, so that they are influence values too. */
export type PairedValues = {
  /** Doubly robust; what has no support counts as the reward model has it. */
  candidate: Float64Array;
  champion: Float64Array;
  /** Doubly robust, of what has support. */
  lift: Float64Array;
  /** Of the candidate, without the model: sum_k w r, and sum_k w e, whose expectation is known. */
  weighted: Float64Array;
  weight: Float64Array;
  logged: Float64Array;
  /** What no value of `lift` can lie beyond, by requests and propensities alone, whatever was drawn. */
  bounds: { low: number; high: number };
  /** Variance of each value of `lift`, up to the rate of rewards, by requests and propensities alone. */
  scales: Float64Array;
  /** [slates] The fourth moment likewise. */
  fourths: Float64Array;
  /** [slots] Derivative of the mean of `lift` by examination. */
  slope: Float64Array;
  /** Reward by examination in the slots that exploration drew. */
  drawnRate: number;
  /** [slates] The model's difference for what has no support. */
  unsupported: Float64Array;
};

/**
 * Item-position doubly robust estimate: the model's word for what each policy shows, and the weighted errors of the model where its items were shown,
 *
 *     V_i = sum_j e_j q(t_j) + sum_k w(a_k) (r_k - e_k q(a_k)),
 *
 * with w of logged-slate.ts (Dudík, Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011, with the weights of Li et al. 2018).
 * q is learnt from earlier slates only. So a draw is independent of the model that judges it, V_i has its expectation whatever q is worth, and the
 * differences from it are a martingale, which is what the betting interval asks for.
 */
export function pairedValues({ slates, rewardsOf, examination, maxReward, slots }: Input): PairedValues {
  const count = slates.length;
  const array = () => new Float64Array(count);
  const found: PairedValues = {
    candidate: array(),
    champion: array(),
    lift: array(),
    weighted: array(),
    weight: array(),
    logged: array(),
    bounds: { low: 0, high: 0 },
    scales: array(),
    fourths: array(),
    slope: new Float64Array(examination.length),
    drawnRate: 0,
    unsupported: array(),
  };
  const model = new ItemValues(maxReward / 20);
  const drawn = { reward: 0, examined: 0 };
  slates.forEach((weighed, index) => {
    const { slate } = weighed;
    const given = rewardsOf(slate);
    const rewards = Float64Array.from(slate.items, (_, slot) => Math.min(maxReward, given[slot] ?? 0));
    const q = new Map(weighed.wanted.map((one) => [one, Math.min(maxReward, model.of(one.item, slate))]));
    oneSlate({ found, index, weighed, q, rewards, examination, maxReward, slots });
    for (const slot of slate.exploredSlots) {
      drawn.reward += rewards[slot] ?? 0;
      drawn.examined += examination[slot] ?? 0;
    }
    model.learn(slate, { rewards, examination });
  });
  found.drawnRate = drawn.examined === 0 ? 0 : drawn.reward / drawn.examined;
  for (let slot = 0; slot < found.slope.length; slot += 1) found.slope[slot] = (found.slope[slot] as number) / Math.max(1, count);
  return found;
}

type One = {
  found: PairedValues;
  index: number;
  weighed: WeighedSlate;
  q: ReadonlyMap<WantedItem, number>;
  rewards: Float64Array;
} & Pick<Input, 'examination' | 'maxReward' | 'slots'>;

function oneSlate({ found, index, weighed, q, rewards, examination, maxReward, slots }: One): void {
  const { slate, wanted, shown } = weighed;
  const sums = { candidate: 0, champion: 0, lift: 0, weighted: 0, weight: 0, logged: 0, scale: 0, fourth: 0, unsupported: 0 };
  for (const one of wanted) {
    const worth = q.get(one) as number;
    const difference = worth * (one.examined.candidate - one.examined.champion);
    sums.candidate += worth * one.examined.candidate;
    sums.champion += worth * one.examined.champion;
    if (!one.supported) {
      sums.unsupported += difference;
      continue;
    }
    sums.lift += difference;
    const square = (one.weight.candidate - one.weight.champion) ** 2;
    sums.scale += square * one.reach;
    sums.fourth += square * square * one.reach;
    addDirectSlope(found.slope, { one, slate, worth });
  }
  const bounds = boundsOf({ weighed, q, maxReward, slots, direct: sums.lift });
  for (const [slot, one] of shown.entries()) {
    const [reward, examined] = [rewards[slot] as number, examination[slot] ?? 0];
    sums.logged += reward;
    if (one === null) continue;
    const worth = q.get(one) as number;
    const error = reward - examined * worth;
    sums.candidate += one.weight.candidate * error;
    sums.champion += one.weight.champion * error;
    sums.lift += (one.weight.candidate - one.weight.champion) * error;
    sums.weighted += one.weight.candidate * reward;
    sums.weight += one.weight.candidate * examined;
    if (one.supported) addWeightSlope(found.slope, { one, slate, slot, error, worth });
  }
  for (const key of ['candidate', 'champion', 'lift', 'weighted', 'weight', 'logged', 'unsupported'] as const) found[key][index] = sums[key];
  found.scales[index] = sums.scale * maxReward;
  found.fourths[index] = sums.fourth * maxReward ** 3;
  found.bounds = { low: Math.min(found.bounds.low, bounds.low), high: Math.max(found.bounds.high, bounds.high) };
}

type Slope = { one: WantedItem; slate: LoggedSlate; worth: number };

function addDirectSlope(slope: Float64Array, { one, slate, worth }: Slope): void {
  add(slope, slate.candidate.indexOf(one.item), worth);
  add(slope, slate.champion.indexOf(one.item), -worth);
}

/** d/de of (e_t - e_c) / (sum_k e_k pi_0(a, k)) (r - e_slot q). */
function addWeightSlope(slope: Float64Array, { one, slate, slot, error, worth }: Slope & { slot: number; error: number }): void {
  const { item, reach, examined, weight } = one;
  const difference = weight.candidate - weight.champion;
  add(slope, slate.candidate.indexOf(item), error / reach);
  add(slope, slate.champion.indexOf(item), -error / reach);
  add(slope, slot, -difference * worth);
  const other = ((examined.candidate - examined.champion) * error) / (reach * reach);
  if (other !== 0) for (let place = 0; place < slope.length; place += 1) add(slope, place, -other * slate.propensity(item, place));
}

function add(slope: Float64Array, place: number, value: number): void {
  if (place >= 0 && place < slope.length) slope[place] = (slope[place] as number) + value;
}

/** A slate holds its base and at most as many items of the pool as it has explored slots. */
function boundsOf({ weighed, q, maxReward, slots, direct }: Pick<One, 'weighed' | 'q' | 'maxReward' | 'slots'> & { direct: number }): {
  low: number;
  high: number;
} {
  const { slate, wanted } = weighed;
  const most = { base: 0, explored: [] as number[] };
  const least = { base: 0, explored: [] as number[] };
  for (const one of wanted) {
    const difference = one.weight.candidate - one.weight.champion;
    const worth = q.get(one) as number;
    const up = Math.max(difference * maxReward, -difference * worth);
    const down = Math.max(-difference * maxReward, difference * worth);
    if (slate.base.includes(one.item)) {
      most.base += up;
      least.base += down;
    } else {
      most.explored.push(up);
      least.explored.push(down);
    }
  }
  const total = ({ base, explored }: typeof most) =>
    base +
    explored
      .sort((a, b) => b - a)
      .slice(0, slots)
      .reduce((sum, one) => sum + one, 0);
  return { low: direct - total(least), high: direct + total(most) };
}
