import { normalBelow } from '../normal.ts';
import type { Stratum } from './arm-data.ts';
import { prepareBets } from './betting.ts';
import { challengerShare } from './challenger-share.ts';
import { estimateLift } from './lift.ts';

type SegmentLift = { segment: string; value: number; variance: number; current: number };
export type ShrunkLift = { segment: string; mean: number; sd: number };

/**
 * The challenger's share in each segment of users that was met: Thompson sampling as in `challengerShare`, from the segment's lift shrunk to that of the
 * whole. It moves traffic and decides nothing. The test stays valid, since each stratum carries the share its own users were drawn with.
 */
export function segmentShares({ strata, cap, capPerUnit }: { strata: readonly Stratum[]; cap: number; capPerUnit: number }): Record<string, number> {
  const { mean, cap: most } = prepareBets({ strata, cap: capPerUnit });
  const lifts = liftsBySegment(strata, capPerUnit);
  const shrunk = shrinkLifts({ lifts, priorSd: mean > 0 ? mean : most / 10 });
  return Object.fromEntries(
    shrunk.map(({ segment, mean: lift, sd }, index) => {
      const probability = sd > 0 ? normalBelow(lift / sd) : 0.5;
      return [segment, challengerShare({ cap, probability, current: lifts[index]?.current ?? 0 })];
    }),
  );
}

/** In order of their names. `current` is the share with which the segment's newest users were drawn. */
function liftsBySegment(strata: readonly Stratum[], capPerUnit: number): SegmentLift[] {
  const names = [...new Set(strata.flatMap(({ segment }) => (segment === undefined ? [] : [segment])))].sort();
  return names.map((segment) => {
    const own = strata.filter((stratum) => stratum.segment === segment);
    const { value, standardError } = estimateLift(prepareBets({ strata: own, cap: capPerUnit }));
    return { segment, value, variance: standardError ** 2, current: own.at(-1)?.share ?? 0 };
  });
}

/**
 * Two-level normal model: a segment's lift is normal around the whole's with variance tau^2, and what is seen of it around that with its own
 * variance. The whole's has a normal prior around zero. tau^2 by moments from the spread of the lifts (DerSimonian and Laird, Controlled Clinical Trials 7, 1986),
 * zero where chance explains it; posterior given tau^2: Gelman et al., "Bayesian Data Analysis", 3rd ed., sec. 5.4; empirical Bayes as in Morris,
 * JASA 78, 1983. A segment of which nothing is known has the whole's lift.
 */
export function shrinkLifts({ lifts, priorSd }: { lifts: readonly Omit<SegmentLift, 'current'>[]; priorSd: number }): ShrunkLift[] {
  const known = lifts.filter(({ variance }) => Number.isFinite(variance) && variance > 0);
  const tau2 = spreadOf(known);
  const precision = known.reduce((sum, { variance }) => sum + 1 / (variance + tau2), 0);
  const total = precision + 1 / (priorSd * priorSd);
  const whole = known.reduce((sum, { value, variance }) => sum + value / (variance + tau2), 0) / total;
  return lifts.map(({ segment, value, variance }) => {
    if (!Number.isFinite(variance) || variance === 0) return { segment, mean: whole, sd: Math.sqrt(1 / total + tau2) };
    const toWhole = variance / (variance + tau2);
    return { segment, mean: toWhole * whole + (1 - toWhole) * value, sd: Math.sqrt((1 - toWhole) * variance + (toWhole * toWhole) / total) };
  });
}

function spreadOf(known: readonly Omit<SegmentLift, 'current'>[]): number {
  if (known.length < 2) return 0;
  const [sum, squares] = known.reduce(([one, two], { variance }) => [one + 1 / variance, two + 1 / variance ** 2], [0, 0]);
  const mean = known.reduce((total, { value, variance }) => total + value / variance, 0) / sum;
  const q = known.reduce((total, { value, variance }) => total + (value - mean) ** 2 / variance, 0);
  return Math.max(0, (q - (known.length - 1)) / (sum - squares / sum));
}
