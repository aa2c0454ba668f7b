import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { type ChangeEvent, changeKinds } from '../../models/contracts/change-event.ts';
import { type AnyEvent, type Logged, parseLogged } from '../../models/contracts/event-schemas.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, text } from './duckdb.ts';
import { conflictFate } from './fates.ts';
import { daySql, writeDays } from './write-slices.ts';

/*
 * What happened to items and to what is known of people. Of a day they stand in a slice of their own beside that of the interactions: `body` is the event as
 * JSON, `at_ms` the moment from which it counts, which is not after it came in, whatever the sender's clock said.
 */
export const changeColumns = 'event_id, kind, subject, at_ms, body';
export const changeTextSql = `concat_ws(chr(31), ${changeColumns})`;

/** The change that a record of the log is. @returns undefined for an interaction, and for what is neither. */
export function changeOf(record: unknown): Logged<ChangeEvent> | undefined {
  const kind = typeof record === 'object' && record !== null ? (record as { kind?: unknown }).kind : undefined;
  if (!(changeKinds as readonly unknown[]).includes(kind)) return undefined;
  return parseLogged(record) as Logged<ChangeEvent> | undefined;
}

/** Logs of before may hold halves of surrogate pairs, which are no text to other readers. */
export const wellFormed = (_key: string, value: unknown): unknown => (typeof value === 'string' ? value.toWellFormed() : value);

/** A line of the file that `sliceChanges` reads. */
export function changeLine(change: Logged<ChangeEvent>): string {
  const { receivedAtMs = change.atMs, quarantined: _, ...body } = change;
  return JSON.stringify({
    event_id: change.eventId,
    kind: change.kind,
    subject: subjectOf(change),
    at_ms: Math.min(change.atMs, receivedAtMs),
    body: JSON.stringify(body, wellFormed),
  });
}

function subjectOf(change: AnyEvent): string {
  if (change.kind === 'catalog') return `i:${change.itemId}`;
  const { userId, deviceId, sessionId } = change as { userId?: string; deviceId?: string; sessionId?: string };
  return userId !== undefined ? `u:${userId}` : deviceId !== undefined ? `d:${deviceId}` : `s:${sessionId}`;
}

type Input = {
  duck: Duck;
  path: string;
  previous: readonly SliceReference[];
  timeZone: string;
  source: string;
  blobs: BlobStore;
  /** Which changes are too old to be kept, as SQL. */
  expired: string;
};
export type SlicedChanges = {
  slices: SliceReference[];
  /** Rows that stood in earlier versions of these slices. */
  rowsBefore: number;
  accepted: Record<string, number>;
  duplicates: number;
  /** With the id of another change, and other contents. */
  conflicts: number;
  expired: number;
  catalog: ChangeEvent[];
};

/**
 * Makes slices of changes, one a day, as `ingestLog` does of interactions: days of `previous` to which something came are written again, with all that they held.
 * @returns also the new changes of items, oldest first. The table `all_changes` stays, with what was known before, and `conflicting_changes`.
 */
