import type { StratumArm } from '../canary/arm-data.ts';
import { prepareBets, rejects } from '../canary/betting.ts';
import { normalQuantile } from '../normal.ts';
import { ratioOf, type RatioSums } from './ratio.ts';

export type Sensitivity = { /** Relative: .05 is 5 %. */ change: number; alpha: number; power: number };

/**
 * Units of both arms together, half and half, that show a change of the mean in one look at a fixed end: 4 (z_{1-alpha/2} + z_power)^2 variance / difference^2
 * (van Belle, "Statistical rules of thumb", 2008, ch. 2; Kohavi, Longbotham, Sommerfield and Henne, "Controlled experiments on the web", 2009, sec. 3.2).
 * Of a ratio, with the variance of its residuals. Null where the mean is nothing, or nothing varies.
 */
export function unitsForChange(sums: RatioSums, { change, alpha, power }: Sensitivity): number | null {
  const ratio = ratioOf(sums);
  if (ratio === undefined || ratio.value <= 0 || !Number.isFinite(ratio.deviation) || ratio.deviation === 0) return null;
  const distance = (normalQuantile(1 - alpha / 2) + normalQuantile(power)) * ratio.deviation;
  return Math.ceil(4 * (distance / (change * ratio.value)) ** 2);
}

/** Looks along the way: what is foretold for one comes from those before. */
const growth = 1.25;
const firstUnits = 64;
const unitsAtMost = 1e9;

/**
 * Units of both arms together, half and half, with which the canary's own test (`experiments/canary/betting.ts`: may be looked at whenever one likes) shows
 * that a share of users, `rate`, has become greater by `change`: of typical data, whose difference is as small as it is in all but `power` of such tests.
 * Null where even a thousand million would not do.
 */
export function unitsForSequential({ rate, change, alpha, power }: Sensitivity & { rate: number }): number | null {
  if (rate <= 0 || rate * (1 + change) >= 1) return null;
  let [from, to] = [firstUnits, firstUnits];
  while (!isSeen(to)) {
    if (to > unitsAtMost) return null;
    [from, to] = [to, to * 2];
  }
  while (to - from > 0.002 * to) {
    const middle = (from + to) / 2;
    if (isSeen(middle)) to = middle;
    else from = middle;
  }
  return Math.ceil(to);

  function isSeen(units: number): boolean {
    const unlucky = normalQuantile(power) * Math.sqrt((4 * rate * (1 - rate)) / units);
    const difference = change * rate - unlucky;
    if (difference <= 0) return false;
    // Nobody's outcome is open. Parts of users are meant: rounded, small blocks of rare events would hold none.
    const arm = (own: number, mean: number): StratumArm => ({
      enrolled: 0,
      ripe: [
        [0, own * (1 - mean)],
        [1, own * mean],
      ],
    });
    const strata = blocks(units).map((own, block) => ({
      ...{ generation: 1, share: 0.5, block },
      champion: arm(own / 2, rate),
      challenger: arm(own / 2, rate + difference),
    }));
    return rejects(prepareBets({ strata, cap: 1 }), { difference: 0, bet: 'above', alpha });
  }
}

/** Units of each look. */
function blocks(units: number): number[] {
  const sizes: number[] = [];
  for (let seen = 0; seen < units; ) {
    const end = Math.min(units, seen < firstUnits ? firstUnits : seen * growth);
    sizes.push(end - seen);
    seen = end;
  }
  return sizes;
}
