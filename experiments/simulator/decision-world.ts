import { UnderstudyError } from '../../models/contracts/problem.ts';
import { createRandom } from '../../models/random.ts';
import { normals } from './normals.ts';

/** What is drawn, and how; every share and factor is exact, so that values are known and not sampled. */
export type DecisionWorldSettings = {
  /** Rows of the log, in the order of time. */
  rows: number;
  /** Mean reward a row under the logging policy. */
  rate: number;
  /** Softmax temperature of the logging policy over what it believes items to be worth: Infinity is uniform, .2 nearly deterministic. */
  temperature: number;
  /** Total variation between logging and target policy, averaged over contexts. */
  distance: number;
  /** The target's value over the logging policy's, less 1. */
  lift: number;
  /** Standard deviation of the logarithm of the reward model's error, an error for each segment and item; null: no model; same-log: an item's mean in the log. */
  modelError: number | null | 'same-log';
  /** Rows of a user, geometric with this mean; with 1 there are no clusters. */
  rowsPerUser?: number;
  /** A share of users who engage so many times as often; the others make the mean 1. */
  keen?: { share: number; factor: number };
  items?: number;
  /** Exponent of the items' popularity (Zipf). */
  zipf?: number;
  /** Users are of one of these, each with tastes of its own. */
  segmentShares?: readonly number[];
  /** Position bias: how likely each slot is looked at. A row's slot is drawn, each as likely. */
  examination?: readonly number[];
  /** Worth and beliefs of items move by this much (standard deviation of the logarithm) from the first to the last of four periods. */
  drift?: number;
  /** A reward comes after an exponential time, and counts within the window; both as parts of the log's length. `counted: 'all'` takes rows whose window is still open too. */
  delay?: { mean: number; window: number; counted: 'ripe' | 'all' };
  /** What a reward is worth, each amount with its probability, 1 on average; 1 where absent. */
  amounts?: readonly { amount: number; probability: number }[];
  /** So many items of those that the target likes best are never logged. */
  neverLogged?: number;
  /** The recorded propensities are those of another temperature. */
  recordedTemperature?: number;
  /** Of the world itself, not of the draws. */
  seed?: number;
};

/** Tables by context (period and segment) and item, and the values that follow from them. */
export type DecisionWorld = {
  settings: DecisionWorldSettings;
  items: number;
  contexts: number;
  segments: number;
  periods: number;
  segmentShares: readonly number[];
  examination: readonly number[];
  amounts: readonly { amount: number; probability: number }[];
  keen: { share: number; factor: number };
  /** [contexts * items] */
  logging: Float64Array;
  recorded: Float64Array;
  target: Float64Array;
  /** [contexts * items] Mean reward of an examined item. */
  worth: Float64Array;
  predicted: Float64Array | null;
  /** Rows that are in the log: all, or those whose reward is known. */
  logged: number;
  truth: {
    target: number;
    logging: number;
    lift: number;
    /** Expected Kish effective sample size over rows, 1 / E[w^2]. */
    essShare: number;
    maxWeight: number;
    /** The target's mass on what is never logged. */
    unsupportedMass: number;
  };
};

const periods = 4;

/**
 * A world of single decisions. In each context an item is drawn from the logging policy, softmax(belief / temperature); the target is a mixture
 * (1 - m) logging + m other, `other` a softmax over beliefs of its own, tilted by what items are worth until the target's value is what the settings ask for,
 * and m so that the distance is. A reward has the probability examination x worth x the user's own factor.
 *
 * @throws UND-INPUT where no policy at that distance has that value, or a probability would be above 1
 */
