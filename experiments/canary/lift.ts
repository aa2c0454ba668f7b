import type { Interval } from '../../models/contracts/verdict.ts';
import { type Bets, logWealth } from './betting.ts';
import type { Hypothesis } from './stakes.ts';

/**
 * The lift, challenger minus champion in reward a unit: the stratified estimate, and the differences that no bet has rejected. Each end
 * holds at all looks at once with probability 1 - its alpha. Without data: 0 in [-cap, cap].
 */
export function liftInterval(bets: Bets, alpha: { low: number; high: number }): Interval {
  const { value, standardError } = estimateLift(bets);
  const excess = (hypothesis: Hypothesis) => logWealth(bets, hypothesis) - Math.log(1 / hypothesis.alpha);
  const end = (middle: number, of: (x: number) => number) =>
    lastRejected({ cap: bets.cap, guess: middle + 3 * standardError, step: standardError, excess: of });
  const low = end(-value, (difference) => excess({ difference: -difference, bet: 'above', alpha: alpha.low }));
  const high = end(value, (difference) => excess({ difference, bet: 'below', alpha: alpha.high }));
  // Data that no difference explains (a share that was not kept) reject all of them: what is left is the point where both sides met.
  const middle = (high - low) / 2;
  if (-low > high) return { value: middle, low: middle, high: middle };
  return { value: Math.max(-low, Math.min(high, value)), low: -low, high };
}

type Search = { cap: number /** Where it may be, and how far that may be off. */; guess: number; step: number; excess: (x: number) => number };

/** Smallest x in [-cap, cap] that is rejected, to a ten-thousandth of cap, `excess` being negative below and not above it; cap where none is. */
function lastRejected({ cap, guess, step, excess }: Search): number {
  const width = cap * 1e-4;
  // Near linear in x: wealth grows with the square of the distance.
  const root = (x: number) => {
    const found = excess(x);
    return Math.sign(found) * Math.sqrt(Math.abs(found));
  };
  // Wealth is settled at zero first, since the sign is what decisions follow.
  const middle = root(0);
  const [least, most] = middle >= 0 ? [-cap, 0] : [0, cap];
  let [from, below, to, above] = middle >= 0 ? [Number.NaN, Number.NaN, 0, middle] : [0, middle, Number.NaN, Number.NaN];
  // Outwards from the guess, with growing steps, until it lies between two points.
  const clamp = (x: number) => Math.min(most, Math.max(least, x));
  let x = clamp(guess);
  for (let reach = Number.isFinite(step) ? Math.max(step, width) : 2 * cap; Number.isNaN(from) || Number.isNaN(to); reach *= 2) {
    const found = root(x);
    if (found >= 0) {
      [to, above] = [x, found];
      if (x === least) return least;
      x = clamp(x - reach);
    } else {
      [from, below] = [x, found];
      if (x === most) return most;
      x = clamp(x + reach);
    }
  }
  for (let round = 1; to - from > width; round += 1) {
    // A little beyond the chord's zero, so that the far end comes near too; halving now and then, whatever the chord says.
    const chord = (from * above - to * below) / (above - below) + (above > -below ? width / 3 : -width / 3);
    x = round % 3 === 0 ? (from + to) / 2 : Math.min(to - width / 3, Math.max(from + width / 3, chord));
    const found = root(x);
    if (found >= 0) [to, above] = [x, found];
    else [from, below] = [x, found];
  }
  return to;
}

/** Least squares within strata: sum (A - p)(Y - m) / sum (A - p)^2, m the stratum's mean; the variance pooled, one unit of each extreme added. */
export function estimateLift({ lots, cap, mean, ripe }: Bets): { value: number; standardError: number } {
  let covariance = 0;
  let weight = 0;
  let squares = cap * cap;
  for (const { share, cells } of lots) {
    const units = cells.reduce((sum, cell) => sum + cell.units, 0);
    const own = units === 0 ? 0 : cells.reduce((sum, cell) => sum + cell.units * cell.reward, 0) / units;
    for (const { challenger, reward, units: count } of cells) {
      const tilt = (challenger ? 1 : 0) - share;
      covariance += count * tilt * (reward - own);
      weight += count * tilt * tilt;
      squares += count * reward * reward;
    }
  }
  if (weight === 0) return { value: 0, standardError: Number.POSITIVE_INFINITY };
  const smoothed = (mean * ripe + cap) / (ripe + 2);
  const variance = Math.max(0, squares / (ripe + 2) - smoothed * smoothed);
  return { value: covariance / weight, standardError: Math.sqrt(variance / weight) };
}