export async function sliceChanges({ duck, path, previous, timeZone, source, blobs, expired }: Input): Promise<SlicedChanges> {
  const typed = "{event_id: 'VARCHAR', kind: 'VARCHAR', subject: 'VARCHAR', at_ms: 'BIGINT', body: 'VARCHAR'}";
  const paths = await Promise.all(previous.map(({ digest }) => blobs.localPath(digest)));
  const before = paths.length === 0 ? '' : `UNION ALL BY NAME SELECT *, false AS fresh, 0 AS nth FROM read_parquet([${paths.map(text).join(', ')}])`;
  await duck.run(`
    CREATE TABLE given AS SELECT ${changeColumns}, fresh, row_number() OVER of_id AS place, body = first_value(body) OVER of_id AS same FROM (
      SELECT *, true AS fresh, row_number() OVER () AS nth FROM read_json(${text(path)}, format = 'newline_delimited', columns = ${typed}) ${before})
    WINDOW of_id AS (PARTITION BY event_id ORDER BY fresh, nth)`);
  // Of two that say different things under one id the first holds, as of interactions.
  await duck.run(`
    CREATE TABLE all_changes AS SELECT ${changeColumns}, fresh FROM given WHERE place = 1 AND NOT (fresh AND ${expired});
    CREATE TABLE conflicting_changes AS SELECT ${changeColumns} FROM given WHERE place > 1 AND fresh AND NOT same AND NOT ${expired}`);
  const counts = await duck.rows<{ kind: string; rows: number }>(
    'SELECT kind, count(*)::DOUBLE AS rows FROM all_changes WHERE fresh GROUP BY kind ORDER BY kind',
  );
  const [given] = await duck.rows<Record<'duplicates' | 'conflicts' | 'expired', number>>(`
    SELECT count_if(place > 1 AND same)::DOUBLE AS duplicates, count_if(place > 1 AND NOT same AND NOT ${expired})::DOUBLE AS conflicts,
      count_if((place = 1 OR NOT same) AND ${expired})::DOUBLE AS expired FROM given WHERE fresh`);
  const bodies = await duck.rows<{ body: string }>("SELECT body FROM all_changes WHERE fresh AND kind = 'catalog' ORDER BY at_ms, event_id");
  const day = daySql(timeZone);
  await duck.run(
    `CREATE TABLE changes AS SELECT ${day} AS day, ${changeColumns} FROM all_changes WHERE ${day} IN (SELECT DISTINCT ${day} FROM all_changes WHERE fresh)`,
  );
  const slices = await writeDays({ duck, table: 'changes', columns: changeColumns, rowText: changeTextSql, source, blobs });
  const accepted = Object.fromEntries(counts.map(({ kind, rows }) => [kind, rows]));
  const written = new Set(slices.map((slice) => slice.day));
  const rowsBefore = previous.filter((slice) => written.has(slice.day)).reduce((sum, slice) => sum + slice.rows, 0);
  const { duplicates = 0, conflicts = 0, expired: old = 0 } = given ?? {};
  return { slices, rowsBefore, accepted, duplicates, conflicts, expired: old, catalog: bodies.map(({ body }) => JSON.parse(body) as ChangeEvent) };
}

/** What stands in `conflicting_changes` is quarantined beside the rows of `raw` and `judged`. */
export async function quarantineConflicts({ duck, conflicts }: { duck: Duck; conflicts: number }): Promise<void> {
  if (conflicts === 0) return;
  const members = ['userId', 'sessionId', 'deviceId', 'itemId'].map((member) => `json_extract_string(body, '$.${member}') AS "${member}"`);
  await duck.run(`
    ALTER TABLE raw ADD COLUMN body VARCHAR;
    CREATE TABLE conflicting AS
    SELECT (SELECT coalesce(max(raw_line), 0) FROM raw) + row_number() OVER (ORDER BY at_ms, event_id, body) AS raw_line,
      event_id AS "eventId", kind, at_ms, ${members.join(', ')}, body FROM conflicting_changes`);
  await duck.run(`
    INSERT INTO raw BY NAME SELECT raw_line, "eventId", kind, CAST(at_ms AS VARCHAR) AS "atMs", "userId", "sessionId", "deviceId", "itemId", body FROM conflicting;
    INSERT INTO judged BY NAME
    SELECT raw_line, "eventId" AS event_id, kind, at_ms, "userId" AS user_id, "sessionId" AS session_id, "deviceId" AS device_id, "itemId" AS item_id,
      '${conflictFate}' AS fate FROM conflicting;
    DROP TABLE conflicting`);
}

/** A catalog after some changes, oldest first. An item that it does not have comes in by its first title. */
export function changeCatalog(items: readonly CatalogItem[], changes: readonly ChangeEvent[]): CatalogItem[] {
  const byId = new Map(items.map((item) => [item.itemId, item]));
  for (const change of changes) {
    if (change.kind !== 'catalog') continue;
    const before = byId.get(change.itemId);
    const { title = before?.title ?? change.itemId, category, brand, priceMinor, inStock = before?.inStock ?? true } = change;
    byId.set(change.itemId, {
      ...(before ?? { availableFromMs: change.atMs }),
      itemId: change.itemId,
      title,
      inStock,
      ...said('category', category, before?.category),
      ...said('brand', brand, before?.brand),
      ...said('priceMinor', priceMinor, before?.priceMinor),
    });
  }
  return [...byId.values()].sort((a, b) => (a.itemId < b.itemId ? -1 : 1));
}

/** Null takes it away, silence leaves it. */
function said<Key extends string, Value>(key: Key, value: Value | null | undefined, before: Value | undefined): { [K in Key]?: Value | undefined } {
  return { [key]: value === null ? undefined : (value ?? before) } as { [K in Key]?: Value | undefined };
}
