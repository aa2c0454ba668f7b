import { normalQuantile } from '../normal.ts';
import { furthest } from './fit-signal.ts';

/**
 * Two cumulative sums look at each signal (Page, "Continuous inspection schemes", Biometrika 1954), one for what breaks and one for what gives way: each is tuned to a
 * shift of twice its allowance, in standard deviations of an hour.
 */
export const allowances = [1, 0.25] as const;

/** An alert needs so many hours at least, however wild they are. */
export const leastHours = 3;
const leastThreshold = (allowance: number) => (leastHours - 1) * (furthest - allowance) + 0.01;

/** What is alike over a day or some is in sums of so many hours. */
const spans = [12, 24, 48, 96];
const leastVariance = 0.5;

type Residuals = readonly (number | null)[];

/**
 * The thresholds, one for each of `allowances`, that a cumulative sum of these residuals passes `perHour` times an hour by chance. That of independent normal residuals is Siegmund's; where neighbours
 * are alike, the sum climbs as if the variance were the long-run variance, and the threshold grows with it (Johnson and Bagshaw, "The effect of serial correlation
 * on the performance of CUSUM tests", Technometrics 1974). The signal's own residuals say how large that is.
 */
export function thresholdsOf({ residuals, direction, perHour }: { residuals: Residuals; direction: 'up' | 'down'; perHour: number }): number[] {
  const known = residuals.filter((one) => one !== null);
  const mean = known.reduce((sum, one) => sum + one, 0) / Math.max(known.length, 1);
  const variance = Math.max(leastVariance, longRunVariance(residuals, mean));
  return allowances.map((allowance) => {
    const lean = Math.max(0, Math.min(allowance / 2, direction === 'up' ? mean : -mean));
    const threshold = normalThreshold({ perHour: perHour / allowances.length, allowance }) * variance * (allowance / (allowance - lean));
    return Math.max(leastThreshold(allowance), threshold);
  });
}

/** Of sums over as long as neighbours are alike, each hour's part. */
function longRunVariance(residuals: Residuals, mean: number): number {
  let most = 0;
  for (const span of spans) {
    let [squares, count] = [0, 0];
    for (let start = 0; start + span <= residuals.length; start += span / 4) {
      let [sum, hours] = [0, 0];
      for (let hour = start; hour < start + span; hour += 1) {
        const one = residuals[hour];
        if (one === null || one === undefined) continue;
        sum += one - mean;
        hours += 1;
      }
      if (hours < span / 2) continue;
      squares += sum ** 2 / hours;
      count += 1;
    }
    if (count > 0) most = Math.max(most, squares / count);
  }
  return most;
}

const solved = new Map<string, number>();

/** Solves the average run length of a cumulative sum of normal residuals (Siegmund, Sequential Analysis, 1985, section 2.6) for the threshold. */
export function normalThreshold({ perHour, allowance }: { perHour: number; allowance: number }): number {
  const key = `${perHour} ${allowance}`;
  const found = solved.get(key);
  if (found !== undefined) return found;
  const runLength = (threshold: number) => {
    const b = threshold + 1.166;
    return (Math.exp(2 * allowance * b) - 2 * allowance * b - 1) / (2 * allowance ** 2);
  };
  let [low, high] = [0, 100 / allowance];
  for (let turn = 0; turn < 50; turn += 1) {
    const middle = (low + high) / 2;
    if (runLength(middle) < 1 / perHour) low = middle;
    else high = middle;
  }
  solved.set(key, high);
  return high;
}

/** What stands for the residuals of a signal whose noise is known to be standard normal, in an order in which neighbours are not alike. */
export const normalResiduals: readonly number[] = Array.from({ length: 1009 }, (_, place) =>
  Math.max(-furthest, Math.min(furthest, normalQuantile((((place * 463) % 1009) + 0.5) / 1009))),
);
