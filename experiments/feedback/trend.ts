import type { Interval } from '../../models/contracts/verdict.ts';
import { studentQuantile } from './student.ts';

/** A line through fewer says nothing: two degrees of freedom are left at four. */
export const generationsAtLeast = 4;

/** Noise that remembers more than this looks like a trend whatever is done. */
const memoryAtMost = 0.8;

/**
 * Change along a straight line through values that follow each other, from the first to the last one, with its interval. Least squares; the error from what is left
 * beside the line, which holds the noise of counting and that between generations alike. Generations remember the ones before, since their windows overlap: so the variance is
 * that of noise of first order with the memory found in the rest, (1 + r) / (1 - r) times as much (Bence, "Analysis of short time series", Ecology 1995, eq. 3), r
 * corrected for what fitting a line took from it, at least 0.
 * @param level of the interval, both sides together
 * @returns null where there are fewer than `generationsAtLeast` values
 */
export function trendOf({ values, level }: { values: readonly number[]; level: number }): Interval | null {
  const count = values.length;
  if (count < generationsAtLeast) return null;
  const middle = (count - 1) / 2;
  const mean = values.reduce((sum, one) => sum + one, 0) / count;
  let [across, spread] = [0, 0];
  for (const [place, value] of values.entries()) {
    across += (place - middle) * (value - mean);
    spread += (place - middle) ** 2;
  }
  const slope = across / spread;
  const rest = values.map((value, place) => value - mean - slope * (place - middle));
  const squares = rest.reduce((sum, one) => sum + one * one, 0);
  const memory = squares === 0 ? 0 : memoryOf(rest, squares);
  const error = Math.sqrt(((squares / (count - 2)) * ((1 + memory) / (1 - memory))) / spread);
  const half = studentQuantile((1 + level) / 2, count - 2) * error * (count - 1);
  const value = slope * (count - 1);
  return { value, low: value - half, high: value + half };
}

function memoryOf(rest: readonly number[], squares: number): number {
  const count = rest.length;
  const products = rest.reduce((sum, one, place) => sum + (place === 0 ? 0 : one * (rest[place - 1] as number)), 0);
  // Expected of noise without memory behind a line: about -2 / count.
  const corrected = count > 5 ? (products / squares + 2 / count) / (1 - 4 / count) : 0;
  return Math.max(0, Math.min(memoryAtMost, corrected));
}
