import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { DataState } from '../../models/contracts/window.ts';
import type { Days } from '../framing/open-framing.ts';
import { addDays, daysBetween } from '../windows/days.ts';
import type { Periods } from './read-periods.ts';
import type { Origin } from './retrained-vectors.ts';

export const lengthOf = ({ from, to }: Days): number => daysBetween(from, to) + 1;

/** The newest whole weeks of the data, and as many before; null where there are too few. */
export function newestPeriods(data: Pick<DataState, 'slices'>, weeks: number): Periods | null {
  const held = heldDays(data);
  return held === null ? null : lastOf(held, weeks);
}

function heldDays({ slices }: Pick<DataState, 'slices'>): Days | null {
  const held = slices.filter(({ rows }) => rows > 0);
  const [first, last] = [held[0]?.day, held.at(-1)?.day];
  return first === undefined || last === undefined ? null : { from: first, to: last };
}

function lastOf(days: Days, weeks: number): Periods | null {
  if (lengthOf(days) < 14 * weeks) return null;
  const from = addDays(days.to, 1 - 7 * weeks);
  return { from: { from: addDays(from, -7 * weeks), to: addDays(from, -1) }, to: { from, to: days.to } };
}

/** @throws UND-INPUT for days of different lengths, or that overlap */
export function checkPeriods({ from, to }: Periods): void {
  const lengths = [lengthOf(from), lengthOf(to)];
  if (lengths.some((length) => length < 1) || lengths[0] !== lengths[1])
    throw new UnderstudyError('UND-INPUT', `What users do in a period grows with it: two of the same length are compared, not ${lengths.join(' and ')} days`);
  if (from.to >= to.from) throw new UnderstudyError('UND-INPUT', `The older days, ${from.from} to ${from.to}, must end before the newer begin, on ${to.from}`);
}

/** How much of `days` a model was trained on. */
const seen = ({ window: { train } }: Origin, days: Days): 'all' | 'none' | 'some' =>
  days.from >= train.from && days.to <= train.to ? 'all' : days.to < train.from || days.from > train.to ? 'none' : 'some';

/**
 * A model, and days on which it can be asked: those that are compared, if a model was trained on all of them or on none, since it scores users of days that it has seen higher; else the newest
 * weeks, as many or fewer, that the older one was not trained on; else the last that the newer was trained on. Null where there are none.
 */
export function scoredPeriods(
  models: { from: Origin; to: Origin },
  periods: Periods,
  data: Pick<DataState, 'slices'>,
): { model: Origin; periods: Periods } | null {
  const fair = [models.to, models.from].find((model) => seen(model, periods.from) !== 'some' && seen(model, periods.from) === seen(model, periods.to));
  if (fair !== undefined) return { model: fair, periods };
  const held = heldDays(data);
  if (held === null) return null;
  for (let weeks = Math.floor(lengthOf(periods.to) / 7); weeks > 0; weeks -= 1) {
    const { from, to } = models;
    const after = from.window.train.to < held.from ? held : { from: addDays(from.window.train.to, 1), to: held.to };
    const unseen = lastOf(after, weeks);
    if (unseen !== null) return { model: from, periods: unseen };
    const within = lastOf(to.window.train, weeks);
    if (within !== null && within.from.from >= held.from) return { model: to, periods: within };
  }
  return null;
}
