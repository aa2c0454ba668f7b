import type { CanaryDecision } from '../../models/contracts/canary.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { normalQuantile } from '../normal.ts';
import type { Stratum } from './arm-data.ts';

export type ReportedMeans = NonNullable<CanaryDecision['reported']>;

const level = 0.95;

/** Sums over units of h, h times score, and h squared times score and its square. */
type Sums = { weight: number; first: number; squaredWeight: number; squaredFirst: number; squaredSecond: number };
const noSums = (): Sums => ({ weight: 0, first: 0, squaredWeight: 0, squaredFirst: 0, squaredSecond: 0 });

/**
 * Mean reward a unit of each arm, and their difference, for people to read; no decision comes from it. Null before any outcome is known.
 *
 * The adaptively weighted AIPW estimator of Hadad, Hirshberg, Zhan, Wager and Athey, "Confidence intervals for policy evaluation in adaptive
 * experiments", PNAS 118(15), 2021: each unit scores m(w) + 1{W = w} (Y - m(w)) / e(w), with the recorded probability e and the arm's mean m over earlier
 * blocks, and the scores are averaged with weights h that keep the variance even while e moves. Here h = sqrt(e (1 - e)) for both arms, which stabilizes
 * that of their difference: so both means are over the same users, and a trend in time does not part them. What was seen moves e and so h: consistent,
 * and biased by a small part of its own spread. Interval: normal, with
 * sum h^2 (score - mean)^2 / (sum h)^2, at one look; unlike `lift` it does not hold at all looks at once.
 */
export function reportedMeans(strata: readonly Stratum[]): ReportedMeans | null {
  const sums = { champion: noSums(), challenger: noSums(), difference: noSums() };
  const arms = { champion: { sum: 0, units: 0 }, challenger: { sum: 0, units: 0 } };
  const meanOf = (variant: 'champion' | 'challenger'): number => {
    const [own, all] = [arms[variant], { sum: arms.champion.sum + arms.challenger.sum, units: arms.champion.units + arms.challenger.units }];
    if (own.units > 0) return own.sum / own.units;
    return all.units === 0 ? 0 : all.sum / all.units;
  };
  let foretold = { champion: 0, challenger: 0 };
  for (const [index, stratum] of strata.entries()) {
    if (stratum.block === undefined || stratum.block !== strata[index - 1]?.block)
      foretold = { champion: meanOf('champion'), challenger: meanOf('challenger') };
    const { share } = stratum;
    const weight = Math.sqrt(share * (1 - share));
    if (weight === 0) continue;
    for (const variant of ['champion', 'challenger'] as const) {
      for (const [reward, units] of stratum[variant].ripe) {
        const champion = foretold.champion + (variant === 'champion' ? (reward - foretold.champion) / (1 - share) : 0);
        const challenger = foretold.challenger + (variant === 'challenger' ? (reward - foretold.challenger) / share : 0);
        add(sums.champion, { weight, score: champion, units });
        add(sums.challenger, { weight, score: challenger, units });
        add(sums.difference, { weight, score: challenger - champion, units });
        arms[variant].sum += reward * units;
        arms[variant].units += units;
      }
    }
  }
  if (sums.difference.weight === 0) return null;
  return { level, champion: intervalOf(sums.champion), challenger: intervalOf(sums.challenger), difference: intervalOf(sums.difference) };
}

function add(sums: Sums, { weight, score, units }: { weight: number; score: number; units: number }): void {
  sums.weight += units * weight;
  sums.first += units * weight * score;
  sums.squaredWeight += units * weight * weight;
  sums.squaredFirst += units * weight * weight * score;
  sums.squaredSecond += units * weight * weight * score * score;
}

function intervalOf({ weight, first, squaredWeight, squaredFirst, squaredSecond }: Sums): Interval {
  const value = first / weight;
  const variance = Math.max(0, squaredSecond - 2 * value * squaredFirst + value * value * squaredWeight) / (weight * weight);
  const half = normalQuantile((1 + level) / 2) * Math.sqrt(variance);
  return { value, low: value - half, high: value + half };
}
