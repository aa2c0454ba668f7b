import type { Interval } from '../../models/contracts/verdict.ts';
import type { RewardCounts, Stratum } from './arm-data.ts';

/*
 * The difference between challenger and champion, by betting. Unit i is the challenger's (A = 1) with the recorded probability p, and
 * earns Y in [0, cap]. Its score against a supposed difference t is
 *
 *     g = (A - p) (Y - m - t (A - p)),
 *
 * with m foretold from earlier units. Since A is drawn with p whatever the unit would earn, E[g | past] = p (1 - p) (difference - t): the
 * weather of the day (a trend, a share that moves with it) cancels exactly, in every unit by itself. (The score of Robinson 1988 with the
 * propensity known.) A gambler who bets on g > 0 has the wealth prod (1 + lambda g), which is a nonnegative supermartingale as long as the
 * difference is not above t, so that by Ville's inequality it ever reaches 1 / alpha with probability alpha at most: no normal
 * approximation, no smallest sample, looks whenever one likes, any rule for moving the share. Waudby-Smith and Ramdas, "Estimating means of
 * bounded random variables by betting", JRSS B 2024 (arXiv 2010.09686), theorem 3; for logged policies Waudby-Smith, Wu, Ramdas,
 * Karampatziakis and Mineiro (arXiv 2210.10768). The gambler splits the money over a grid of lambdas: a mixture of martingales is one.
 */

type Cell = { challenger: boolean; reward: number; units: number };
type Lot = { share: number; foretold: number; cells: Cell[] };
export type Bets = { lots: Lot[]; cap: number /** Pooled over arms and strata. */; mean: number; ripe: number };

/** Lambdas in units of 1 / cap; the best one is about difference / variance. */
const stakes = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4] as const;
/** No bet may lose more than this part of the wealth. */
const boldest = 0.8;

/**
 * Prepares strata for betting. `foretold` of a stratum is the mean reward of the strata before it, which are ripe when its first unit is,
 * so that it does not change from one look to the next.
 */
export function prepareBets({ strata, cap }: { strata: readonly Stratum[]; cap: number }): Bets {
  const lots: Lot[] = [];
  let sum = 0;
  let ripe = 0;
  for (const { share, champion, challenger } of strata) {
    const cells = [...cellsOf(champion.ripe, false), ...cellsOf(challenger.ripe, true)];
    lots.push({ share, foretold: ripe === 0 ? 0 : sum / ripe, cells });
    for (const { reward, units } of cells) {
      sum += reward * units;
      ripe += units;
    }
  }
  return { lots, cap, mean: ripe === 0 ? 0 : sum / ripe, ripe };
}

function cellsOf(counts: RewardCounts, challenger: boolean): Cell[] {
  return counts.map(([reward, units]) => ({ challenger, reward, units }));
}

export type Hypothesis = {
  /** What the bet is against: challenger minus `championFactor` times champion is at most (`above`) or at least (`below`) this. */
  difference: number;
  bet: 'above' | 'below';
  /** 1 where absent; 1 - margin for non-inferiority by a share of the champion's own, unknown mean. */
  championFactor?: number;
};

/** Natural logarithm of the wealth, the starting money being 1. At least log(1 / alpha): the hypothesis is rejected at alpha, at any look. */
export function logWealth(bets: Bets, { difference, bet, championFactor = 1 }: Hypothesis): number {
  const sign = bet === 'above' ? 1 : -1;
  const logs = new Float64Array(stakes.length);
  for (const { share, foretold, cells } of bets.lots) {
    const score = (challenger: boolean, reward: number): number => {
      const tilt = challenger ? 1 - share : -share;
      return sign * tilt * ((challenger ? reward : reward * championFactor) - foretold - difference * tilt);
    };
    const worst = Math.min(score(true, 0), score(true, bets.cap), score(false, 0), score(false, bets.cap));
    const limit = worst < 0 ? boldest / -worst : Number.POSITIVE_INFINITY;
    const scores = cells.map((cell) => score(cell.challenger, cell.reward));
    stakes.forEach((stake, index) => {
      const lambda = Math.min(stake / bets.cap, limit);
      let log = logs[index] as number;
      for (let cell = 0; cell < cells.length; cell += 1) log += (cells[cell] as Cell).units * Math.log1p(lambda * (scores[cell] as number));
      logs[index] = log;
    });
  }
  return logMeanExp(logs);
}

export function logMeanExp(logs: ArrayLike<number>): number {
  const most = Math.max(...Array.from(logs));
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (let index = 0; index < logs.length; index += 1) sum += Math.exp((logs[index] as number) - most);
  return most + Math.log(sum / logs.length);
}

/**
 * The lift, challenger minus champion in reward a unit: the stratified estimate, and the differences that no bet has rejected. Each end
 * holds at all looks at once with probability 1 - alpha. Without data: 0 in [-cap, cap].
 */
export function liftInterval(bets: Bets, alpha: number): Interval {
  const { value } = estimateLift(bets);
  const threshold = Math.log(1 / alpha);
  const low = lastRejected(bets.cap, (difference) => logWealth(bets, { difference: -difference, bet: 'above' }) >= threshold);
  const high = lastRejected(bets.cap, (difference) => logWealth(bets, { difference, bet: 'below' }) >= threshold);
  // Data that no difference explains (a share that was not kept) reject all of them: what is left is the point where both sides met.
  const middle = (high - low) / 2;
  if (-low > high) return { value: middle, low: middle, high: middle };
  return { value: Math.max(-low, Math.min(high, value)), low: -low, high };
}

/** Smallest x in [-cap, cap] that is rejected, `rejected` being false below and true above it; cap where none is. */
function lastRejected(cap: number, rejected: (x: number) => boolean): number {
  if (!rejected(cap)) return cap;
  // Wealth is settled at zero first, since the sign is what decisions follow.
  let from = rejected(0) ? -cap : 0;
  let to = from === 0 ? cap : 0;
  while (to - from > cap * 1e-4) {
    const middle = (from + to) / 2;
    if (rejected(middle)) to = middle;
    else from = middle;
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
