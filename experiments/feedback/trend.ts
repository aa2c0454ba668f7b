import type { Interval } from '../../models/contracts/verdict.ts';
import { studentQuantile } from '../student.ts';

/** Through fewer there is no line and noise beside it. */
export const generationsAtLeast = 4;

/** Generations learn from much the same days as the ones before: so much of a deviation is taken to remain in the next one. */
const memory = 0.3;

/**
 * Change along a straight line through values that follow each other, from the first to the last one, with its interval. Least squares, with the error of noise of first order that remembers
 * `memory`: its variance is (1 + r) / (1 - r) times that of noise without memory. The noise is measured by how far each value lies beside the middle of its neighbours (Gasser, Sroka
 * and Jennen-Steinmetz, "Residual variance and residual pattern in nonlinear regression", Biometrika 1986), which holds the noise of counting and that between generations, and
 * hardly anything of a course that is smooth and no line: a loop that comes to its end would else hide itself. E (x_(i-1) - 2 x_i + x_(i+1))^2 = (6 - 8 r + 2 r^2) s^2.
 * Such differences share values, so they count for fewer degrees of freedom than there are (trend.test.ts counts what comes of it).
 * @param level of the interval, both sides together
 * @returns null where there are fewer than `generationsAtLeast` values
 */
export function trendOf({ values, level }: { values: readonly number[]; level: number }): Interval | null {
  const count = values.length;
  if (count < generationsAtLeast) return null;
  const middle = (count - 1) / 2;
  let [across, spread, squares] = [0, 0, 0];
  for (const [place, value] of values.entries()) {
    across += (place - middle) * value;
    spread += (place - middle) ** 2;
    const [before, next] = [values[place - 1], values[place + 1]];
    if (before !== undefined && next !== undefined) squares += (before - 2 * value + next) ** 2;
  }
  const variance = squares / ((count - 2) * (6 - 8 * memory + 2 * memory ** 2));
  const error = Math.sqrt((variance * (1 + memory)) / (1 - memory) / spread);
  const degrees = Math.max(1, Math.round(0.6 * (count - 2)));
  const half = studentQuantile((1 + level) / 2, degrees) * error * (count - 1);
  const value = (across / spread) * (count - 1);
  return { value, low: value - half, high: value + half };
}
