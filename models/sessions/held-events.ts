import type { Session, SessionEvent } from '../contracts/session.ts';
import { cutBetween, type SessionDefinition } from './cut-between.ts';
import { compareEvents, sessionIdOf } from './session-order.ts';

/** What a view of the sessions, keyed by their ids, does to stay right. */
export type SessionChange = { change: 'upsert'; session: Session } | { change: 'delete'; unit: string; id: string };

export type OpenSession = Omit<Session, 'closed'> & { firstEventId: string };

/** An event that is held, and the session that it stands in. */
export type Held = { event: SessionEvent; session: OpenSession };

/** What is done to the held events of one unit, which stand in order. */
export type HeldEvents = {
  /** Undefined where the event is there already. */
  insert(held: Held[], event: SessionEvent): SessionChange[] | undefined;
  /** Forgets what no event from the horizon on can change, and says which sessions are closed by it. */
  settle(held: Held[], horizonMs: number): SessionChange[];
};

export function heldEvents(definition: SessionDefinition): HeldEvents {
  const { rules } = definition;
  const cut = cutBetween(definition);
  const endings = new Set(rules.boundaries.kinds);
  return { insert, settle };

  /** Puts an event in, and gives those behind it to other sessions until all is as it was. */
  function insert(held: Held[], event: SessionEvent): SessionChange[] | undefined {
    const place = placeOf(event, held);
    const there = held[place];
    if (there !== undefined && compareEvents(there.event, event) === 0) return undefined;
    const own = continuedBy(held[place - 1], event) ?? begin(event);
    held.splice(place, 0, { event, session: own });
    join(own, event);
    const touched = new Set([own]);
    const left = new Set<OpenSession>();
    for (let index = place + 1; index < held.length; index += 1) {
      const one = held[index] as Held;
      const old = one.session;
      const continued = continuedBy(held[index - 1], one.event);
      if (continued === old || (continued === undefined && begins(one))) break;
      one.session = continued ?? begin(one.event);
      join(one.session, one.event);
      old.events -= 1;
      left.add(old);
      touched.add(old).add(one.session);
    }
    for (const one of left) if (one.events > 0) one.toMs = (held.findLast(({ session: of }) => of === one) as Held).event.atMs;
    return [...touched].map((one) => (one.events === 0 ? { change: 'delete', unit: one.unit, id: one.id } : upsert(one, false)));
  }

  /** The session of the event before, where this one continues it. */
  function continuedBy(before: Held | undefined, event: SessionEvent): OpenSession | undefined {
    if (before === undefined || cut(before.event, event) !== undefined || event.atMs - before.session.fromMs > rules.maxMs) return undefined;
    return before.session;
  }

  function settle(held: Held[], horizonMs: number): SessionChange[] {
    const changes: SessionChange[] = [];
    let kept = 0;
    for (; kept < held.length; kept += 1) {
      const [one, next] = [held[kept] as Held, held[kept + 1]];
      if (one.event.atMs >= horizonMs) break;
      const settled = next !== undefined && next.event.atMs < horizonMs;
      if (!settled && canGoOn(one, horizonMs)) break;
      if (next?.session !== one.session) changes.push(upsert(one.session, true));
    }
    if (kept > 0) held.splice(0, kept);
    return changes;
  }

  /** Can an event from the horizon on stand in the session behind this one? */
  function canGoOn({ event, session: of }: Held, horizonMs: number): boolean {
    return horizonMs - event.atMs <= rules.gapMs && horizonMs - of.fromMs <= rules.maxMs && !endings.has(event.kind);
  }
}

const begin = (event: SessionEvent): OpenSession => ({
  unit: event.unit,
  id: sessionIdOf(event),
  firstEventId: event.eventId,
  fromMs: event.atMs,
  toMs: event.atMs,
  events: 0,
});

function join(into: OpenSession, { atMs }: SessionEvent): void {
  into.events += 1;
  into.toMs = Math.max(into.toMs, atMs);
}

const begins = ({ event, session: of }: Held): boolean => event.atMs === of.fromMs && event.eventId === of.firstEventId;

function upsert({ unit, id, fromMs, toMs, events }: OpenSession, closed: boolean): SessionChange {
  return { change: 'upsert', session: { unit, id, fromMs, toMs, events, closed } };
}

/** Of the first event that does not come before this one. Most events come last. */
function placeOf(event: SessionEvent, held: readonly Held[]): number {
  const before = (index: number) => compareEvents((held[index] as Held).event, event) < 0;
  if (held.length === 0 || before(held.length - 1)) return held.length;
  let [from, to] = [0, held.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (before(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}
