import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import type { Duck } from './duckdb.ts';
import { eventColumnList, sameEventSql, slicesSql } from './event-columns.ts';
import { conflictFate } from './fates.ts';
import { daySql } from './write-slices.ts';

/*
 * Rows that come to slices which are there already: days of the log, and rows out of quarantine. A day to which something new came is written again, as a new
 * version; all others stay.
 */

/**
 * Judges rows of `judged` anew that stand in an earlier slice of the source, of whatever day: repeated they are duplicates, with other contents a conflict.
 * A repetition is one also where the first row that came with its id this time was another.
 */
export async function tellRepeats({ duck, paths }: { duck: Duck; paths: readonly string[] }): Promise<void> {
  if (paths.length === 0) return;
  const open = `(fate IS NULL OR fate = '${conflictFate}')`;
  await duck.run(`
    UPDATE judged SET fate = CASE WHEN known.same = ${sameEventSql} THEN 'duplicate' ELSE '${conflictFate}' END
    FROM (SELECT event_id AS known_id, ${sameEventSql} AS same FROM ${slicesSql(paths)} WHERE event_id IN (SELECT event_id FROM judged WHERE ${open})) known
    WHERE ${open} AND event_id = known_id`);
}

type Input = { duck: Duck; timeZone: string; blobs: BlobStore; previous: readonly SliceReference[] };

/** Builds `merged`: the accepted rows of `judged`, and all rows of the earlier slices of their days. Answers how many rows are old. */
export async function takeInPrevious({ duck, timeZone, blobs, previous }: Input): Promise<number> {
  const day = daySql(timeZone);
  const days = await duck.rows<{ day: string }>(`SELECT DISTINCT ${day} AS day FROM judged WHERE fate IS NULL`);
  const touched = new Set(days.map((row) => row.day));
  const paths = await Promise.all(previous.filter((slice) => touched.has(slice.day)).map(({ digest }) => blobs.localPath(digest)));
  await duck.run(`CREATE TABLE merged AS SELECT ${eventColumnList} FROM ${paths.length === 0 ? 'judged WHERE false' : slicesSql(paths)}`);
  const [old] = await duck.rows<{ rows: number }>('SELECT count(*)::DOUBLE AS rows FROM merged');
  await duck.run(`INSERT INTO merged SELECT ${eventColumnList} FROM judged WHERE fate IS NULL`);
  return old?.rows ?? 0;
}
