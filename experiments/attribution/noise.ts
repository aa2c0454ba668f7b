import type { Deviations } from './deviations.ts';

/**
 * How far leaves are off that no cause has touched: a Student's t of `freedom` degrees around `centre`, whose squared scale falls with a leaf's size
 * as `relative` + `counts` / size. The first is an error of the forecast in proportion, the second that of counting.
 */
export type Noise = { relative: number; counts: number; freedom: number; centre: number };

/** Below it nothing is told from rounding. */
const leastScale = 1e-5;
/** Less than half of the leaves may have been changed by one cause. */
const shorthShare = 0.4;
/** Of a normal distribution, 40 % lie within ± this. */
const shorthNormal = 0.5244;

/**
 * Fits the noise to the leaves around their mode, so that causes, which sit elsewhere, have no say. Where leaves differ by nothing but a few exact
 * ratios, there is no noise.
 */
export function fitNoise({ deviation, size }: Omit<Deviations, 'leaf'>): Noise {
  const count = deviation.length;
  const sorted = deviation.toSorted();
  const tied = largestTie(sorted);
  if (count === 0 || tied.isExact) return { relative: leastScale ** 2, counts: 0, freedom: 8, centre: tied.value };
  const { relative, counts } = fitScale({ deviation, size });
  const scaleOf = (at: number) => Math.sqrt(relative + counts / (size[at] as number));
  const centre = modeOf(sorted);
  const { scale, freedom } = fitTail({ deviation, centre, scaleOf });
  const grown = (scale * (1 + 2 / count)) ** 2;
  return { relative: Math.max(relative * grown, leastScale ** 2), counts: counts * grown, freedom, centre };
}

/** The deviation that most leaves have to nine digits. Exact is what 40 % share, or what three share with 90 %: new and vanished leaves are of no account, for those are counts. */
function largestTie(sorted: Float64Array): { value: number; isExact: boolean } {
  const runs: { value: number; count: number }[] = [];
  for (const value of sorted) {
    const last = runs.at(-1);
    if (last !== undefined && value - last.value < 1e-9) last.count += 1;
    else runs.push({ value, count: 1 });
  }
  const inside = runs.filter(({ value }) => Math.abs(value) < 2 - 1e-9).sort((a, b) => b.count - a.count || Math.abs(a.value) - Math.abs(b.value));
  const share = (places: number) => inside.slice(0, places).reduce((sum, run) => sum + run.count, 0) / sorted.length;
  const isExact = (sorted.length > 1 && share(1) >= 0.4 && (inside[0]?.count ?? 0) > 1) || (sorted.length >= 20 && share(3) >= 0.9);
  return { value: inside[0]?.value ?? 0, isExact };
}

/** Scale of each of up to 16 groups of leaves of like size, and the pair of coefficients that comes nearest to them in logarithms. */
function fitScale({ deviation, size }: Omit<Deviations, 'leaf'>): { relative: number; counts: number } {
  const order = Int32Array.from(size.keys()).sort((a, b) => (size[a] as number) - (size[b] as number));
  const groups = Math.max(1, Math.min(16, Math.floor(order.length / 150)));
  const found = Array.from({ length: groups }, (_, group) => {
    const own = order.subarray(Math.floor((group * order.length) / groups), Math.floor(((group + 1) * order.length) / groups));
    return { size: size[own[own.length >> 1] as number] as number, squared: squaredScale({ deviation, own }) };
  }).filter(({ squared }) => squared > 0);
  if (found.length === 0) return { relative: leastScale ** 2, counts: 0 };
  const middle = found[found.length >> 1]?.size as number;
  // From proportional alone to counting alone.
  const steps = found.length < 3 ? [0] : [0, ...Array.from({ length: 41 }, (_, step) => middle * 10 ** ((step - 20) / 5))];
  let best = { error: Number.POSITIVE_INFINITY, relative: 0, counts: 0 };
  for (const ratio of steps) {
    const logs = found.map((one) => Math.log(one.squared) - Math.log(1 + ratio / one.size));
    const level = medianOf(logs);
    const error = logs.reduce((sum, log) => sum + Math.abs(log - level), 0);
    if (error < best.error * 0.97) best = { error, relative: Math.exp(level), counts: Math.exp(level) * ratio };
  }
  return best;
}

