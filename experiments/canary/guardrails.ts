import type { Charter } from '../../models/contracts/charter.ts';
import type { ArmCounts } from '../../models/contracts/canary.ts';
import type { ArmData, Stratum } from './arm-data.ts';
import { logMeanExp } from './betting.ts';

/** A guardrail that holds at its limit is called broken with at most this probability, over all looks of a release. */
export const guardrailAlpha = 0.001;
/** The same for the sample ratio of a canary in which nothing is wrong. */
export const sampleRatioAlpha = 0.0005;
/** A handful of slates in one bad second is no rate. */
const slatesAtLeast = 20;
const slatesForP99 = 200;

type Canary = Charter['release']['canary'];

/**
 * Guardrails that the challenger has broken for certain, each as a sentence: the share of slates without items, of fallbacks, and of
 * slates slower than `maxP99Ms` (the 99th percentile lies above it when these are more than 1 %).
 */
export function brokenGuardrails({ arms, canary }: { arms: ArmData; canary: Canary }): string[] {
  const { challenger, champion, slow } = arms;
  const share = (count: number, counts: ArmCounts) => `${((100 * count) / Math.max(1, counts.slates)).toFixed(1)} %`;
  const rails = [
    { what: 'errors', count: challenger.errors, other: champion.errors, limit: canary.maxErrorShare, slates: slatesAtLeast },
    { what: 'fallbacks', count: challenger.fallbacks, other: champion.fallbacks, limit: canary.maxFallbackShare, slates: slatesAtLeast },
    { what: `slates over ${canary.maxP99Ms} ms`, count: slow.challenger, other: slow.champion, limit: 0.01, slates: slatesForP99 },
  ];
  return rails
    .filter((rail) => challenger.slates >= rail.slates && exceeds({ count: rail.count, trials: challenger.slates, limit: rail.limit }))
    .map(
      (rail) => `guardrail: ${share(rail.count, challenger)} ${rail.what}, limit ${(rail.limit * 100).toFixed(1)} %, champion ${share(rail.other, champion)}`,
    );
}

/**
 * Does the exact lower bound of a rate lie above the limit? Binomial likelihood ratio against the limit, mixed over greater rates: a
 * supermartingale as long as the rate is not above the limit, so the bound holds at all looks at once (Ville 1939; Robbins 1970).
 */
export function exceeds({ count, trials, limit, alpha = guardrailAlpha }: { count: number; trials: number; limit: number; alpha?: number }): boolean {
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
