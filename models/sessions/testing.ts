import fc from 'fast-check';
import { type EventKind, eventKinds } from '../contracts/event.ts';
import { type SessionEvent, sessionRules } from '../contracts/session.ts';
import type { SessionDefinition } from './cut-between.ts';
import { compareEvents } from './session-order.ts';

const minuteMs = 60_000;

/** Midnights at which something is odd: clocks go forward or back at them, near them, or over a whole day, or lie at half an hour of UTC. */
const midnights: [timeZone: string, at: string][] = [
  ['UTC', '2026-03-02T00:00:00Z'],
  // Days of 23 and 25 hours.
  ['Europe/London', '2026-03-29T00:00:00Z'],
  ['Europe/London', '2026-10-25T23:00:00Z'],
  ['Europe/London', '2026-10-26T00:00:00Z'],
  // Midnight does not exist: the day begins at 01:00.
  ['America/Sao_Paulo', '2018-11-04T03:00:00Z'],
  // The last hour of the day comes twice.
  ['America/Sao_Paulo', '2018-02-18T02:00:00Z'],
  ['America/Sao_Paulo', '2018-02-18T03:00:00Z'],
  ['Asia/Kolkata', '2026-03-01T18:30:00Z'],
  // Clocks move by half an hour.
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T13:30:00Z'],
  // One minute of the new day, then the old one again.
  ['America/St_Johns', '2010-11-07T02:30:00Z'],
  // A day that never was.
  ['Pacific/Apia', '2011-12-30T10:00:00Z'],
];

export type Case = SessionDefinition & { events: SessionEvent[] };

const minutes = (min: number, max: number) => fc.integer({ min, max }).map((count) => count * minuteMs);

/** Few units, few kinds, and times at whole minutes, so that gaps and lengths often equal their limits and times each other. */
export const cases: fc.Arbitrary<Case> = fc
  .record({
    midnight: fc.constantFrom(...midnights),
    rules: fc.record({
      gapMs: minutes(1, 25),
      maxMs: minutes(1, 60),
      boundaries: fc.record({
        midnight: fc.boolean(),
        kinds: fc.subarray<EventKind>(['purchase', 'rating'], { minLength: 0 }),
        clientSession: fc.boolean(),
      }),
    }),
    rows: fc.array(
      fc.record({
        unit: fc.constantFrom('u:a', 's:b'),
        // Code points and UTF-16 code units order the last two differently.
        eventId: fc.tuple(fc.constantFrom('a', 'B', '\u{ff5e}', '\u{1f6d2}'), fc.integer({ min: 0, max: 99 })).map(([prefix, number]) => `${prefix}${number}`),
        kind: fc.constantFrom<EventKind>('view', 'click', 'purchase', 'rating'),
        sessionId: fc.constantFrom('s1', 's2'),
        afterMs: fc.oneof({ weight: 9, arbitrary: minutes(-120, 120) }, { weight: 1, arbitrary: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
      }),
      { maxLength: 40 },
    ),
  })
  .map(({ midnight: [timeZone, at], rules, rows }) => {
    const events = rows.map(({ afterMs, ...row }) => ({ ...row, atMs: Date.parse(at) + afterMs }));
    return { rules: sessionRules.parse(rules), timeZone, events: distinct(events) };
  });

function distinct(events: readonly SessionEvent[]): SessionEvent[] {
  return events.filter((event, index) => events.findIndex((other) => other.unit === event.unit && compareEvents(other, event) === 0) === index);
}

/** A unit's event a number of minutes after noon of 2026-03-02 UTC. */
export function eventAt(afterMinutes: number, change: Partial<SessionEvent> = {}): SessionEvent {
  const atMs = Date.UTC(2026, 2, 2, 12) + afterMinutes * minuteMs;
  return { unit: 'u:a', eventId: `e${String(afterMinutes).padStart(5, '0')}`, kind: eventKinds[1], sessionId: 's1', atMs, ...change };
}
