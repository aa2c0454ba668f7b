import { type Hour, median, type SignalHistory, type WeekClock, weeksAtLeast } from './signal-history.ts';
import { wobble } from './stabilise.ts';

/** The noise of one signal: `counting · v + beyond · g` is the variance of an hour, with v and g of `stabilise` and `wobble`. */
export type Noise = { counting: number; beyond: number; carry: number };

/** `residuals`: what each hour had that the hour before did not foretell, in standard deviations, by time; null where it is not known. */
export type Fitted = Noise & { residuals: (number | null)[] };

/** What lies farther out counts as this far: one wild hour is one hour. In standard deviations. */
export const furthest = 4;

/** A share of all hours of the week must have enough weeks. */
const slotsAtLeast = 0.75;
/** What an hour says of the next one is not believed to be more than this. */
const mostCarry = 0.9;

/**
 * Estimates the noise of a signal from its own past `weeks`: each hour against the median of the same hour of the other weeks, so that what is found is the error
 * of a forecast. Overdispersion as in a negative binomial, counting noise and a part in proportion to the square of the mean (McCullagh and Nelder, Generalized
 * Linear Models, 1989, section 6.2.3); what one hour says of the next as the lag-1 autocorrelation.
 * @returns why there is nothing to go by, where there is not
 */
export function fitSignal(history: SignalHistory, { before, weeks, clock }: { before: Hour; weeks: number; clock: WeekClock }): Fitted | string {
  const slots = new Map<number, { hour: Hour; y: number; counting: number }[]>();
  const first = before - weeks * 168;
  for (let hour = first; hour < before; hour += 1) {
    const value = history.usual(hour);
    if (value === undefined) continue;
    const slot = slots.get(clock(hour)) ?? [];
    slot.push({ hour, ...value });
    slots.set(clock(hour), slot);
  }
  if ((history.family === 'count' || history.family === 'rate') && history.isNothing) return 'nothing of it ever was';
  const full = [...slots.values()].filter((slot) => slot.length >= weeksAtLeast);
  if (full.length < slotsAtLeast * 168) return `not enough history: ${full.length} of 168 hours of the week have ${weeksAtLeast} weeks`;
  const errors: Deviation[] = [];
  for (const slot of full) {
    const sorted = slot.map((one) => one.y).sort((a, b) => a - b);
    for (const { hour, y, counting } of slot) {
      const expected = medianWithout(sorted, y);
      errors.push({ hour, error: y - expected, counting, beyond: wobble(history.family, expected) });
    }
  }
  const noise = twoParts(errors, history.family === 'level' ? 0 : 1);
  const byHour = new Map(errors.map(({ hour, error, counting, beyond }) => [hour, error / deviation(noise, { counting, beyond })]));
  const carry = carryOf(byHour);
  const residuals: (number | null)[] = [];
  for (let hour = first; hour < before; hour += 1) {
    const [now, last] = [byHour.get(hour), byHour.get(hour - 1)];
    residuals.push(now === undefined || last === undefined ? null : innovation(now, last, carry));
  }
  return { ...noise, carry, residuals };
}

/** Of the others, where `value` is one of them. */
function medianWithout(sorted: readonly number[], value: number): number {
  const place = sorted.indexOf(value);
  const other = (index: number) => sorted[index < place ? index : index + 1] as number;
  const middle = (sorted.length - 1) >> 1;
  return sorted.length % 2 === 0 ? other(middle) : (other(middle - 1) + other(middle)) / 2;
}

type Parts = { counting: number; beyond: number };
type Deviation = Parts & { hour: Hour; error: number };

export function deviation(noise: Parts, parts: Parts): number {
  return Math.sqrt(Math.max(noise.counting * parts.counting + noise.beyond * parts.beyond, 1e-12));
}

/** What the hour before did not foretell, in its own standard deviations. Without a last hour all of it is new. */
export function innovation(now: number, last: number | null, carry: number): number {
  if (last === null) return clip(now);
  return clip((now - carry * Math.max(-2 * furthest, Math.min(2 * furthest, last))) / Math.sqrt(1 - carry ** 2));
}

const clip = (value: number): number => Math.max(-furthest, Math.min(furthest, value));

/** The two parts of the variance, from the quiet half of the hours and the busy one. `least`: counting noise cannot be less than chance's own. */
function twoParts(errors: readonly Deviation[], least: number): Parts {
  const byRatio = errors.toSorted((a, b) => a.beyond / a.counting - b.beyond / b.counting || a.hour - b.hour);
  const half = byRatio.length >> 1;
  const [quiet, busy] = [momentsOf(byRatio.slice(0, half)), momentsOf(byRatio.slice(half))];
  const determinant = quiet.counting * busy.beyond - busy.counting * quiet.beyond;
  let counting = determinant === 0 ? 0 : (quiet.square * busy.beyond - busy.square * quiet.beyond) / determinant;
  const all = momentsOf(byRatio);
  counting = Math.max(least, Math.min(Number.isFinite(counting) ? counting : 0, all.square / all.counting));
  const beyond = all.beyond > 0 ? Math.max(0, (all.square - counting * all.counting) / all.beyond) : 0;
  return { counting, beyond };
}

/** Mean square with what is far out drawn in to three robust standard deviations. */
function momentsOf(errors: readonly Deviation[]): { square: number } & Parts {
  const spread = 1.4826 * median(errors.map(({ error }) => Math.abs(error)));
  const far = spread > 0 ? 3 * spread : Number.POSITIVE_INFINITY;
  const mean = (of: (one: Deviation) => number) => errors.reduce((sum, one) => sum + of(one), 0) / Math.max(errors.length, 1);
  return { square: mean(({ error }) => Math.min(Math.abs(error), far) ** 2), counting: mean((one) => one.counting), beyond: mean((one) => one.beyond) };
}

function carryOf(byHour: ReadonlyMap<Hour, number>): number {
  let [products, squares] = [0, 0];
  for (const [hour, value] of byHour) {
    const last = byHour.get(hour - 1);
    if (last === undefined) continue;
    products += clip(value) * clip(last);
    squares += (clip(value) ** 2 + clip(last) ** 2) / 2;
  }
  return squares === 0 ? 0 : Math.max(0, Math.min(mostCarry, products / squares));
}
