import type { EventRow } from '../../models/contracts/root-cause.ts';
import { bucketOf } from '../../models/slate/assign.ts';
import type { Unit } from './comparable-units.ts';
import { unitAt } from './count-traffic.ts';

/** What counts of an event, whatever it came by. */
export type CountedEvent = {
  eventId: string;
  kind: string;
  atMs: number;
  receivedAtMs?: number | undefined;
  quarantined?: string | undefined;
  itemId?: string | undefined;
  userId?: string | undefined;
  requestId?: string | undefined;
  unitPriceMinor?: number | undefined;
};
export type ItemsOf = (unit: number) => { catalog: { has(itemId: string): boolean } | null; vocabulary: { has(itemId: string): boolean } | null };

const lateMs = 3_600_000;
/** Ids that are held, to know those that come twice; of more, a part of them is held, and stands for the others. */
const idsAtMost = 500_000;

export type EventCount = { add(event: CountedEvent): void; rows(): EventRow[] };

/** Events of the log by when they came in. */
export function countEvents({
  units,
  source,
  itemsOf,
  idsAtMost: most = idsAtMost,
}: {
  units: readonly Unit[];
  source: string;
  itemsOf: ItemsOf;
  idsAtMost?: number;
}): EventCount {
  const rows = new Map<string, EventRow>();
  const ids = new Set<string>();
  let share = 1;
  const isHeld = (eventId: string) => share === 1 || bucketOf({ salt: 'root-cause', unit: eventId }) < share;

  /** @returns for how many it stands that this one came before: 0 for one that is new. */
  function repeats(eventId: string): number {
    if (!isHeld(eventId)) return 0;
    if (ids.has(eventId)) return 1 / share;
    ids.add(eventId);
    if (ids.size > most) {
      share /= 2;
      for (const id of ids) if (!isHeld(id)) ids.delete(id);
    }
    return 0;
  }

  return {
    add(event) {
      const cameMs = event.receivedAtMs ?? event.atMs;
      const unit = unitAt(units, cameMs);
      if (unit < 0) return;
      const row = rowOf(rows, { unit, source, kind: event.kind });
      if (event.quarantined !== undefined) {
        row.quarantined += 1;
        return;
      }
      row.accepted += 1;
      row.duplicates += repeats(event.eventId);
      if (cameMs - event.atMs > lateMs) row.late += 1;
      if (event.userId === undefined) row.withoutUser += 1;
      if (event.requestId === undefined) row.withoutRequest += 1;
      if (event.unitPriceMinor === undefined) row.withoutPrice += 1;
      if (event.itemId === undefined) return;
      const { catalog, vocabulary } = itemsOf(unit);
      if (catalog?.has(event.itemId) === false) row.unknownItems += 1;
      if (vocabulary?.has(event.itemId) === false) row.coldItems += 1;
    },
    rows: () =>
      [...rows.values()].map((row) => {
        // What came twice is one that was accepted, and one that was not.
        const duplicates = Math.min(row.accepted, Math.round(row.duplicates));
        return { ...row, duplicates, accepted: row.accepted - duplicates };
      }),
  };
}

export function rowOf(rows: Map<string, EventRow>, { unit, source, kind }: Pick<EventRow, 'unit' | 'source' | 'kind'>): EventRow {
  const key = `${unit}\n${source}\n${kind}`;
  const row = rows.get(key) ?? {
    ...{ unit, source, kind, accepted: 0, duplicates: 0, quarantined: 0, late: 0 },
    ...{ unknownItems: 0, coldItems: 0, withoutUser: 0, withoutRequest: 0, withoutPrice: 0 },
  };
  rows.set(key, row);
  return row;
}
