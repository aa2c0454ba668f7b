import type { Measure, SignalFamily } from '../../models/contracts/signal.ts';

/** A measure on the scale on which its noise hardly depends on its size. `counting` and `beyond` are what the two parts of its variance are multiples of. */
export type Stabilised = { y: number; counting: number };

/** Mean amount that one of what gives something gives: a reward of two counts as two, but comes and goes as one. */
export type Weighing = { weight: number };

/**
 * Counts and rates by their square root with 3/8 (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 1948, eq. 2.1),
 * shares by arcsin of the square root (ibid., section 4), levels by their logarithm. Undefined where nothing was there to measure.
 */
export function stabilise(family: SignalFamily, { total, of }: Pick<Measure, 'total' | 'of'>, { weight }: Weighing): Stabilised | undefined {
  if (family === 'count') return { y: Math.sqrt(total + 3 / 8), counting: 1 / 4 };
  if (family === 'score') return { y: total, counting: 1 };
  if (of <= 0) return undefined;
  if (family === 'share') return { y: Math.asin(Math.sqrt(Math.min(1, (total + 3 / 8) / (of + 3 / 4)))), counting: 1 / (4 * of + 2) };
  if (family === 'rate') return { y: Math.sqrt((total + (3 / 8) * weight) / of), counting: weight / (4 * of) };
  return { y: Math.log(Math.max(total, 1e-6)), counting: 1 / of };
}

/** What a relative wobble of the true value by 1 does to `y`, squared, where `y` is expected to be `expected`. */
export function wobble(family: SignalFamily, expected: number): number {
  if (family === 'count' || family === 'rate') return expected ** 2 / 4;
  if (family === 'share') return Math.sin(2 * Math.min(expected, Math.PI / 2)) ** 2 / 4;
  return family === 'level' ? 1 : 0;
}

/** Back from the scale of `stabilise`. */
export function restore(family: SignalFamily, y: number, { of, weight }: Weighing & { of: number }): number {
  if (family === 'count') return Math.max(0, Math.max(0, y) ** 2 - 3 / 8);
  if (family === 'share') return Math.sin(Math.max(0, Math.min(Math.PI / 2, y))) ** 2;
  if (family === 'rate') return Math.max(0, Math.max(0, y) ** 2 - ((3 / 8) * weight) / Math.max(of, 1));
  return family === 'level' ? Math.exp(y) : y;
}

/** What a person reads: the count, the share, the mean. */
export function plainValue(family: SignalFamily, { total, of }: Pick<Measure, 'total' | 'of'>): number {
  return family === 'share' || family === 'rate' ? total / of : total;
}
