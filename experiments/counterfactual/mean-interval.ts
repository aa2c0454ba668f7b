import type { Interval } from '../../models/contracts/verdict.ts';
import { logMeanExp } from '../canary/betting.ts';

/** Parts of the wealth that are put on each draw: small ones suit rare large values, large ones common small values. */
const stakes = Array.from({ length: 7 }, (_, power) => 0.8 / 4 ** power);
/** Halvings of the range of the values: the ends are found to a millionth of it. */
const halvings = 20;

/**
 * Interval for the mean of independent values in [low, high], by betting: a supposed mean m is rejected where a gambler who bets on it being
 * higher (or lower) would have made 2 / (1 - level) of 1, which has probability (1 - level) / 2 at most whatever the distribution. So it does
 * not collapse where the rare large values that carry the mean have not been seen yet, as a bootstrap or a normal interval does.
 *
 * The wealth after all draws is the mean over stakes f of prod (1 - f + f (x - low) / (m - low)); Waudby-Smith and Ramdas, "Estimating means of
 * bounded random variables by betting", JRSS B 2024, sec. 4. The values need not have one mean: with fixed means m_i the product's expectation is at
 * most exp(f sum (m_i - m) / (m - low)), so the interval is of their average.
 */
export function meanInterval({ values, low, high, level }: { values: Float64Array; low: number; high: number; level: number }): Interval {
  if (values.length === 0 || high <= low) return { value: values[0] ?? 0, low, high };
  const threshold = Math.log(2 / (1 - level));
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const rejected = (distance: (one: number) => number, supposed: number): boolean => {
    const logs = stakes.map((stake) => values.reduce((sum, one) => sum + Math.log1p(stake * (distance(one) / supposed - 1)), 0));
    return logMeanExp(logs) >= threshold;
  };
  const above = (one: number) => one - low;
  const below = (one: number) => high - one;
  return {
    value,
    low: low + lastRejected((supposed) => rejected(above, supposed), high - low),
    high: high - lastRejected((supposed) => rejected(below, supposed), high - low),
  };
}

/** Largest x in (0, range) that is rejected, `rejected` being true below and false above it; 0 where none is. */
function lastRejected(rejected: (x: number) => boolean, range: number): number {
  let from = 0;
  let to = range;
  for (let step = 0; step < halvings; step += 1) {
    const middle = (from + to) / 2;
    if (rejected(middle)) from = middle;
    else to = middle;
  }
  return from;
}
