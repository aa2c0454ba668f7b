import type { RewardCounts, Stratum } from './arm-data.ts';
import { boldest, type Hypothesis, type Lot, type Plan, type Stake, stakesFor } from './stakes.ts';

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
 * Karampatziakis and Mineiro (arXiv 2210.10768). The gambler splits the money over several lambdas (stakes.ts): a mixture of martingales is one.
 * lambda may depend on what came before.
 *
 * For rewards of 0 and 1, m = 0 and t = 0 only users with the event count, and the wealth is the likelihood ratio of the challenger's share among them
 * against p: given the event, a user is the challenger's with r p / (r p + 1 - p), where r is the ratio of the rates. With m the users without
 * it count too; at a rate of 5 % that saves a twentieth of the users, at 30 % a third.
 */

type Cell = { challenger: boolean; reward: number; units: number };
type CountedLot = Lot & { cells: Cell[] };
export type Bets = { lots: CountedLot[]; cap: number; plan: Plan | undefined /** Pooled over arms and strata. */; mean: number; ripe: number };

/**
 * Prepares strata for betting. What is foretold for a stratum comes from the blocks before its own. It must not change from one look to the
 * next, so strata after the first block in which an outcome is open are left for a later look.
 */
export function prepareBets({ strata, cap, plan }: { strata: readonly Stratum[]; cap: number; plan?: Plan | undefined }): Bets {
  const lots: CountedLot[] = [];
  const known = { ripe: 0, sum: 0, squares: 0 };
  let foretold = foretell(known, cap);
  let open = false;
  for (const [index, stratum] of strata.entries()) {
    const before = strata[index - 1];
    if (before !== undefined && (stratum.block === undefined || stratum.block !== before.block)) {
      if (open) break;
      foretold = foretell(known, cap);
    }
    const cells = [...cellsOf(stratum.champion.ripe, false), ...cellsOf(stratum.challenger.ripe, true)];
    lots.push({ share: stratum.share, ...foretold, cells });
    let ripe = 0;
    for (const { reward, units } of cells) {
      ripe += units;
      known.sum += reward * units;
      known.squares += reward * reward * units;
    }
    known.ripe += ripe;
    open ||= ripe < stratum.champion.enrolled + stratum.challenger.enrolled;
  }
  return { lots, cap, plan, mean: known.ripe === 0 ? 0 : known.sum / known.ripe, ripe: known.ripe };
}

function cellsOf(counts: RewardCounts, challenger: boolean): Cell[] {
  return counts.map(([reward, units]) => ({ challenger, reward, units }));
}

/** One unit of each extreme is added for the variance, so that it is not zero before the first reward. */
function foretell({ ripe, sum, squares }: { ripe: number; sum: number; squares: number }, cap: number): Omit<Lot, 'share'> {
  const smoothed = (sum + cap) / (ripe + 2);
  return { before: ripe, foretold: ripe === 0 ? 0 : sum / ripe, variance: (squares + cap * cap) / (ripe + 2) - smoothed * smoothed };
}

/** The hypothesis is rejected with the error rate `alpha`, at whatever look. */
export function rejects(bets: Bets, hypothesis: Hypothesis): boolean {
  return logWealth(bets, hypothesis) >= Math.log(1 / hypothesis.alpha);
}

/** Natural logarithm of the wealth, the starting money being 1. */
export function logWealth(bets: Bets, hypothesis: Hypothesis): number {
  const { difference, bet, margin = 0 } = hypothesis;
  const sign = bet === 'above' ? 1 : -1;
  const stakes = stakesFor({ hypothesis, plan: bets.plan });
  const logs = new Float64Array(stakes.length);
  for (const lot of bets.lots) {
    const { share, foretold, cells } = lot;
    const score = (challenger: boolean, reward: number): number => {
      const tilt = challenger ? 1 - share : -share;
      return sign * tilt * ((challenger ? reward : reward * (1 - margin)) - foretold - difference * tilt);
    };
    const worst = Math.min(score(true, 0), score(true, bets.cap), score(false, 0), score(false, bets.cap));
    const limit = worst < 0 ? boldest / -worst : Number.POSITIVE_INFINITY;
    const scores = cells.map((cell) => score(cell.challenger, cell.reward));
    for (let index = 0; index < stakes.length; index += 1) {
      let log = logs[index] as number;
      const lambda = Math.min(limit, (stakes[index] as Stake).lambda(lot, { cap: bets.cap, log }));
      for (let cell = 0; cell < cells.length; cell += 1) log += (cells[cell] as Cell).units * Math.log1p(lambda * (scores[cell] as number));
      logs[index] = log;
    }
  }
  return logMeanExp(
    logs,
    stakes.map((stake) => stake.weight),
  );
}

/** log of the weighted mean of exp(logs); weights that sum to 1, equal ones where absent. */
export function logMeanExp(logs: ArrayLike<number>, weights?: readonly number[]): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < logs.length; index += 1) most = Math.max(most, logs[index] as number);
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (let index = 0; index < logs.length; index += 1) sum += (weights?.[index] ?? 1 / logs.length) * Math.exp((logs[index] as number) - most);
  return most + Math.log(sum);
}