export function makeDecisionWorld(settings: DecisionWorldSettings): DecisionWorld {
  const {
    items = 20,
    zipf = 1,
    segmentShares = [0.5, 0.3, 0.2],
    examination = [1, 0.7, 0.5],
    keen = { share: 0.1, factor: settings.rowsPerUser === undefined ? 1 : 3 },
    amounts = [{ amount: 1, probability: 1 }],
    drift = 0,
    neverLogged = 0,
    seed = 1,
  } = settings;
  const segments = segmentShares.length;
  const contexts = periods * segments;
  const noise = normals(createRandom(seed));
  const { belief, otherBelief, logWorth } = drawBeliefs({ items, segments, zipf, drift, noise });
  const shape = { contexts, items };
  const logging = softmax(belief, { ...shape, temperature: settings.temperature, without: favourites(otherBelief, { ...shape, count: neverLogged }) });
  const logged = settings.delay?.counted === 'ripe' ? Math.floor(settings.rows * (1 - settings.delay.window)) : settings.rows;
  const shares = contextShares({ rows: settings.rows, logged, segmentShares });
  const meanExamination = examination.reduce((sum, one) => sum + one, 0) / examination.length;
  const worth = scaledWorth(logWorth, (one) => expectationOf(logging, one, { ...shape, shares }) * meanExamination - settings.rate);
  const target = targetPolicy({ logging, otherBelief, worth, shape, shares, settings });
  const meanAmount = amounts.reduce((sum, one) => sum + one.amount * one.probability, 0);
  const others = (1 - keen.share * keen.factor) / (1 - keen.share);
  const likeliest = worth.reduce((most, one) => Math.max(most, one), 0) * Math.max(keen.factor, others) * Math.max(...examination);
  if (likeliest > 1 || others < 0 || Math.abs(meanAmount - 1) > 1e-9)
    throw new UnderstudyError('UND-INPUT', `A reward would have the probability ${likeliest.toFixed(3)} and the mean amount ${meanAmount.toFixed(3)}`);
  const { modelError } = settings;
  const errors = Float64Array.from({ length: segments * items }, () => noise());
  const predicted =
    typeof modelError === 'number'
      ? worth.map((one, place) => one * Math.exp(modelError * (errors[place % (segments * items)] as number) - modelError ** 2 / 2))
      : null;
  const recorded =
    settings.recordedTemperature === undefined ? logging : softmax(belief, { ...shape, temperature: settings.recordedTemperature, without: null });
  return {
    settings,
    ...{ items, contexts, segments, periods, segmentShares, examination, amounts, keen, logging, recorded, target, worth, predicted, logged },
    truth: truthOf({ logging, target, worth, meanExamination, weighted: { ...shape, shares } }),
  };
}

type BeliefsInput = { items: number; segments: number; zipf: number; drift: number; noise: () => number };

/** [contexts * items] What the logging policy, the other one and the truth have for each item, as logarithms. */
function drawBeliefs({ items, segments, zipf, drift, noise }: BeliefsInput) {
  const contexts = periods * segments;
  const table = () => new Float64Array(contexts * items);
  const [belief, otherBelief, logWorth] = [table(), table(), table()];
  const bySegment = Array.from({ length: segments * items }, () => ({ taste: noise(), believed: noise(), other: noise(), trend: noise() }));
  for (let context = 0; context < contexts; context += 1) {
    const moved = (drift * Math.floor(context / segments)) / (periods - 1);
    for (let item = 0; item < items; item += 1) {
      const { taste, believed, other, trend } = bySegment[(context % segments) * items + item] as (typeof bySegment)[number];
      const place = context * items + item;
      const popularity = -zipf * Math.log(item + 1);
      logWorth[place] = 0.3 * popularity + 0.5 * taste + moved * trend;
      belief[place] = popularity + 0.5 * believed + moved * trend;
      otherBelief[place] = popularity + other;
    }
  }
  return { belief, otherBelief, logWorth };
}

type TruthInput = { logging: Float64Array; target: Float64Array; worth: Float64Array; meanExamination: number; weighted: Weighted };

function truthOf({ logging, target, worth, meanExamination, weighted }: TruthInput): DecisionWorld['truth'] {
  const earned = (policy: Float64Array) => expectationOf(policy, worth, weighted) * meanExamination;
  const weights = target.map((one, place) => (logging[place] === 0 ? 0 : one / (logging[place] as number)));
  const squares = weights.map((one) => one * one);
  const unseen = logging.map((one) => (one === 0 ? 1 : 0));
  return {
    target: earned(target),
    logging: earned(logging),
    lift: earned(target) - earned(logging),
    essShare: 1 / expectationOf(logging, squares, weighted),
    maxWeight: weights.reduce((most, one) => Math.max(most, one), 0),
    unsupportedMass: expectationOf(target, unseen, weighted),
  };
}

/** Probabilities whose log odds differ as the worths do, moved together until the excess is none. */
function scaledWorth(logWorth: Float64Array, excess: (worth: Float64Array) => number): Float64Array {
  const at = (move: number) => logWorth.map((one) => 1 / (1 + Math.exp(-one - move)));
  let [low, high] = [-30, 30];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (excess(at(middle)) < 0) low = middle;
    else high = middle;
  }
  return at(high);
}

type Shape = { contexts: number; items: number };

