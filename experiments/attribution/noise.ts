import { normalQuantile } from '../normal.ts';
import type { Deviations } from './deviations.ts';

/**
 * How far leaves are off that no cause has touched: Student's t of `freedom` degrees around 0, whose squared scale falls with a leaf's size as
 * `relative` + `counts` / size. The first is an error of the forecast in proportion, the second that of counting.
 */
export type Noise = { relative: number; counts: number; freedom: number };

type Shape = Pick<Deviations, 'deviation' | 'counted'>;

/** Below it nothing is told from rounding. */
const leastScale = 1e-5;
/** Lower quartile of the square of a standard normal. */
const squareOfQuarter = 0.1015;
/** That many leaves tell the scale; more would take longer and tell no more. */
const mostLeaves = 3_000;

/**
 * Fits the noise to the leaves around their mode, so that causes, which sit elsewhere, have no say. Where leaves differ by nothing but a few exact
 * ratios, there is no noise. `isCounted`: the leaves are counts, whose noise is known to be no less than that of counting.
 */
export function fitNoise({ deviation, size, counted }: Omit<Deviations, 'leaf'>, { isCounted = false }: { isCounted?: boolean } = {}): Noise {
  const count = deviation.length;
  if (isCounted) return noiseOfCounting({ deviation, counted });
  if (count === 0 || isExact({ deviation, size })) return { relative: leastScale ** 2, counts: 0, freedom: 8 };
  const centre = modeOf(deviation.toSorted());
  const ratio = ratioOfCounts({ deviation, counted, centre });
  const distances = deviation.map((own, at) => (own - centre) / Math.sqrt(1 + ratio / (counted[at] as number)));
  const { scale, freedom } = fitTail(distances);
  return { relative: Math.max(scale ** 2, leastScale ** 2), counts: scale ** 2 * ratio, freedom };
}

/**
 * Counting, and as much more as the leaves are off beyond it, in count and in proportion: the lower quarter of them, for most leaves in which there is anything to
 * count may be a cause's.
 */
function noiseOfCounting({ deviation, counted }: Shape): Noise {
  const quarter = (of: (at: number) => number): number => Float64Array.from(deviation.keys(), of).sort()[deviation.length >> 2] ?? 0;
  const square = (at: number) => (deviation[at] as number) ** 2 / squareOfQuarter;
  if (deviation.length < 6) return { relative: leastScale ** 2, counts: 1, freedom: 6 };
  const counts = Math.max(
    1,
    quarter((at) => square(at) * (counted[at] as number)),
  );
  const relative = quarter((at) => square(at) - counts / (counted[at] as number));
  return { relative: Math.max(relative, leastScale ** 2), counts, freedom: 6 };
}

/**
 * Do so many leaves deviate by the same to nine digits that it is no accident: 40 % by one ratio, or 90 % by three? Whole numbers, which may be counts, agree by
 * accident, so that it takes 60 % there; and leaves that are new or gone agree in any case.
 */
function isExact({ deviation, size }: Pick<Deviations, 'deviation' | 'size'>): boolean {
  const isWhole =
    size.every(Number.isInteger) && deviation.every((own, at) => Math.abs(own * (size[at] as number) - Math.round(own * (size[at] as number))) < 1e-6);
  const runs: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const value of deviation.toSorted()) {
    if (Math.abs(value) > 1 - 1e-9) continue;
    if (value - last < 1e-9) runs[runs.length - 1] = (runs.at(-1) as number) + 1;
    else runs.push(1);
    last = value;
  }
  runs.sort((a, b) => b - a);
  const share = (places: number) => runs.slice(0, places).reduce((sum, run) => sum + run, 0) / deviation.length;
  return ((runs[0] ?? 0) > 1 && share(1) >= (isWhole ? 0.6 : 0.4)) || (!isWhole && deviation.length >= 20 && share(3) >= 0.9);
}

/** How many leaves the shortest interval holds: most of few, 40 % of many, for one cause may have changed the others. */
const heldOf = (count: number): number => Math.min(count, Math.max(Math.ceil(0.4 * count), Math.ceil(count / 2 + 1 - count / 100)));

/** The middle of the shortest interval that holds 40 %; 0 where that is not far. */
function modeOf(sorted: Float64Array): number {
  const held = heldOf(sorted.length);
  let best = { from: 0, width: Number.POSITIVE_INFINITY };
  for (let from = 0; from + held <= sorted.length; from += 1) {
    const width = (sorted[from + held - 1] as number) - (sorted[from] as number);
    if (width < best.width) best = { from, width };
  }
  const middle = sorted[best.from + (held >> 1)] as number;
  return Math.abs(middle) <= 1.5 * best.width ? 0 : middle;
}

