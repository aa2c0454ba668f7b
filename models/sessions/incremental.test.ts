import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Session, type SessionEvent, sessionRules } from '../contracts/session.ts';
import { createRandom } from '../random.ts';
import type { SessionDefinition } from './cut-between.ts';
import type { SessionChange } from './held-events.ts';
import { incrementalSessions, sessionState } from './incremental.ts';
import { sessionize } from './sessionize.ts';
import { type Case, cases, eventAt } from './testing.ts';

const minuteMs = 60_000;
const farMs = 400 * 86_400_000;

/** A view that does what it is told, and refuses what may not be. */
function openView() {
  const sessions = new Map<string, Session>();
  return {
    apply(changes: readonly SessionChange[]) {
      for (const one of changes) {
        const id = one.change === 'delete' ? one.id : one.session.id;
        if (sessions.get(id)?.closed === true) throw new Error(`${id} is closed, and ${JSON.stringify(one)}`);
        if (one.change === 'upsert') sessions.set(id, one.session);
        else if (!sessions.delete(id)) throw new Error(`${id} is not there to be deleted`);
      }
    },
    sessions: () => inOrder([...sessions.values()]),
  };
}

function inOrder(sessions: readonly Session[]): Session[] {
  return sessions.toSorted((a, b) => (a.unit < b.unit ? -1 : a.unit > b.unit ? 1 : a.fromMs - b.fromMs || (a.id < b.id ? -1 : 1)));
}

const batch = (events: readonly SessionEvent[], definition: SessionDefinition): Session[] =>
  inOrder(sessionize(events, definition).map(({ begunBy: _, ...session }) => session));
const unclosed = (sessions: readonly Session[]) => sessions.map(({ closed: _, ...session }) => session);

/** Events in an order in which they may arrive: each at most the lateness after any that happened later. Some arrive twice. */
const arrivals = cases.chain((one) =>
  fc
    .record({
      allowedLatenessMs: fc.integer({ min: 0, max: 90 }).map((count) => count * minuteMs),
      delays: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2 * one.events.length, maxLength: 2 * one.events.length }),
      twice: fc.subarray(one.events, { minLength: 0 }),
    })
    .map(({ allowedLatenessMs, delays, twice }) => {
      const due = [...one.events, ...twice].map((event, index) => ({ event, atMs: event.atMs + Math.floor((delays[index] ?? 0) * allowedLatenessMs) }));
      return { ...one, allowedLatenessMs, arriving: due.sort((a, b) => a.atMs - b.atMs).map(({ event }) => event) };
    }),
);
type Arrivals = Case & { allowedLatenessMs: number; arriving: SessionEvent[] };

