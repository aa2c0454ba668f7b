import type { AlertPoint } from '../../models/contracts/alert.ts';
import { type AlertSignal, type DetectorState, detectorKey, type SignalFit, type SignalName, signals, type Unjudged } from '../../models/contracts/signal.ts';
import { normalResiduals, thresholdsOf } from './calibrate.ts';
import { newDetector, step } from './detector.ts';
import { deviation, fitSignal, type Noise as Fit } from './fit-signal.ts';
import { type Hour, hourMs, median, sameHours, type SignalHistory, type WeekClock, weeksAtLeast } from './signal-history.ts';
import { restore, plainValue, wobble } from './stabilise.ts';

/** Measured signals by `signal/part`. */
export type Histories = ReadonlyMap<string, { signal: SignalName; part: string; history: SignalHistory }>;
export const historyKey = (signal: AlertSignal, part: string): string => `${signal}/${part}`;

type Noise = Pick<Fit, 'counting' | 'beyond'>;
type Past = { weeks: number; clock: WeekClock };
export type Expected = { value: number; low: number; high: number };

/** What opens or closes in an hour. */
export type Turn = {
  event: 'opens' | 'closes';
  alert: string;
  signal: SignalName;
  part: string;
  direction: 'up' | 'down';
  hour: Hour;
  /** When it is thought to have begun, of one that opens. */
  sinceMs: number;
  value: number;
  expected: Expected;
};

/**
 * Fits every signal to its past. `falseAlarms`: how many alerts a month chance may open on the surface, all signals together; each detector has the same part of them
 * (Bonferroni), whatever the others do.
 */
export function fitAll(
  histories: Histories,
  { before, falseAlarms, ...past }: Past & { before: Hour; falseAlarms: number },
): { fits: SignalFit[]; unjudged: Unjudged[] } {
  const unjudged: Unjudged[] = [];
  const fitted = [...histories.values()].flatMap(({ signal, part, history }) => {
    if (history.family === 'score') return [{ signal, part, counting: 1, beyond: 0, carry: 0, residuals: normalResiduals as readonly (number | null)[] }];
    const found = fitSignal(history, { before, ...past });
    if (typeof found !== 'string') return [{ signal, part, ...found }];
    unjudged.push({ signal, part, why: found });
    return [];
  });
  const detectors = fitted.reduce((sum, { signal }) => sum + signals[signal].directions.length, 0);
  const perHour = falseAlarms / (hoursOfMonth * Math.max(1, detectors));
  const fits = fitted.map(({ residuals, ...fit }) => {
    const directions: readonly string[] = signals[fit.signal].directions;
    const thresholds = (direction: 'up' | 'down') => (directions.includes(direction) ? thresholdsOf({ residuals, direction, perHour }) : []);
    return { ...fit, thresholds: { up: thresholds('up'), down: thresholds('down') } };
  });
  return { fits, unjudged };
}

/** Of a year, a twelfth. */
export const hoursOfMonth = 730.5;

/** One hour of all signals that are fitted. `idOf` names an alert that opens. */
export function judgeHour(
  {
    histories,
    fits,
    detectors,
    hour,
    ...past
  }: Past & { histories: Histories; fits: readonly SignalFit[]; detectors: ReadonlyMap<string, DetectorState>; hour: Hour },
  idOf: (turn: { signal: SignalName; part: string; direction: 'up' | 'down' }) => string,
): { detectors: Map<string, DetectorState>; turns: Turn[] } {
  const next = new Map(detectors);
  const turns: Turn[] = [];
  for (const fit of fits) {
    const { signal, part } = fit;
    const history = histories.get(historyKey(signal, part))?.history;
    const found = history === undefined ? undefined : forecast(history, fit, { hour, ...past });
    const measure = history?.measureAt(hour);
    if (history === undefined || found === undefined || measure === undefined || found.off === null) continue;
    for (const direction of signals[signal].directions) {
      const key = detectorKey(signal, part, direction);
      const before = next.get(key) ?? newDetector(key);
      const look = {
        atMs: hour * hourMs,
        hourMs,
        deviation: direction === 'up' ? found.off : -found.off,
        carry: fit.carry,
        thresholds: fit.thresholds[direction],
      };
      const { state, event } = step(before, look, () => idOf({ signal, part, direction }));
      next.set(key, state);
      if (event === null) continue;
      const alert = (event === 'opens' ? state : before).open?.alert ?? '';
      const value = plainValue(history.family, measure);
      turns.push({ event, alert, signal, part, direction, hour, sinceMs: state.open?.sinceMs ?? look.atMs, value, expected: found.expected });
    }
  }
  return { detectors: next, turns };
}

/** What an hour is expected to be, with the interval that holds 95 of 100, and by how many standard deviations it is off. Undefined without enough weeks. */
function forecast(history: SignalHistory, noise: Noise, { hour, ...past }: Past & { hour: Hour }): { expected: Expected; off: number | null } | undefined {
  const { family } = history;
  const before = family === 'score' ? [] : sameHours(history, { hour, ...past });
  if (family !== 'score' && before.length < weeksAtLeast) return undefined;
  const middle = family === 'score' ? 0 : median(before);
  const now = history.at(hour);
  const spread = deviation(noise, { counting: now?.counting ?? 0, beyond: wobble(family, middle) });
  const of = history.measureAt(hour)?.of ?? 0;
  const back = (y: number) => restore(family, y, { of, weight: history.weight });
  const expected = { value: back(middle), low: back(middle - 1.96 * spread), high: back(middle + 1.96 * spread) };
  return { expected, off: now === undefined ? null : (now.y - middle) / spread };
}

/** The `hours` up to and with `last`, as they were and as they were expected. */
export function picture(history: SignalHistory, fit: Noise, { last, hours, ...past }: Past & { last: Hour; hours: number }): AlertPoint[] {
  return Array.from({ length: hours }, (_, place) => {
    const hour = last - hours + 1 + place;
    const measure = history.measureAt(hour);
    const found = forecast(history, fit, { hour, ...past });
    const value = measure === undefined || history.at(hour) === undefined ? null : plainValue(history.family, measure);
    const { value: expected, low, high } = found?.expected ?? { value: null, low: null, high: null };
    return { atMs: hour * hourMs, value, expected, low, high };
  });
}
