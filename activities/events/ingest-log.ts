import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, name, text, withDuck } from './duckdb.ts';
import { eventColumnList, eventColumns } from './event-columns.ts';
import { countFates, type IngestResult, storeManifest } from './ingest-batch.ts';
import { createMalformed } from './malformed-rows.ts';
import type { Mapping } from './mapping.ts';
import { rulesDigestOf, stageRows } from './stage-rows.ts';
import { daySql, writeQuarantine, writeSlices } from './write-slices.ts';

export type IngestLogInput = {
  surface: string;
  charter: Charter;
  /** Names the source: `log`. */
  sourceName: string;
  /** Events, each checked here anew: what is none is quarantined. */
  events: AsyncIterable<unknown>;
  /** Slices that the surface has: those of this source are extended, never shortened. */
  previous: readonly SliceReference[];
  /** The catalog stays what it is: events carry no titles. */
  catalog: Digest;
  blobs: BlobStore;
  workDir: string;
  nowMs: number;
  signal?: AbortSignal | undefined;
};

/** So far may a visitor's clock be ahead. */
const clockSkewMs = 3_600_000;

/** Rows that are events already. */
export const eventMapping: Mapping = {
  name: 'events',
  requires: [],
  sql: `SELECT raw_line, ${eventColumns.map(({ column, type, field }) => `TRY_CAST(${name(field)} AS ${type}) AS ${column}`).join(', ')} FROM raw`,
};

/**
 * Makes day slices of live events the way a batch does. A slice of this source for the same day is taken in again, so that feeding the
 * same events twice adds nothing (they count as duplicates) and late events are added. The charter's data-set rules do not apply: they
 * speak of whole batches.
 */
export async function ingestLog(input: IngestLogInput): Promise<IngestResult> {
  const { charter, blobs, signal, sourceName } = input;
  await mkdir(input.workDir, { recursive: true });
  const folder = await mkdtemp(join(input.workDir, 'log-'));
  try {
    const path = join(folder, 'events.jsonl');
    const written = await writeLines({ events: input.events, path, signal });
    return await withDuck({ workDir: folder, signal }, async (duck) => {
      await createMalformed(duck);
      const columns = eventColumns.map(({ field }) => `${text(field)}: 'VARCHAR'`).join(', ');
      await duck.run(
        `CREATE TABLE raw AS SELECT CAST(row_number() OVER () AS DOUBLE) AS raw_line, * FROM read_json(${text(path)}, format = 'newline_delimited', columns = {${columns}})`,
      );
      await stageRows({ duck, mapping: eventMapping, charter, endsAt: undefined });
      // Visitors say when it was. One day far ahead would be the last day of the data, and no window would hold any other.
      await duck.run(`UPDATE judged SET fate = 'in-the-future' WHERE fate IS NULL AND at_ms > ${input.nowMs + clockSkewMs}`);
      const before = await takeInPrevious({ duck, charter, blobs, previous: input.previous.filter((slice) => slice.source === sourceName) });
      const tally = await countFates(duck);
      const slices = await writeSlices({ duck, table: 'merged', timeZone: charter.timeZone, source: sourceName, blobs, onSlice: () => undefined });
      return storeManifest({
        blobs,
        rowsAdded: slices.reduce((rows, slice) => rows + slice.rows, 0) - before,
        manifest: {
          kind: 'ingest',
          surface: input.surface,
          source: { name: sourceName, digest: written.digest, bytes: written.bytes },
          rulesDigest: rulesDigestOf({ mapping: eventMapping, charter }),
          shiftDays: 0,
          ...tally.parts,
          quarantine: await writeQuarantine({ duck, blobs }),
          catalog: input.catalog,
          slices,
          warnings: [],
        },
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeLines({
  events,
  path,
  signal,
}: {
  events: AsyncIterable<unknown>;
  path: string;
  signal: AbortSignal | undefined;
}): Promise<{ digest: Digest; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  async function* lines() {
    for await (const event of events) {
      const line = `${typeof event === 'object' ? JSON.stringify(event) : '{}'}\n`;
      hash.update(line);
      bytes += Buffer.byteLength(line);
      yield line;
    }
  }
  await pipeline(lines, createWriteStream(path), signal === undefined ? {} : { signal });
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

/** Builds `merged`: the new accepted rows and all rows of the old slices of their days. Answers how many rows are old. */
async function takeInPrevious({
  duck,
  charter,
  blobs,
  previous,
}: {
  duck: Duck;
  charter: Charter;
  blobs: BlobStore;
  previous: readonly SliceReference[];
}): Promise<number> {
  const days = await duck.rows<{ day: string }>(`SELECT DISTINCT ${daySql(charter.timeZone)} AS day FROM judged WHERE fate IS NULL`);
  const touched = new Set(days.map(({ day }) => day));
  const slices = previous.filter((slice) => touched.has(slice.day));
  await duck.run(`CREATE TABLE merged AS SELECT ${eventColumnList} FROM judged WHERE false`);
  for (const slice of slices) {
    await duck.run(`INSERT INTO merged SELECT ${eventColumnList} FROM read_parquet(${text(await blobs.localPath(slice.digest))})`);
  }
  await duck.run("UPDATE judged SET fate = 'duplicate' WHERE fate IS NULL AND event_id IN (SELECT event_id FROM merged)");
  // A day to which nothing new came keeps its slice: it is not written again.
  await duck.run(`CREATE TABLE fresh_days AS SELECT DISTINCT ${daySql(charter.timeZone)} AS day FROM judged WHERE fate IS NULL`);
  await duck.run(`DELETE FROM merged WHERE ${daySql(charter.timeZone)} NOT IN (SELECT day FROM fresh_days)`);
  const [old] = await duck.rows<{ rows: number }>('SELECT count(*)::DOUBLE AS rows FROM merged');
  await duck.run(`INSERT INTO merged SELECT ${eventColumnList} FROM judged WHERE fate IS NULL`);
  return old?.rows ?? 0;
}
