import type { ChangeTable, Dimension, Measure } from '../experiments/attribution/leaves.ts';

/** A method that is given a table and names combinations: one [dimension, code] an attribute. */
export type Peer = (table: ChangeTable) => [dimension: number, code: number][][];

/** What a table says to a method: values, forecasts, and what each leaf brings to the whole's change. */
type View = { dimensions: readonly Dimension[]; actual: Float64Array; predicted: Float64Array; power: Float64Array };

export function viewOf({ dimensions, measure }: ChangeTable): View {
  if (measure.kind === 'sum') {
    const { actual, predicted } = measure;
    const change = total(actual) - total(predicted);
    return { dimensions, actual, predicted, power: actual.map((value, leaf) => (value - (predicted[leaf] as number)) / change) };
  }
  return { dimensions, ...ratioView(measure) };
}

/** Ratios as values; power as Adtributor has it for derived measures (Bhagwan et al. 2014, section 3.3), made to sum to 1. */
function ratioView(measure: Measure & { kind: 'ratio' }): Omit<View, 'dimensions'> {
  const { actualNumerator, actualDenominator, predictedNumerator, predictedDenominator } = measure;
  const over = (a: Float64Array, b: Float64Array) => a.map((value, leaf) => (b[leaf] === 0 ? 0 : value / (b[leaf] as number)));
  const [top, bottom] = [total(predictedNumerator), total(predictedDenominator)];
  const raw = actualNumerator.map((value, leaf) => {
    const extra = (actualDenominator[leaf] as number) - (predictedDenominator[leaf] as number);
    return ((value - (predictedNumerator[leaf] as number)) * bottom - extra * top) / (bottom * (bottom + extra));
  });
  const whole = total(raw);
  return { actual: over(actualNumerator, actualDenominator), predicted: over(predictedNumerator, predictedDenominator), power: raw.map((one) => one / whole) };
}

const total = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
};

/** All cuboids of so many dimensions, each with its combinations' leaves among those that are left. */
export function* cuboids(
  view: View,
  { layer, left }: { layer: number; left: readonly number[] },
): Generator<{ cuboid: number[]; groups: Map<number, number[]> }> {
  for (const cuboid of combinations(view.dimensions.length, layer)) {
    const groups = new Map<number, number[]>();
    for (const leaf of left) {
      const key = cuboid.reduce(
        (sum, at) => sum * (view.dimensions[at] as Dimension).values.length + ((view.dimensions[at] as Dimension).codes[leaf] as number),
        0,
      );
      const own = groups.get(key);
      if (own === undefined) groups.set(key, [leaf]);
      else own.push(leaf);
    }
    yield { cuboid, groups };
  }
}

function combinations(count: number, many: number): number[][] {
  const all = Array.from({ length: 2 ** count }, (_, set) => Array.from({ length: count }, (__, at) => at).filter((at) => (set >> at) % 2 === 1));
  return all.filter((set) => set.length === many);
}

export const attributesOf = (view: View, cuboid: readonly number[], leaf: number): [number, number][] =>
  cuboid.map((at) => [at, (view.dimensions[at] as Dimension).codes[leaf] as number]);

/** Li et al. 2019, equation 6, times 2. */
export const deviationScores = ({ actual, predicted }: View): Float64Array =>
  actual.map((v, leaf) => (v + (predicted[leaf] as number) === 0 ? 0 : (2 * ((predicted[leaf] as number) - v)) / ((predicted[leaf] as number) + v)));

/**
 * RiskLoc (Kalander 2022, "RiskLoc: Localization of Multi-dimensional Root Causes by Weighted Risk", algorithms 1 and 2), with the paper's thresholds: risk 0.5, 2 % of the
 * explanatory power, five outliers left out of the cut.
 */
