import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, name } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';

/**
 * Makes `events` of a relation of slices: its columns, each event once, and `known_ms`, when it could be known: when it was received, where the
 * relation says so in `receivedColumn`, and never before it happened.
 */
export async function openEvents({ duck, relation, receivedColumn }: { duck: Duck; relation: string; receivedColumn: string | undefined }): Promise<void> {
  const known = receivedColumn === undefined ? 'at_ms' : `greatest(at_ms, coalesce(${name(receivedColumn)}, at_ms))`;
  const rows = `SELECT *, ${known} AS known_ms FROM ${relation}`;
  // As many hashes as rows: then as many ids too, and a hash is small.
  const [row] = await duck.rows<{ once: boolean }>(`SELECT count(DISTINCT hash(event_id)) = count(*) AS once FROM ${relation}`);
  if (row?.once === true) return duck.run(`CREATE VIEW events AS ${rows}`);
  // Of an event that two sources hold, the later copy counts, as in training; it was known when the first one like it was.
  const order = 'at_ms DESC, known_ms, user_id, session_id, item_id, kind, quantity, unit_price_minor, dwell_ms, rating, request_id, position';
  return duck.run(`CREATE TABLE events AS FROM (${rows}) QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY ${order}) = 1`);
}

/** The same of stored slices, which say when an event was received. @returns false where there is no slice */
export async function openSlices({ duck, slices, blobs }: { duck: Duck; slices: readonly SliceReference[]; blobs: BlobStore }): Promise<boolean> {
  const paths: string[] = [];
  for (const slice of slices) if (slice.rows > 0) paths.push(await blobs.localPath(slice.digest));
  if (paths.length === 0) return false;
  await openEvents({ duck, relation: slicesSql(paths), receivedColumn: 'received_ms' });
  return true;
}
