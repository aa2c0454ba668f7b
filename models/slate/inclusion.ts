/** Items that are drawn with the same weight, counted instead of listed. */
export type WeightGroup = { weight: number; count: number };

/**
 * Probability that an item is among the first `draws` of a Plackett-Luce draw without replacement.
 *
 * The draw is a race (Gumbel / exponential clocks: Yellott 1977): item j arrives at T_j ~ Exp(w_j), the first `draws` arrivals are the sample. So
 * P(i in sample) = integral over u in (0, 1) of P(at most draws - 1 others have arrived by t), with u = e^(-w_i t). By t, item j has arrived
 * with probability 1 - e^(-w_j t), independently; the count's distribution is built forwards and backwards once a node, so that "all others" is
 * the product of what stands before and after. Gauss-Legendre after the substitution t = x / (1 - x).
 *
 * @param weights > 0, any scale
 * @param floor items of one small common weight besides
 * @returns inclusion probability of each listed item, and of one floor item (0 where there are none); they sum to `draws`
 */
export function inclusionProbabilities({ weights, floor, draws }: { weights: readonly number[]; floor: WeightGroup; draws: number }): {
  listed: Float64Array;
  floor: number;
} {
  const total = weights.reduce((sum, weight) => sum + weight, 0) + floor.weight * floor.count;
  const size = weights.length + (floor.weight > 0 ? floor.count : 0);
  if (draws >= size) return { listed: new Float64Array(weights.length).fill(1), floor: floor.count > 0 && floor.weight > 0 ? 1 : 0 };
  if (draws === 1) return { listed: Float64Array.from(weights, (weight) => weight / total), floor: floor.count > 0 ? floor.weight / total : 0 };

  const listed = new Float64Array(weights.length);
  let floorOne = 0;
  const scaled = weights.map((weight) => weight / total);
  const floorWeight = floor.weight / total;
  for (const { time, measure } of raceNodes) {
    const others = arrivalsWithoutEach({ weights: scaled, floorWeight, floorCount: floor.count, time, draws });
    for (let item = 0; item < listed.length; item += 1) {
      const weight = scaled[item] as number;
      listed[item] = (listed[item] as number) + measure * weight * Math.exp(-weight * time) * (others.listed[item] as number);
    }
    floorOne += measure * floorWeight * Math.exp(-floorWeight * time) * others.floor;
  }
  return { listed, floor: floorOne };
}

type RaceState = { weights: readonly number[]; floorWeight: number; floorCount: number; time: number; draws: number };

/** For each item: the probability that at most draws - 1 of the others have arrived by `time`. */
function arrivalsWithoutEach({ weights, floorWeight, floorCount, time, draws }: RaceState): { listed: Float64Array; floor: number } {
  const arrived = weights.map((weight) => -Math.expm1(-weight * time));
  const floorArrived = -Math.expm1(-floorWeight * time);
  const behind: Float64Array[] = [binomial(floorCount, floorArrived, draws)];
  for (let item = weights.length - 1; item >= 0; item -= 1) behind.push(withOneMore(behind.at(-1) as Float64Array, arrived[item] as number));
  const listed = new Float64Array(weights.length);
  let before = new Float64Array(draws);
  before[0] = 1;
  for (let item = 0; item < weights.length; item += 1) {
    listed[item] = atMostTogether(before, behind[weights.length - 1 - item] as Float64Array);
    before = withOneMore(before, arrived[item] as number);
  }
  return { listed, floor: floorCount > 0 ? atMostTogether(before, binomial(floorCount - 1, floorArrived, draws)) : 0 };
}

/** P(count = 0 .. draws - 1) after one more item that has arrived with this probability. */
function withOneMore(counts: Float64Array, probability: number): Float64Array<ArrayBuffer> {
  const next = new Float64Array(counts.length);
  for (let count = 0; count < counts.length; count += 1)
    next[count] = (counts[count] as number) * (1 - probability) + (count > 0 ? (counts[count - 1] as number) * probability : 0);
  return next;
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
  let sum = 0;
  let cumulated = 0;
  for (let count = 0; count < a.length; count += 1) {
    cumulated += b[count] as number;
    sum += cumulated * (a[a.length - 1 - count] as number);
  }
  return sum;
}

/** Nodes in time (weights add up to 1, so times of interest lie around `draws`) and their measures. */
const raceNodes = gaussLegendre(96).map(({ x, weight }) => {
  // s in (0, 1); t = (s / (1 - s))^2 spreads nodes over the many scales of time that small and large weights have.
  const s = (x + 1) / 2;
  const root = s / (1 - s);
  return { time: root * root, measure: (weight / 2) * ((2 * root) / ((1 - s) * (1 - s))) };
});

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