export const riskLoc: Peer = (table) => {
  const view = viewOf(table);
  const deviation = deviationScores(view);
  const cut = cutOf(deviation);
  const isRight = cut > 0 || Object.is(cut, 0);
  const isAbnormal = deviation.map((one) => Number(isRight ? one > cut : one < cut));
  const weight = deviation.map((one, leaf) => {
    if (isAbnormal[leaf] === 1) return Math.min(1, Math.abs(one));
    return view.actual[leaf] === 0 && view.predicted[leaf] === 0 ? 0 : Math.min(1, Math.abs(cut - one));
  });
  let left = Array.from(view.actual.keys());
  const abnormalPower = () => left.reduce((sum, leaf) => sum + (isAbnormal[leaf] as number) * (view.power[leaf] as number), 0);
  if (abnormalPower() < 0) view.power = view.power.map((one) => -one);
  const least = 0.02 * abnormalPower();
  const found: [number, number][][] = [];
  while (abnormalPower() >= least) {
    const best = riskiest(view, { left, isAbnormal, weight, deviation, least });
    if (best === undefined) break;
    found.push(best.attributes);
    const gone = new Set(best.leaves);
    left = left.filter((leaf) => !gone.has(leaf));
  }
  return found;
};

function cutOf(deviation: Float64Array): number {
  const distinct = [...new Set(deviation)].sort((a, b) => a - b);
  const [low, high] = [distinct[Math.min(5, distinct.length - 1)] as number, distinct[Math.max(distinct.length - 6, 0)] as number];
  return Math.abs(low) <= Math.abs(high) ? -low : -high;
}

type Search = { left: readonly number[]; isAbnormal: Float64Array; weight: Float64Array; deviation: Float64Array; least: number };

/** In the first layer that has one: the combination of most power among each cuboid's first that are risky. */
function riskiest(view: View, { left, isAbnormal, weight, deviation, least }: Search): { attributes: [number, number][]; leaves: number[] } | undefined {
  for (let layer = 1; layer <= view.dimensions.length; layer += 1) {
    let best: { attributes: [number, number][]; leaves: number[]; power: number } | undefined;
    for (const { cuboid, groups } of cuboids(view, { layer, left })) {
      const candidates = [...groups.values()]
        .map((leaves) => ({ leaves, power: leaves.reduce((sum, leaf) => sum + (view.power[leaf] as number), 0) }))
        .filter(({ leaves, power }) => power > (best?.power ?? least) && leaves.some((leaf) => isAbnormal[leaf] === 1))
        .sort((a, b) => b.power - a.power);
      const first = candidates.find(({ leaves }) => riskOf(view, { leaves, isAbnormal, weight, deviation }) >= 0.5);
      if (first !== undefined) best = { ...first, attributes: attributesOf(view, cuboid, first.leaves[0] as number) };
    }
    if (best !== undefined) return best;
  }
  return undefined;
}

function riskOf(
  { actual, predicted }: View,
  { leaves, isAbnormal, weight, deviation }: Omit<Search, 'left' | 'least'> & { leaves: readonly number[] },
): number {
  const weightOf = (kind: number) => leaves.reduce((sum, leaf) => sum + (isAbnormal[leaf] === kind ? (weight[leaf] as number) : 0), 0);
  const abnormal = weightOf(1);
  const high = abnormal / (abnormal + weightOf(0) + 1);
  const known = leaves.filter((leaf) => actual[leaf] !== 0 && predicted[leaf] !== 0);
  const sumOf = (values: Float64Array) => known.reduce((sum, leaf) => sum + (values[leaf] as number), 0);
  const ratio = sumOf(actual) / sumOf(predicted);
  const rippled = known.map((leaf) =>
    Math.abs((2 * ((predicted[leaf] as number) * ratio - (actual[leaf] as number))) / ((predicted[leaf] as number) * ratio + (actual[leaf] as number))),
  );
  const own = known.map((leaf) => Math.abs(deviation[leaf] as number));
  return high - (total(own) === 0 ? 0 : total(rippled) / total(own));
}
