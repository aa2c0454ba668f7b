import type { Charter } from '../../models/contracts/charter.ts';
import type { ArmCounts } from '../../models/contracts/canary.ts';
import type { ArmData, Stratum } from './arm-data.ts';
import { logMeanExp } from './betting.ts';
import { rollbackAlpha } from './error-budget.ts';
import { percent } from '../percent.ts';

/** A handful of slates in one bad second is no rate. */
const slatesAtLeast = 20;
const slatesForP99 = 200;

type Canary = Charter['release']['canary'];

/**
 * Guardrails that the challenger has broken for certain, each as a sentence: the share of slates without items, of fallbacks, and of
 * slates slower than `maxP99Ms` (the 99th percentile lies above it when these are more than 1 %).
 *
 * One that holds at its limit is called broken with `rollbackAlpha` at most, over all looks, where slates fail independently of one another. They do
 * not where one user's slates all fail; so it must be broken, by the same test, also where each user counts once, with the share of the own slates.
 */
export function brokenGuardrails({ arms, canary }: { arms: ArmData; canary: Canary }): string[] {
  const { challenger, champion, slow, byUser } = arms;
  const rails = [
    {
      reason: 'errors',
      what: 'had no items',
      count: challenger.errors,
      ofUsers: byUser?.errors,
      other: champion.errors,
      limit: canary.maxErrorShare,
      slates: slatesAtLeast,
    },
    {
      reason: 'fallbacks',
      what: 'did not come from its model',
      count: challenger.fallbacks,
      ofUsers: byUser?.fallbacks,
      other: champion.fallbacks,
      limit: canary.maxFallbackShare,
      slates: slatesAtLeast,
    },
    {
      reason: 'slow',
      what: `took longer than ${canary.maxP99Ms} ms`,
      count: slow.challenger,
      ofUsers: byUser?.slow,
      other: slow.champion,
      limit: 0.01,
      slates: slatesForP99,
    },
  ] as const;
  return rails
    .filter(({ reason, count, ofUsers, limit, slates }) => {
      const alpha = rollbackAlpha(reason, canary.alpha);
      if (challenger.slates < slates || !exceeds({ count, trials: challenger.slates, limit, alpha })) return false;
      return byUser === undefined || ofUsers === undefined || exceeds({ count: ofUsers, trials: byUser.users, limit, alpha });
    })
    .map(({ what, count, limit, other }) => {
      const [own, theirs] = [percentOf(count, challenger), percentOf(other, champion)];
      return `guardrail: ${own} of the challenger's slates ${what}; the charter allows ${percent(limit)}, and the champion has ${theirs}`;
    });
}

function percentOf(count: number, { slates }: ArmCounts): string {
  return percent(count / Math.max(1, slates));
}

/**
 * Does the exact lower bound of a rate lie above the limit? Binomial likelihood ratio against the limit, mixed over greater rates: a
 * supermartingale as long as the rate is not above the limit, so the bound holds at all looks at once (Ville 1939; Robbins 1970). `count` may be
 * a sum of shares in [0, 1]: a^x b^(1-x) is at most x a + (1-x) b.
 */
export function exceeds({ count, trials, limit, alpha }: { count: number; trials: number; limit: number; alpha: number }): boolean {
  if (limit <= 0) return count > 0;
  if (limit >= 1 || count <= limit * trials) return false;
  const logs = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.98].map((part) => {
    const rate = limit + (1 - limit) * part;
    return count * Math.log(rate / limit) + (trials - count) * Math.log((1 - rate) / (1 - limit));
  });
  return logMeanExp(logs) >= Math.log(1 / alpha);
}

const oddsFactors = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2].flatMap((step) => [-step, step]);

/**
 * Is the challenger's part of the enrolled units what the recorded shares say? Binomial likelihood ratios with the odds multiplied by a
 * factor, mixed over factors: half of the mixture has one factor for the whole release (users get lost), half one for each stratum (a
 * share is not the one recorded). The sequential test of Lindon and Malek 2022 (arXiv 2011.03567) with a discrete mixture. The answer is a
 * p-value that may be looked at any number of times: it falls to x or below with probability x at most.
 */
export function sampleRatioPValue(strata: readonly Stratum[]): number {
  const ratio = ({ share, champion, challenger }: Stratum, logFactor: number): number =>
    challenger.enrolled * logFactor - (challenger.enrolled + champion.enrolled) * Math.log(1 - share + share * Math.exp(logFactor));
  const common = logMeanExp(oddsFactors.map((logFactor) => strata.reduce((sum, stratum) => sum + ratio(stratum, logFactor), 0)));
  const separate = strata.reduce((sum, stratum) => sum + logMeanExp(oddsFactors.map((logFactor) => ratio(stratum, logFactor))), 0);
  return Math.min(1, Math.exp(-logMeanExp([common, separate])));
}
