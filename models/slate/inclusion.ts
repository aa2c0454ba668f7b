/** Items that are drawn with the same weight, counted instead of listed. */
export type WeightGroup = { weight: number; count: number };

/**
 * Probability that an item is among the first `draws` of a Plackett-Luce draw without replacement.
 *
 * The draw is a race (Gumbel / exponential clocks: Yellott 1977): item j arrives at T_j ~ Exp(w_j), the first `draws` arrivals are the sample. So
 * P(i in sample) = integral over u in (0, 1) of P(at most draws - 1 others have arrived by t), with u = e^(-w_i t). By t, item j has arrived
 * with probability 1 - e^(-w_j t), independently; the count's distribution is built forwards and backwards once a node, so that "all others" is
 * the product of what stands before and after. Gauss-Legendre after the substitution t = x / (1 - x). Items that are not asked for enter the
 * product once a node and no more.
 *
 * @param weights > 0, any scale
 * @param floor items of one small common weight besides
 * @param wanted indexes of the items to answer for, ascending; all where it is left out
 * @returns inclusion probability of each wanted item, and of one floor item (0 where there are none); they sum to `draws`
 */
export function inclusionProbabilities({ weights, floor, draws, wanted }: InclusionInput): { listed: Float64Array; floor: number } {
  const indexes = wanted ?? weights.map((_, index) => index);
  const total = weights.reduce((sum, weight) => sum + weight, 0) + floor.weight * floor.count;
  const hasFloor = floor.count > 0 && floor.weight > 0;
  const size = weights.length + (hasFloor ? floor.count : 0);
  const listed = new Float64Array(indexes.length);
  if (draws === 0) return { listed, floor: 0 };
  if (draws >= size) return { listed: listed.fill(1), floor: hasFloor ? 1 : 0 };
  if (draws === 1) return { listed: Float64Array.from(indexes, (index) => (weights[index] as number) / total), floor: hasFloor ? floor.weight / total : 0 };

  let floorOne = 0;
  const floorWeight = floor.weight / total;
  const asked = new Set(indexes);
  const race = {
    own: Float64Array.from(indexes, (index) => (weights[index] as number) / total),
    others: Float64Array.from(
      weights.filter((_, index) => !asked.has(index)),
      (weight) => weight / total,
    ),
    floorWeight,
    floorCount: floor.count,
    draws,
    behind: new Float64Array((indexes.length + 1) * draws),
    without: new Float64Array(indexes.length),
  };
  for (const { time, measure } of raceNodes) {
    const floorWithout = arrivalsWithoutEach(race, time);
    // So late that others have all places: later nodes have nothing more.
    if (floorWithout === null) break;
    for (let item = 0; item < listed.length; item += 1) {
      const weight = race.own[item] as number;
      listed[item] = (listed[item] as number) + measure * weight * Math.exp(-weight * time) * (race.without[item] as number);
    }
    floorOne += measure * floorWeight * Math.exp(-floorWeight * time) * floorWithout;
  }
  return { listed, floor: floorOne };
}

type InclusionInput = { weights: readonly number[]; floor: WeightGroup; draws: number; wanted?: readonly number[] };
type Race = {
  /** Shares of the items that are asked for, and of the others. */
  own: Float64Array;
  others: Float64Array;
  floorWeight: number;
  floorCount: number;
  draws: number;
  /** Room for one distribution behind each own item and one more. */
  behind: Float64Array;
  /** Result: for each own item, the probability that at most draws - 1 of all others have arrived. */
  without: Float64Array;
};

/** Below this a node adds nothing to a probability that is kept to twelve decimals. */
const negligible = 1e-30;

/** Fills `without`. @returns the same for one floor item, null when none of them is worth counting. */
function arrivalsWithoutEach({ own, others, floorWeight, floorCount, draws, behind, without }: Race, time: number): number | null {
  const floorArrived = -Math.expm1(-floorWeight * time);
  const shared = new Float64Array(draws);
  shared[0] = 1;
  for (let item = 0; item < others.length; item += 1) {
    addArrival(shared, -Math.expm1(-(others[item] as number) * time));
    if (item % 16 === 15 && sum(shared) < negligible) return null;
  }
  const count = own.length;
  behind.set(binomial(floorCount, floorArrived, draws), count * draws);
  for (let item = count - 1; item >= 0; item -= 1) {
    behind.copyWithin(item * draws, (item + 1) * draws, (item + 2) * draws);
    addArrival(behind.subarray(item * draws, (item + 1) * draws), -Math.expm1(-(own[item] as number) * time));
  }
  for (let item = 0; item < count; item += 1) {
    without[item] = atMostTogether(shared, behind.subarray((item + 1) * draws, (item + 2) * draws));
    addArrival(shared, -Math.expm1(-(own[item] as number) * time));
  }
  return floorCount > 0 ? atMostTogether(shared, binomial(floorCount - 1, floorArrived, draws)) : 0;
}

/** P(count = 0 .. draws - 1) with one more item that has arrived with this probability, in place. */
function addArrival(counts: Float64Array, probability: number): void {
  for (let count = counts.length - 1; count > 0; count -= 1)
    counts[count] = (counts[count] as number) * (1 - probability) + (counts[count - 1] as number) * probability;
  counts[0] = (counts[0] as number) * (1 - probability);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function binomial(trials: number, probability: number, draws: number): Float64Array {
  const counts = new Float64Array(draws);
  if (trials === 0 || probability === 0) {
    counts[0] = 1;
    return counts;
  }
  // All have arrived but for rounding: then the count is `trials`.
  if (probability === 1) {
    if (trials < draws) counts[trials] = 1;
    return counts;
  }
  let logMass = trials * Math.log1p(-probability);
  const logOdds = Math.log(probability) - Math.log1p(-probability);
  for (let count = 0; count < draws && count <= trials; count += 1) {
    counts[count] = Math.exp(logMass);
    logMass += Math.log(trials - count) - Math.log(count + 1) + logOdds;
  }
  return counts;
}

/** P(a + b <= draws - 1) of two independent counts. */
function atMostTogether(a: Float64Array, b: Float64Array): number {
  let together = 0;
  let cumulated = 0;
  for (let count = 0; count < a.length; count += 1) {
    cumulated += b[count] as number;
    together += cumulated * (a[a.length - 1 - count] as number);
  }
  return together;
}

/** Nodes in time, earliest first (weights add up to 1, so times of interest lie around `draws`) and their measures. */
const raceNodes = gaussLegendre(96)
  .map(({ x, weight }) => {
    // s in (0, 1); t = (s / (1 - s))^2 spreads nodes over the many scales of time that small and large weights have.
    const s = (x + 1) / 2;
    const root = s / (1 - s);
    return { time: root * root, measure: (weight / 2) * ((2 * root) / ((1 - s) * (1 - s))) };
  })
  .sort((a, b) => a.time - b.time);

/** Nodes and weights on (-1, 1), by Newton's method on the Legendre polynomial (Press et al., Numerical Recipes, 4.6). */
function gaussLegendre(order: number): { x: number; weight: number }[] {
  return Array.from({ length: order }, (_, index) => {
    let x = Math.cos((Math.PI * (index + 0.75)) / (order + 0.5));
    let slope = 1;
    for (let iteration = 0; iteration < 100; iteration += 1) {
      let current = 1;
      let previous = 0;
      for (let degree = 0; degree < order; degree += 1) [current, previous] = [((2 * degree + 1) * x * current - degree * previous) / (degree + 1), current];
      slope = (order * (x * current - previous)) / (x * x - 1);
      const step = current / slope;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    return { x, weight: 2 / ((1 - x * x) * slope * slope) };
  });
}