describe('incremental sessions', () => {
  it('are at every moment those of the batch, in whatever order events arrive, and in the end all closed and nothing held', () => {
    fc.assert(
      fc.property(arrivals, ({ events, arriving, ...input }: Arrivals) => {
        const [incremental, view] = [incrementalSessions(input), openView()];
        const seen: SessionEvent[] = [];
        for (const event of arriving) {
          const { outcome, changes } = incremental.take(event);
          expect(outcome).toBe(seen.includes(event) ? 'duplicate' : 'taken');
          view.apply(changes);
          seen.push(event);
          expect(unclosed(view.sessions())).toEqual(unclosed(batch(seen, input)));
        }
        view.apply(incremental.advance(Date.now() + farMs));
        expect(view.sessions()).toEqual(batch(events, input));
        expect(incremental.save().units).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('end the same when the run is cut into two and its state kept as JSON between them', () => {
    fc.assert(
      fc.property(arrivals, fc.nat(), ({ events, arriving, ...input }: Arrivals, at) => {
        const view = openView();
        const first = incrementalSessions(input);
        const cutAt = at % (arriving.length + 1);
        for (const event of arriving.slice(0, cutAt)) view.apply(first.take(event).changes);
        const saved = first.save();
        const second = incrementalSessions({ ...input, state: sessionState.parse(JSON.parse(JSON.stringify(saved))) });
        expect(second.save()).toEqual(saved);
        for (const event of arriving.slice(cutAt)) view.apply(second.take(event).changes);
        // The state was a copy: what the second run does to it is not done to the first.
        expect(first.save()).toEqual(saved);
        view.apply(second.advance(Date.now() + farMs));
        expect(view.sessions()).toEqual(batch(events, input));
        expect(second.counts()).toEqual({ taken: events.length, duplicate: arriving.length - events.length, 'too-late': 0 });
      }),
      { numRuns: 300 },
    );
  });

  it('say which events are too late, count them, and are those of the batch over the rest', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 0, max: 90 }), ({ events, ...definition }, lateMinutes) => {
        const allowedLatenessMs = lateMinutes * minuteMs;
        const [incremental, view] = [incrementalSessions({ ...definition, allowedLatenessMs }), openView()];
        const taken: SessionEvent[] = [];
        let newestMs = 0;
        for (const event of events) {
          const late = newestMs - event.atMs > allowedLatenessMs;
          const { outcome, changes } = incremental.take(event);
          expect(outcome).toBe(late ? 'too-late' : 'taken');
          if (late) expect(changes).toEqual([]);
          else taken.push(event);
          newestMs = Math.max(newestMs, event.atMs);
          view.apply(changes);
        }
        expect(incremental.counts()).toEqual({ taken: taken.length, duplicate: 0, 'too-late': events.length - taken.length });
        view.apply(incremental.advance(Date.now() + farMs));
        expect(view.sessions()).toEqual(batch(taken, definition));
      }),
      { numRuns: 300 },
    );
  });

  it('hold no session open that nothing can change', () => {
    fc.assert(
      fc.property(arrivals, ({ arriving, ...input }: Arrivals) => {
        // Days are not asked when a session is closed: an event of a next day waits for the gap.
        const rules = { ...input.rules, boundaries: { ...input.rules.boundaries, midnight: false } };
        const [incremental, view] = [incrementalSessions({ ...input, rules }), openView()];
        for (const event of arriving) view.apply(incremental.take(event).changes);
        view.apply(incremental.advance(0));
        const { watermarkMs } = incremental.save();
        for (const { unit, id, toMs, closed } of view.sessions()) {
          if (closed) continue;
          const last = arriving.filter((event) => event.unit === unit && event.atMs === toMs);
          const atMs = Math.max(watermarkMs - input.allowedLatenessMs, toMs);
          const changing = last.flatMap(({ sessionId }) =>
            [' ', '\u{10ffff}'].map((eventId): SessionEvent => ({ unit, eventId, kind: 'view', sessionId, atMs })),
          );
          const before = batch(arriving, { ...input, rules }).find((one) => one.id === id);
          const after = changing.map((event) => batch([...arriving, event], { ...input, rules }).find((one) => one.id === id));
          expect(after.some((one) => JSON.stringify(one) !== JSON.stringify(before))).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what the changes say', () => {
  const input = { rules: sessionRules.parse({ maxMs: 60 * minuteMs }), timeZone: 'UTC', allowedLatenessMs: 180 * minuteMs };

  it('a late event joins two sessions: one grows, the other is deleted', () => {
    const incremental = incrementalSessions(input);
    incremental.take(eventAt(0));
    const [second] = incremental.take(eventAt(40)).changes;
    const { outcome, changes } = incremental.take(eventAt(20));
    expect(outcome).toBe('taken');
    expect(changes).toMatchObject([
      { change: 'upsert', session: { fromMs: eventAt(0).atMs, toMs: eventAt(40).atMs, events: 3, closed: false } },
      { change: 'delete', id: second?.change === 'upsert' ? second.session.id : '' },
    ]);
  });

  it('a late event at the front shifts every cut at the maximum behind it', () => {
    const incremental = incrementalSessions(input);
    const view = openView();
    for (let at = 20; at <= 140; at += 20) view.apply(incremental.take(eventAt(at)).changes);
    const begins = () => view.sessions().map(({ fromMs }) => (fromMs - eventAt(0).atMs) / minuteMs);
    expect(begins()).toEqual([20, 100]);
    const { changes } = incremental.take(eventAt(10));
    view.apply(changes);
    expect(begins()).toEqual([10, 80]);
    expect(changes.map(({ change }) => change).sort()).toEqual(['delete', 'delete', 'upsert', 'upsert']);
  });

  it('an event of a boundary kind that comes late splits a session', () => {
    const incremental = incrementalSessions({ ...input, rules: sessionRules.parse({ boundaries: { kinds: ['purchase'] } }) });
    for (const at of [0, 1, 3, 4]) incremental.take(eventAt(at));
    expect(incremental.take(eventAt(2, { kind: 'purchase' })).changes).toMatchObject([
      { change: 'upsert', session: { fromMs: eventAt(0).atMs, toMs: eventAt(2).atMs, events: 3 } },
      { change: 'upsert', session: { fromMs: eventAt(3).atMs, toMs: eventAt(4).atMs, events: 2 } },
    ]);
  });

  it('time alone closes a session, with the first moment at which nothing can continue it', () => {
    const incremental = incrementalSessions(input);
    incremental.take(eventAt(0));
    expect(incremental.advance(eventAt(210).atMs)).toEqual([]);
    expect(incremental.advance(eventAt(210).atMs + 1)).toMatchObject([{ session: { events: 1, closed: true } }]);
    expect(incremental.advance(eventAt(0).atMs)).toEqual([]);
    expect(incremental.take(eventAt(20)).outcome).toBe('too-late');
  });

  it('at the maximum to the millisecond a session goes on, and beyond it nothing can continue it', () => {
    const closedAfter = (ms: number) => {
      const incremental = incrementalSessions(input);
      for (const at of [0, 25, 50]) incremental.take(eventAt(at));
      const closed = incremental.advance(eventAt(240).atMs + ms).length > 0;
      return { closed, last: incremental.take(eventAt(60, { atMs: eventAt(60).atMs + ms })).changes };
    };
    expect(closedAfter(0)).toMatchObject({ closed: false, last: [{ session: { events: 4 } }] });
    expect(closedAfter(1)).toMatchObject({ closed: true, last: [{ session: { events: 1 } }] });
  });

  it('an event at the horizon itself may still come before another that is there', () => {
    const incremental = incrementalSessions({ ...input, rules: sessionRules.parse({ boundaries: { clientSession: true } }) });
    incremental.take(eventAt(0));
    incremental.take(eventAt(10, { sessionId: 's2' }));
    expect(incremental.advance(eventAt(190).atMs)).toEqual([]);
    expect(incremental.take(eventAt(10, { eventId: 'a' })).changes).toMatchObject([
      { session: { fromMs: eventAt(0).atMs, toMs: eventAt(10).atMs, events: 2 } },
    ]);
    expect(incremental.advance(eventAt(190).atMs + 1)).toMatchObject([{ session: { events: 2, closed: true } }]);
  });

  it('refuses a state of other rules, and what is no state', () => {
    const state = incrementalSessions(input).save();
    for (const change of [{ rules: sessionRules.parse({}) }, { timeZone: 'Asia/Kolkata' }, { allowedLatenessMs: 0 }])
      expect(() => incrementalSessions({ ...input, ...change, state })).toThrow(/other rules/);
    expect(sessionState.safeParse({ ...state, watermarkMs: -1 }).success).toBe(false);
  });
});

describe('what is held', () => {
  it('is bounded by what the last lateness and gap brought, however long it runs', () => {
    const random = createRandom(7);
    const [gapMs, allowedLatenessMs] = [5 * minuteMs, 20 * minuteMs];
    const rules = sessionRules.parse({ gapMs, maxMs: 30 * minuteMs, boundaries: { midnight: true } });
    const incremental = incrementalSessions({ rules, timeZone: 'Europe/London', allowedLatenessMs });
    const stepMs = 1_000;
    const most = { units: 0, events: 0, ofOne: 0 };
    // A unit that never rests, and one that comes for a single event, by turns.
    for (let index = 0; index < 30_000; index += 1) {
      const atMs = eventAt(0).atMs + index * stepMs - random.below(allowedLatenessMs / 2);
      incremental.take(eventAt(0, { unit: index % 2 === 0 ? 'u:always' : `s:${index}`, eventId: `e${index}`, atMs }));
      if (index % 1_000 !== 0) continue;
      const { units } = incremental.save();
      most.units = Math.max(most.units, units.length);
      most.events = Math.max(most.events, ...units.map(({ events }) => events.length));
    }
    const lookedAtMs = 1.25 * (gapMs + allowedLatenessMs) + allowedLatenessMs / 2;
    expect(most.units).toBeLessThanOrEqual(1 + lookedAtMs / stepMs / 2 + 1);
    expect(most.events).toBeLessThanOrEqual(1 + (1.5 * allowedLatenessMs) / stepMs / 2);
    expect(most.events).toBeGreaterThan(100);
    expect(incremental.counts()['too-late']).toBe(0);
  });
});
