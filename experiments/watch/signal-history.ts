import type { Measure, SignalFamily } from '../../models/contracts/signal.ts';
import { type Stabilised, stabilise } from './stabilise.ts';

/** Whole hours since the Unix epoch. */
export type Hour = number;
export const hourMs = 3_600_000;
export const hoursOfWeek = 168;

/** Which hour of which weekday an hour is, 0 to 167, as clocks in the surface's time zone have it. */
export type WeekClock = (hour: Hour) => number;

/** Of an IANA time zone. The hour that a clock shows twice is twice the same one. */
export function weekClock(timeZone: string): WeekClock {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', hourCycle: 'h23' });
  const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  const known = new Map<Hour, number>();
  return (hour) => {
    const found = known.get(hour);
    if (found !== undefined) return found;
    const parts = Object.fromEntries(format.formatToParts(hour * hourMs).map(({ type, value }) => [type, value]));
    const slot = days.indexOf(parts.weekday ?? '') * 24 + Number(parts.hour);
    known.set(hour, slot);
    return slot;
  };
}

/** One signal's measures by hour, and the same stabilised. Hours that are `left` out, since an alert was open, are not expected of. */
export class SignalHistory {
  readonly family: SignalFamily;
  private readonly byHour = new Map<Hour, Pick<Measure, 'total' | 'of'>>();
  private readonly stable = new Map<Hour, Stabilised>();
  private readonly left = new Set<Hour>();
  private given = 0;
  private squares = 0;

  constructor(family: SignalFamily) {
    this.family = family;
  }

  add(hour: Hour, measure: Pick<Measure, 'total' | 'of' | 'squares'>): void {
    this.byHour.set(hour, measure);
    this.given += measure.total;
    this.squares += measure.squares ?? measure.total;
    this.stable.delete(hour);
    // The weight of a rate is of all its hours.
    if (this.family === 'rate' && hour % 24 === 0) this.stable.clear();
  }

  leaveOut(hour: Hour): void {
    this.left.add(hour);
  }

  /** Forgets what is older. */
  forgetBefore(hour: Hour): void {
    for (const one of this.byHour.keys()) {
      if (one >= hour) break;
      this.byHour.delete(one);
      this.left.delete(one);
    }
  }

  get weight(): number {
    return this.given > 0 && this.squares > 0 ? this.squares / this.given : 1;
  }

  /** Nothing was there in any hour: that it is not there now says nothing. */
  get isNothing(): boolean {
    return this.given === 0;
  }

  measureAt(hour: Hour): Pick<Measure, 'total' | 'of'> | undefined {
    return this.byHour.get(hour);
  }

  at(hour: Hour): Stabilised | undefined {
    const found = this.stable.get(hour);
    if (found !== undefined) return found;
    const measure = this.byHour.get(hour);
    const made = measure === undefined ? undefined : stabilise(this.family, measure, this);
    if (made !== undefined) this.stable.set(hour, made);
    return made;
  }

  /** Hours that say what is usual. */
  usual(hour: Hour): Stabilised | undefined {
    return this.left.has(hour) ? undefined : this.at(hour);
  }

  hours(): Iterable<Hour> {
    return this.byHour.keys();
  }
}

/** So many weeks must be there of an hour of the week for it to be expected of. */
export const weeksAtLeast = 3;

/** The same hour of the week in the `weeks` before, nearest first. Where clocks were changed, it is an hour beside. */
export function sameHours(history: SignalHistory, { hour, weeks, clock }: { hour: Hour; weeks: number; clock: WeekClock }): number[] {
  const slot = clock(hour);
  const found: number[] = [];
  for (let week = 1; week <= weeks; week += 1) {
    const back = hour - week * hoursOfWeek;
    const same = [back, back - 1, back + 1].find((one) => clock(one) === slot);
    const value = same === undefined ? undefined : history.usual(same);
    if (value !== undefined) found.push(value.y);
  }
  return found;
}

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
