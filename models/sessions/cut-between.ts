import type { SessionCut, SessionEvent, SessionRules } from '../contracts/session.ts';

export type CutEvent = Pick<SessionEvent, 'atMs' | 'kind' | 'sessionId'>;

/** How sessions of a surface are cut: its rules, and the IANA time zone in which its days begin. */
export type SessionDefinition = { rules: SessionRules; timeZone: string };

/**
 * Says why two neighbouring events of a unit lie in different sessions whatever else the unit did; undefined where only the maximum can cut.
 * Days are compared by their names: a day of 23 or 25 hours, or one that begins at 01:00, is a day.
 */
export function cutBetween({ rules, timeZone }: SessionDefinition): (before: CutEvent, event: CutEvent) => SessionCut | undefined {
  const { gapMs, boundaries } = rules;
  const endings = new Set(boundaries.kinds);
  // Sweden writes dates as ISO does.
  const day = new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  return (before, event) => {
    if (event.atMs - before.atMs > gapMs) return 'gap';
    // What was bought at once is several events.
    if (endings.has(before.kind) && event.atMs > before.atMs) return 'kind';
    if (boundaries.clientSession && event.sessionId !== before.sessionId) return 'client-session';
    if (boundaries.midnight && day.format(event.atMs) !== day.format(before.atMs)) return 'midnight';
    return undefined;
  };
}