/**
 * `counts` over `relative`: of 26 ratios, from proportional alone to counting alone, the likeliest under Student's t of 4 degrees, its scale by the median, in
 * which a tenth of the leaves may lie anywhere.
 */
function ratioOfCounts({ deviation, counted, centre }: Shape & { centre: number }): number {
  if (deviation.length < 8) return 0;
  const step = Math.ceil(deviation.length / mostLeaves);
  const some = Int32Array.from({ length: Math.ceil(deviation.length / step) }, (_, at) => at * step);
  const middle = Float64Array.from(some, (at) => counted[at] as number).sort()[some.length >> 1] as number;
  let best = { ratio: 0, loss: Number.POSITIVE_INFINITY };
  for (const ratio of [0, ...Array.from({ length: 25 }, (_, at) => middle * 10 ** ((at - 12) / 4))]) {
    const widths = Float64Array.from(some, (at) => Math.sqrt(1 + ratio / (counted[at] as number)));
    const distances = Float64Array.from(some, (at, place) => Math.abs((deviation[at] as number) - centre) / (widths[place] as number));
    const scale = Math.max((distances.toSorted()[some.length >> 1] as number) / 0.7407, 1e-12);
    let loss = 0;
    for (const [place, distance] of distances.entries())
      loss += Math.min(anywhere, Math.log(scale * (widths[place] as number)) + tNormalizer + 2.5 * Math.log1p((distance / scale) ** 2 / 4));
    // The simpler one, where a ratio says hardly more.
    if (loss < best.loss - (best.ratio === 0 ? 2 : 0)) best = { ratio, loss };
  }
  return best.ratio;
}

/** Minus the logarithm of a tenth of a uniform density on −1 .. 1, and of the constant of Student's t of 4 degrees. */
const [anywhere, tNormalizer] = [Math.log(20), Math.log(8 / 3)];

/** Of |t|: median, and 95 % and 98.5 % quantiles over the median. */
const tails: readonly { freedom: number; median: number; far: number; farther: number }[] = [
  { freedom: 2, median: 0.8165, far: 5.27, farther: 9.87 },
  { freedom: 3, median: 0.7649, far: 4.16, farther: 6.51 },
  { freedom: 4, median: 0.7407, far: 3.75, farther: 5.43 },
  { freedom: 6, median: 0.7176, far: 3.41, farther: 4.62 },
  { freedom: 8, median: 0.7064, far: 3.266, farther: 4.3 },
  { freedom: 12, median: 0.6955, far: 3.134, farther: 4.02 },
  { freedom: 30, median: 0.6828, far: 2.99, farther: 3.73 },
];

/** From the side of the mode with the lighter tail, for causes make the other one heavier. Of few leaves the tail is taken to be rather heavy, and the scale to be larger than it looks. */
function fitTail(distances: Float64Array): { scale: number; freedom: number } {
  const sides: [number[], number[]] = [[], []];
  for (const value of distances) sides[value < 0 ? 0 : 1].push(Math.abs(value));
  const fits = sides.flatMap((side) => {
    if (side.length < Math.max(60, distances.length / 10)) return [];
    const sorted = Float64Array.from(side).sort();
    // The last two may be causes.
    const at = (share: number) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 3)] as number;
    return at(0.5) > 0 ? [{ median: at(0.5), far: at(0.95), farther: at(0.985) }] : [];
  });
  const lighter = fits.toSorted((a, b) => a.far - b.far)[0];
  if (lighter === undefined) return smallScale(distances);
  const isHeavy = ({ far, farther }: (typeof tails)[number]) => lighter.far >= far * lighter.median || lighter.farther >= farther * lighter.median;
  const tail = tails.find((one) => isHeavy(one) || one.freedom === 30) as (typeof tails)[number];
  return { scale: (lighter.median / tail.median) * (1 + 2 / distances.length), freedom: tail.freedom };
}

/** Few leaves, or so many of one side changed that the other is empty. */
function smallScale(distances: Float64Array): { scale: number; freedom: number } {
  const count = distances.length;
  const sorted = distances.map(Math.abs).sort();
  const held = heldOf(count);
  // Not less than what a chance agreement of a few would make of it.
  const scale = (sorted[held - 1] as number) / normalQuantile((1 + held / (count + 1)) / 2);
  return { scale: scale * (1 + 4 / count), freedom: 6 };
}
