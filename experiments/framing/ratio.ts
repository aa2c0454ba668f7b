import type { Interval } from '../../models/contracts/verdict.ts';
import { normalQuantile } from '../normal.ts';

/**
 * Sums over clusters (mostly users) of `a`, what each could have done, and `b`, what it did. Whole numbers, so that they are the same in any order.
 */
export type RatioSums = { clusters: number; a: number; b: number; aa: number; ab: number; bb: number };

const z = normalQuantile(0.975);

/**
 * b / a with its standard error, a cluster being one draw: the residuals b - R a have mean 0, and their variance is that of the ratio (Cochran, "Sampling
 * techniques", 1977, sec. 6.4; the delta method of Deng, Knoblich and Lu, KDD 2018). Undefined where nothing could be done.
 * @returns `deviation`: standard deviation of the residuals, divided by the mean of `a`: what one cluster more or less does
 */
export function ratioOf({ clusters, a, b, aa, ab, bb }: RatioSums): { value: number; standardError: number; deviation: number } | undefined {
  if (clusters === 0 || a === 0) return undefined;
  const value = b / a;
  const squares = Math.max(0, bb - 2 * value * ab + value * value * aa);
  const deviation = clusters < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / (clusters - 1)) / (a / clusters);
  return { value, standardError: deviation / Math.sqrt(clusters), deviation };
}

/** Of a mean: normal, 95 %. */
export function meanOf(sums: RatioSums): Interval | undefined {
  const ratio = ratioOf(sums);
  if (ratio === undefined) return undefined;
  const half = Number.isFinite(ratio.standardError) ? z * ratio.standardError : 0;
  return { value: ratio.value, low: ratio.value - half, high: ratio.value + half };
}

/**
 * Of a share, 95 %: Wilson's interval (JASA 1927) for as many independent draws as would vary as much (Kish's effective sample size, "Survey sampling",
 * 1965; so Dean and Pagano 2015). Where all or none did it, nothing varies, and a cluster counts as one draw.
 */
export function shareOf(sums: RatioSums): Interval | undefined {
  const ratio = ratioOf(sums);
  if (ratio === undefined) return undefined;
  const { value, standardError } = ratio;
  const varies = value > 0 && value < 1 && standardError > 0 && Number.isFinite(standardError);
  const draws = Math.min(sums.a, varies ? (value * (1 - value)) / standardError ** 2 : sums.clusters);
  const middle = (value + (z * z) / (2 * draws)) / (1 + (z * z) / draws);
  const half = (z * Math.sqrt((value * (1 - value)) / draws + (z * z) / (4 * draws * draws))) / (1 + (z * z) / draws);
  return { value, low: Math.min(value, Math.max(0, middle - half)), high: Math.max(value, Math.min(1, middle + half)) };
}

/** The levels whose quantiles hold a quantile, 95 %, of so many draws: order statistics (Conover, "Practical nonparametric statistics", 1999, sec. 3.2). */
export function quantileLevels(quantile: number, draws: number): { low: number; high: number } {
  const half = z * Math.sqrt((quantile * (1 - quantile)) / Math.max(1, draws));
  return { low: Math.max(0, quantile - half), high: Math.min(1, quantile + half) };
}
