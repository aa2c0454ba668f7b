import type { DetectorState } from '../../models/contracts/signal.ts';
import { allowances } from './calibrate.ts';
import { furthest, innovation } from './fit-signal.ts';

/** `deviation`: of this hour from what is expected of it, in standard deviations; positive is in the direction of trouble. */
type Look = { atMs: number; hourMs: number; deviation: number; carry: number; thresholds: readonly number[] };
export type Step = { state: DetectorState; event: 'opens' | 'closes' | null };

export const newDetector = (key: string): DetectorState => ({ key, sums: [], last: null, lastMs: null, open: null });

/** An alert ends when so many hours' worth speak for it. */
const hoursToClose = 5;
/** A size beyond this asks for no more than this of the way back. */
const [leastReturn, mostReturn] = [0.5, 3];

/**
 * One hour of the one-sided cumulative sums over what the hour before did not foretell (Page 1954; on the residuals of an autoregression, as autocorrelated signals ask
 * for it: Montgomery, Introduction to Statistical Quality Control, section 10.4). While an alert is open another sum collects what speaks for its end: hours
 * nearer to the expectation than to what was found, each one hour at most, so that neither one good hour ends it nor one bad hour opens it.
 * @param open the id of the alert that opens here, should one
 */
export function step(before: DetectorState, { atMs, hourMs, deviation, carry, thresholds }: Look, open: () => string): Step {
  const last = before.lastMs === atMs - hourMs ? before.last : null;
  const state: DetectorState = { ...before, last: deviation, lastMs: atMs };
  if (before.open !== null) {
    const { open: found } = before;
    const back = Math.max(leastReturn, Math.min(mostReturn, found.size / 2));
    const sum = Math.max(0, found.sum + Math.max(-2, Math.min(1, (back - deviation) / back)));
    if (sum >= hoursToClose) return { state: { ...state, sums: [], open: null }, event: 'closes' };
    const hours = found.hours + 1;
    // While it grows: what is on its way back says nothing of how large it was.
    const size = sum === 0 ? (found.size * found.hours + Math.min(deviation, 2 * furthest)) / hours : found.size;
    return { state: { ...state, open: { ...found, size, hours: sum === 0 ? hours : found.hours, sum } }, event: null };
  }
  const fresh = innovation(deviation, last, carry);
  const sums = allowances.map((allowance, place) => {
    const { sum: old, sinceMs } = before.sums[place] ?? { sum: 0, sinceMs: atMs };
    const sum = Math.max(0, old + fresh - allowance);
    return { sum, sinceMs: old === 0 ? atMs : sinceMs };
  });
  const over = sums.find(({ sum }, place) => sum >= (thresholds[place] ?? Number.POSITIVE_INFINITY));
  if (over === undefined) return { state: { ...state, sums }, event: null };
  const size = Math.max(1, Math.min(deviation, 2 * furthest));
  return { state: { ...state, sums, open: { alert: open(), sinceMs: over.sinceMs, size, hours: 1, sum: 0 } }, event: 'opens' };
}
