import type { VariantName } from '../../models/contracts/deployment.ts';
import { type Event, unitOf } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import type { ByUser, Signs } from './arm-data.ts';

/** Where the canary began, and how long nothing must be served to be a pause. */
export type Watch = { startedAtMs: number; quietAfterMs: number };
type UnitTraffic = { slates: number; events: number };
type OwnSlates = { slates: number; errors: number; fallbacks: number; slow: number };
/** `answeredBy`: whose slate it is, 0 the champion's, then each challenger's number; null: nobody's. */
type Answer = { answeredBy: number | null; failed: boolean; fellBack: boolean; slow: boolean };
type Asked = { enrolled: Iterable<{ name: string; variant: VariantName }>; others: ReadonlySet<string>; challenger: number; nowMs: number };

/** Time is counted in so many parts of the shortest pause: little memory, and no pause is taken for longer than it was. */
const partsOfPause = 8;

/** What the log shows besides outcomes, counted as it grows: what came twice, who is busy, who is silent, when nothing was served. */
export class LogSigns {
  private readonly units = new Map<string, UnitTraffic>();
  /** What each challenger answered, by unit. */
  private readonly answers = new Map<number, Map<string, OwnSlates>>();
  private readonly seenEvents = new Set<string>();
  private readonly busyParts = new Set<number>();
  /** What came again, by unit. */
  private readonly repeated = new Map<string, UnitTraffic>();
  private readonly watch: Watch;
  private newestMs = Number.NEGATIVE_INFINITY;

  constructor(watch: Watch = { startedAtMs: 0, quietAfterMs: Number.POSITIVE_INFINITY }) {
    this.watch = watch;
  }

  /** A slate that was met before. */
  addRepeatedSlate(unit: string): void {
    trafficIn(this.repeated, unit).slates += 1;
  }

  addSlate({ unit, atMs }: SlateRecord, { answeredBy, failed, fellBack, slow }: Answer): void {
    const traffic = trafficIn(this.units, unit);
    traffic.slates += 1;
    this.newestMs = Math.max(this.newestMs, atMs);
    if (Number.isFinite(this.watch.quietAfterMs)) this.busyParts.add(Math.floor((partsOfPause * (atMs - this.watch.startedAtMs)) / this.watch.quietAfterMs));
    if (answeredBy === null || answeredBy === 0) return;
    const own = this.answersOf(answeredBy, unit);
    own.slates += 1;
    own.errors += failed ? 1 : 0;
    own.fallbacks += fellBack ? 1 : 0;
    own.slow += slow ? 1 : 0;
  }

  /** Events that give a reward are told apart by their id; of the others only the number counts. */
  addEvent(event: Event, isRewarded: boolean): void {
    if (isRewarded) {
      if (this.seenEvents.has(event.eventId)) {
        trafficIn(this.repeated, unitOf(event)).events += 1;
        return;
      }
      this.seenEvents.add(event.eventId);
    }
    trafficIn(this.units, unitOf(event)).events += 1;
  }

  /** Of a challenger and the champion. `others`: units that do not count here. What tells of the clock is the whole release's. */
  summarize({ enrolled, others, challenger, nowMs }: Asked): { signs: Signs; byUser: ByUser } {
    const busiest = { champion: { slates: 0, events: 0 }, challenger: { slates: 0, events: 0 } };
    const heard = { champion: 0, challenger: 0 };
    for (const { name, variant } of enrolled) {
      const { slates, events } = trafficIn(this.units, name);
      busiest[variant].slates = Math.max(busiest[variant].slates, slates);
      busiest[variant].events = Math.max(busiest[variant].events, events);
      if (events > 0) heard[variant] += 1;
    }
    const duplicates = { slates: 0, events: 0 };
    for (const [name, { slates, events }] of this.repeated) {
      if (others.has(name)) continue;
      duplicates.slates += slates;
      duplicates.events += events;
    }
    const aheadMs = Math.max(0, Number.isFinite(this.newestMs) ? this.newestMs - nowMs : 0);
    return { signs: { duplicates, busiest, heard, ...this.quiet(nowMs), aheadMs }, byUser: this.byUser(challenger) };
  }

  private byUser(challenger: number): ByUser {
    const answers = this.answers.get(challenger) ?? new Map<string, OwnSlates>();
    const found: ByUser = { users: answers.size, errors: 0, fallbacks: 0, slow: 0 };
    const failing: [name: string, own: OwnSlates][] = [];
    for (const [name, own] of answers) {
      if (own.errors + own.fallbacks + own.slow > 0) failing.push([name, own]);
    }
    // In one order, whatever came first: sums of fractions depend on it in their last bits.
    failing.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [, own] of failing) for (const kind of ['errors', 'fallbacks', 'slow'] as const) found[kind] += own[kind] / own.slates;
    return found;
  }

  /** Whole parts without any slate, where enough of them follow one another. */
  private quiet(nowMs: number): Pick<Signs, 'quietMs'> {
    const { startedAtMs, quietAfterMs } = this.watch;
    if (!Number.isFinite(quietAfterMs)) return { quietMs: 0 };
    const partMs = quietAfterMs / partsOfPause;
    const now = Math.floor((nowMs - startedAtMs) / partMs);
    const busy = [...this.busyParts].filter((part) => part >= 0 && part <= now).sort((a, b) => a - b);
    const gaps = [...busy, now].map((part, index) => part - (busy[index - 1] ?? -1) - 1);
    return { quietMs: gaps.filter((parts) => parts >= partsOfPause).reduce((sum, parts) => sum + parts, 0) * partMs };
  }

  private answersOf(challenger: number, unit: string): OwnSlates {
    const answers = this.answers.get(challenger) ?? new Map<string, OwnSlates>();
    this.answers.set(challenger, answers);
    const found = answers.get(unit) ?? { slates: 0, errors: 0, fallbacks: 0, slow: 0 };
    answers.set(unit, found);
    return found;
  }
}

function trafficIn(units: Map<string, UnitTraffic>, unit: string): UnitTraffic {
  const found = units.get(unit) ?? { slates: 0, events: 0 };
  units.set(unit, found);
  return found;
}
