import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sessionRules, type SessionEvent } from '../contracts/session.ts';
import { compareEvents, sessionIdOf } from './session-order.ts';
import { sessionize } from './sessionize.ts';
import { cases, eventAt } from './testing.ts';

const minuteMs = 60_000;
const cut = (events: readonly SessionEvent[], rules: unknown = {}, timeZone = 'UTC') =>
  sessionize(events, { rules: sessionRules.parse(rules), timeZone }).map(({ fromMs, events: count, begunBy }) => [
    (fromMs - Date.UTC(2026, 2, 2, 12)) / minuteMs,
    count,
    begunBy,
  ]);
/** How many events the sessions have that a unit's events at these instants make, when midnight cuts and hardly anything else. */
const counts = (timeZone: string, ...instants: string[]) =>
  sessionize(
    instants.map((at, index) => eventAt(0, { atMs: Date.parse(at), eventId: `e${index}` })),
    { rules: sessionRules.parse({ maxMs: 172_800_000, gapMs: 172_800_000, boundaries: { midnight: true } }), timeZone },
  ).map(({ events }) => events);

describe('sessionize', () => {
  it('cuts after more than 30 minutes, and beyond 4 hours of the first event, unless told otherwise', () => {
    expect(sessionRules.parse({})).toEqual({ gapMs: 1_800_000, maxMs: 14_400_000, boundaries: { midnight: false, kinds: [], clientSession: false } });
    expect(cut([eventAt(0), eventAt(30), eventAt(60.001), eventAt(90.002)])).toEqual([
      [0, 2, 'first'],
      [60.001, 1, 'gap'],
      [90.002, 1, 'gap'],
    ]);
    const steady = Array.from({ length: 20 }, (_, index) => eventAt(index * 30));
    expect(cut(steady)).toEqual([
      [0, 9, 'first'],
      [270, 9, 'maximum'],
      [540, 2, 'maximum'],
    ]);
  });

  it('says of each session what it is', () => {
    const [first, second] = sessionize([eventAt(40), eventAt(0), eventAt(5)], { rules: sessionRules.parse({}), timeZone: 'UTC' });
    expect(first).toEqual({
      unit: 'u:a',
      id: sessionIdOf(eventAt(0)),
      fromMs: eventAt(0).atMs,
      toMs: eventAt(5).atMs,
      events: 2,
      closed: true,
      begunBy: 'first',
    });
    expect(second).toMatchObject({ id: sessionIdOf(eventAt(40)), events: 1 });
    // It names the session in what is stored: another way to make it is another format.
    expect(first?.id).toBe('1dd84ea656744d0e61459e28');
  });

  it('ends a session with an event of a boundary kind, and with all that happened at once with it', () => {
    const bought = (atMs: number, eventId: string) => eventAt(atMs, { eventId, kind: 'purchase' });
    const events = [eventAt(0, { eventId: 'a' }), bought(1, 'b'), bought(1, 'c'), bought(1, 'd'), eventAt(2)];
    expect(cut(events, { boundaries: { kinds: ['purchase'] } })).toEqual([
      [0, 4, 'first'],
      [2, 1, 'kind'],
    ]);
    expect(cut(events)).toEqual([[0, 5, 'first']]);
  });

  it("cuts where the client's session changes, if that is asked for", () => {
    const events = [eventAt(0), eventAt(1, { sessionId: 's2' }), eventAt(2, { sessionId: 's2' }), eventAt(3)];
    expect(cut(events, { boundaries: { clientSession: true } })).toEqual([
      [0, 1, 'first'],
      [1, 2, 'client-session'],
      [3, 1, 'client-session'],
    ]);
  });

  it.each([
    ['UTC', ['2026-03-02T23:59:59.999Z', '2026-03-03T00:00:00Z'], [1, 1]],
    ['Europe/London', ['2026-03-29T00:00:00Z', '2026-03-29T22:59:59.999Z', '2026-03-29T23:00:00Z'], [2, 1]],
    ['Europe/London', ['2026-10-24T23:00:00Z', '2026-10-25T23:59:59.999Z', '2026-10-26T00:00:00Z'], [2, 1]],
    ['America/Sao_Paulo', ['2018-11-04T02:59:59.999Z', '2018-11-04T03:00:00Z', '2018-11-05T01:59:59.999Z', '2018-11-05T02:00:00Z'], [1, 2, 1]],
    ['America/Sao_Paulo', ['2018-02-18T01:59:59.999Z', '2018-02-18T02:59:59.999Z', '2018-02-18T03:00:00Z'], [2, 1]],
    ['Asia/Kolkata', ['2026-03-01T18:29:59.999Z', '2026-03-01T18:30:00Z'], [1, 1]],
    ['Australia/Lord_Howe', ['2026-04-04T13:00:00Z', '2026-04-05T13:29:59.999Z', '2026-04-05T13:30:00Z'], [2, 1]],
  ])('begins a session with the day of %s: %j', (timeZone, instants, expected) => {
    expect(counts(timeZone, ...instants)).toEqual(expected);
  });

  it('has every event in one session, and no two neighbours that could be one', () => {
    fc.assert(
      fc.property(cases, ({ events, ...definition }) => {
        const sessions = sessionize(events, definition);
        expect(sessions.reduce((sum, { events: count }) => sum + count, 0)).toBe(events.length);
        for (const { fromMs, toMs } of sessions) expect(toMs - fromMs).toBeLessThanOrEqual(definition.rules.maxMs);
        for (const [index, { unit, fromMs, begunBy }] of sessions.entries()) {
          const before = sessions[index - 1];
          expect(begunBy === 'first').toBe(before?.unit !== unit);
          if (begunBy === 'gap') expect(fromMs - (before?.toMs ?? 0)).toBeGreaterThan(definition.rules.gapMs);
          if (begunBy === 'maximum') expect(fromMs - (before?.fromMs ?? 0)).toBeGreaterThan(definition.rules.maxMs);
        }
      }),
    );
  });

  it('does not mind the order of arrival, nor an event that arrives twice', () => {
    fc.assert(
      fc.property(
        cases.chain((one) => fc.record({ one: fc.constant(one), again: fc.shuffledSubarray([...one.events, ...one.events], { minLength: 0 }) })),
        ({ one: { events, ...definition }, again }) => {
          expect(sessionize([...again, ...events], definition)).toEqual(sessionize(events, definition));
        },
      ),
    );
  });
});

it('orders ids by code points, as a database does', () => {
  const ids = ['', 'B', 'a', 'aa', '\u{ff5e}', '\u{1f6d2}', '\u{1f6d2}a'];
  const sorted = ids.toReversed().sort((a, b) => compareEvents({ atMs: 0, eventId: a }, { atMs: 0, eventId: b }));
  expect(sorted).toEqual(ids);
});