function softmax(beliefs: Float64Array, { contexts, items, temperature, without }: Shape & { temperature: number; without: Uint8Array | null }): Float64Array {
  const policy = new Float64Array(beliefs.length);
  for (let context = 0; context < contexts; context += 1) {
    const from = context * items;
    const isOut = (place: number) => without !== null && without[place] === 1;
    let most = Number.NEGATIVE_INFINITY;
    for (let place = from; place < from + items; place += 1) if (!isOut(place)) most = Math.max(most, beliefs[place] as number);
    let total = 0;
    for (let place = from; place < from + items; place += 1) {
      policy[place] = isOut(place) ? 0 : Math.exp(((beliefs[place] as number) - most) / temperature);
      total += policy[place] as number;
    }
    for (let place = from; place < from + items; place += 1) policy[place] = (policy[place] as number) / total;
  }
  return policy;
}

/** Marks of the items that are liked best. */
function favourites(beliefs: Float64Array, { contexts, items, count }: Shape & { count: number }): Uint8Array | null {
  if (count === 0) return null;
  const out = new Uint8Array(beliefs.length);
  for (let context = 0; context < contexts; context += 1) {
    const own = Array.from({ length: items }, (_, item) => context * items + item).sort((a, b) => (beliefs[b] as number) - (beliefs[a] as number));
    for (const place of own.slice(0, count)) out[place] = 1;
  }
  return out;
}

/** Part of the log's rows that each context has in expectation: a period by its rows, a segment by its share. */
function contextShares({ rows, logged, segmentShares }: { rows: number; logged: number; segmentShares: readonly number[] }): Float64Array {
  const inPeriod = new Float64Array(periods);
  for (let row = 0; row < logged; row += 1) {
    const period = Math.floor((row * periods) / rows);
    inPeriod[period] = (inPeriod[period] as number) + 1 / logged;
  }
  return Float64Array.from(
    { length: periods * segmentShares.length },
    (_, context) => (inPeriod[Math.floor(context / segmentShares.length)] as number) * (segmentShares[context % segmentShares.length] as number),
  );
}

type Weighted = Shape & { shares: Float64Array };

/** Mean over contexts of the policy's expectation. */
function expectationOf(policy: Float64Array, worth: Float64Array, { contexts, items, shares }: Weighted): number {
  let value = 0;
  for (let context = 0; context < contexts; context += 1) {
    let own = 0;
    for (let place = context * items; place < (context + 1) * items; place += 1) own += (policy[place] as number) * (worth[place] as number);
    value += own * (shares[context] as number);
  }
  return value;
}

function totalVariation(one: Float64Array, other: Float64Array, weighted: Weighted): number {
  const ones = new Float64Array(one.length).fill(1);
  return expectationOf(
    one.map((value, place) => Math.abs(value - (other[place] as number)) / 2),
    ones,
    weighted,
  );
}

type TargetInput = {
  logging: Float64Array;
  otherBelief: Float64Array;
  worth: Float64Array;
  shape: Shape;
  shares: Float64Array;
  settings: DecisionWorldSettings;
};

function targetPolicy({ logging, otherBelief, worth, shape, shares, settings: { distance, lift } }: TargetInput): Float64Array {
  if (distance === 0) return logging;
  const weighted = { ...shape, shares };
  const wanted = (1 + lift) * expectationOf(logging, worth, weighted);
  const logWorth = worth.map(Math.log);
  const tilted = (tilt: number): { policy: Float64Array; excess: number } | null => {
    const beliefs = otherBelief.map((one, place) => one + tilt * (logWorth[place] as number));
    const other = softmax(beliefs, { ...shape, temperature: 0.5, without: null });
    const part = distance / totalVariation(other, logging, weighted);
    if (part > 1) return null;
    const policy = logging.map((one, place) => (1 - part) * one + part * (other[place] as number));
    return { policy, excess: expectationOf(policy, worth, weighted) - wanted };
  };
  // The tilt nearest to none between two of which one earns too little and the other too much.
  const steps = Array.from({ length: 65 }, (_, step) => (step - 32) / 4);
  const pairs = steps.slice(1).map((to, place) => ({ from: steps[place] as number, to }));
  const crossing = pairs
    .filter(({ from, to }) => (tilted(from)?.excess ?? Number.NaN) <= 0 && (tilted(to)?.excess ?? Number.NaN) >= 0)
    .sort((a, b) => Math.abs(a.to) - Math.abs(b.to))[0];
  if (crossing === undefined) throw new UnderstudyError('UND-INPUT', `No target policy at the distance ${distance} has a lift of ${lift}`);
  let [low, high] = [crossing.from, crossing.to];
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2;
    if ((tilted(middle)?.excess ?? 0) < 0) low = middle;
    else high = middle;
  }
  return tilted(high)?.policy ?? logging;
}