function squaredScale({ deviation, own }: { deviation: Float64Array; own: Int32Array }): number {
  const sorted = Float64Array.from(own, (at) => deviation[at] as number).sort();
  // Ties of counts: the shortest interval must hold more than those.
  for (const share of [shorthShare, 0.6, 0.8]) {
    const { width } = shortest(sorted, share);
    if (width > 1e-9) return (share === shorthShare ? width / 2 / shorthNormal : width / 2 / (share === 0.6 ? 0.8416 : 1.2816)) ** 2;
  }
  return sorted.reduce((sum, one) => sum + one * one, 0) / sorted.length;
}

/** The shortest interval that holds so large a share. */
function shortest(sorted: Float64Array, share: number): { from: number; width: number } {
  const held = Math.min(sorted.length, Math.max(2, Math.ceil(share * sorted.length)));
  let best = { from: 0, width: Number.POSITIVE_INFINITY };
  for (let from = 0; from + held <= sorted.length; from += 1) {
    const width = (sorted[from + held - 1] as number) - (sorted[from] as number);
    // Of equals the one nearest to nothing.
    if (width < best.width || (width === best.width && Math.abs(sorted[from] as number) < Math.abs(sorted[best.from] as number))) best = { from, width };
  }
  return best.width === Number.POSITIVE_INFINITY ? { from: 0, width: 0 } : best;
}

/** Half-sample mode (Bickel and Frühwirth 2006), down to a tenth of the leaves: the middle of those. */
function modeOf(sorted: Float64Array): number {
  const { from } = shortest(sorted, shorthShare);
  const held = sorted.subarray(from, from + Math.max(2, Math.ceil(shorthShare * sorted.length)));
  return held[held.length >> 1] ?? 0;
}

/** Two-sided 95 % quantile of Student's t over its 50 % one. */
const tailRatios: readonly (readonly [freedom: number, ratio: number])[] = [
  [2, 5.27],
  [3, 4.16],
  [4, 3.75],
  [6, 3.41],
  [8, 3.266],
  [12, 3.134],
  [30, 2.99],
];
/** Median of |t|. */
const medians = new Map([
  [2, 0.8165],
  [3, 0.7649],
  [4, 0.7407],
  [6, 0.7176],
  [8, 0.7064],
  [12, 0.6955],
  [30, 0.6828],
]);

/** From the side of the mode with the lighter tail: causes make the other one heavier. */
function fitTail({ deviation, centre, scaleOf }: { deviation: Float64Array; centre: number; scaleOf: (at: number) => number }): {
  scale: number;
  freedom: number;
} {
  const sides: [number[], number[]] = [[], []];
  for (const [at, value] of deviation.entries()) sides[value < centre ? 0 : 1].push(Math.abs(value - centre) / scaleOf(at));
  const fits = sides.flatMap((side) => {
    if (side.length < 60) return [];
    const sorted = Float64Array.from(side).sort();
    const [middle, far] = [sorted[Math.floor(0.5 * sorted.length)] as number, sorted[Math.floor(0.95 * sorted.length)] as number];
    return middle > 0 ? [{ middle, ratio: far / middle }] : [];
  });
  const lighter = fits.toSorted((a, b) => a.ratio * a.middle - b.ratio * b.middle)[0];
  // Too few leaves to tell.
  if (lighter === undefined) return { scale: 1, freedom: 8 };
  const freedom = tailRatios.find(([, ratio]) => lighter.ratio >= ratio)?.[0] ?? 30;
  return { scale: Math.max(lighter.middle / (medians.get(freedom) as number), 0.5), freedom };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
