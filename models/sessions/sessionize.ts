import type { Session, SessionCut, SessionEvent } from '../contracts/session.ts';
import { cutBetween, type SessionDefinition } from './cut-between.ts';
import { compareEvents, sessionIdOf } from './session-order.ts';

export type CutSession = Session & { begunBy: SessionCut };

/**
 * The definition of sessions: `incremental.ts` and the SQL of `activities/sessions` are tested against it.
 * @param events in any order; an event that stands there twice (same unit, time and event id) counts once
 * @returns sessions in the order of their units (by code units) and times; all closed, for nothing else is to come
 */
export function sessionize(events: readonly SessionEvent[], definition: SessionDefinition): CutSession[] {
  const { maxMs } = definition.rules;
  const cut = cutBetween(definition);
  const sessions: CutSession[] = [];
  const units = [...Map.groupBy(events, ({ unit }) => unit)].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, own] of units) {
    let before: { event: SessionEvent; session: CutSession } | undefined;
    for (const event of own.toSorted(compareEvents)) {
      if (before !== undefined && compareEvents(before.event, event) === 0) continue;
      const begunBy = before === undefined ? 'first' : (cut(before.event, event) ?? (event.atMs - before.session.fromMs > maxMs ? 'maximum' : undefined));
      const session = before === undefined || begunBy !== undefined ? begin(event, begunBy ?? 'first') : before.session;
      session.toMs = event.atMs;
      session.events += 1;
      before = { event, session };
    }
  }
  return sessions;

  function begin(event: SessionEvent, begunBy: SessionCut): CutSession {
    const session = { unit: event.unit, id: sessionIdOf(event), fromMs: event.atMs, toMs: event.atMs, events: 0, closed: true, begunBy };
    sessions.push(session);
    return session;
  }
}
