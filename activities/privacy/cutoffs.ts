import type { Charter } from '../../models/contracts/charter.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import { addDays, dayIn, dayStartMs } from '../windows/days.ts';
import type { Doomed } from './person-sql.ts';

/*
 * What the charter does not keep any longer: retention erases it, and ingestion does not take it in. Both ask the clock, and the moment that a row tells of
 * as it is stored, be it shifted or not.
 */

type Kept = NonNullable<Charter['retention']>;

/** What each kind, slates and quarantine may not be older than: the beginning of their first day. */
export function cutoffsOf({ retention, timeZone, nowMs }: { retention: Kept; timeZone: string; nowMs: number }) {
  const from = (days: number) => dayStartMs(timeZone, addDays(dayIn(timeZone, nowMs), 1 - days));
  const events = Object.fromEntries(eventKinds.map((kind) => [kind, from(retention.daysOf[kind] ?? retention.days)])) as Record<EventKind, number>;
  return {
    events,
    changes: from(retention.days),
    slates: from(retention.slateDays),
    quarantine: from(retention.quarantineDays),
    reports: from(retention.reportDays),
  };
}
export type Cutoffs = ReturnType<typeof cutoffsOf>;

/** Words on consent and logins are no history: they hold until others come. */
export const doomedBy = ({ events, changes }: Pick<Cutoffs, 'events' | 'changes'>): Doomed => ({
  events: `(CASE kind ${Object.entries(events)
    .map(([kind, fromMs]) => `WHEN '${kind}' THEN at_ms < ${fromMs}`)
    .join(' ')} ELSE false END)`,
  changes: `(kind IN ('catalog', 'profile') AND at_ms < ${changes})`,
  quarantine: 'false',
});

/** Which rows have no place any more, as SQL; none where the charter keeps everything, or nobody knows what time it is. */
export function expiredBy({ charter, nowMs }: { charter: Pick<Charter, 'retention' | 'timeZone'>; nowMs: number | null }): Doomed | undefined {
  const { retention, timeZone } = charter;
  return retention === undefined || nowMs === null ? undefined : doomedBy(cutoffsOf({ retention, timeZone, nowMs }));
}

/** The same of a record of the event log. */
export function isOldRecord(record: unknown, { events, changes }: Cutoffs): boolean {
  const { kind, atMs } = (record ?? {}) as { kind?: EventKind | 'catalog' | 'profile'; atMs?: number };
  if (atMs === undefined || kind === undefined) return false;
  return kind === 'catalog' || kind === 'profile' ? atMs < changes : atMs < (events[kind] ?? 0);
}
