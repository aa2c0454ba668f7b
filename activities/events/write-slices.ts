import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../models/contracts/ids.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, name, text } from './duckdb.ts';
import { eventColumnList, rowTextSql } from './event-columns.ts';
import { malformedRow } from './malformed-rows.ts';

const parquet = '(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)';

/** The calendar day of `at_ms` in a zone, as SQL. */
export const daySql = (timeZone: string): string => `strftime(timezone(${text(timeZone)}, make_timestamptz(at_ms * 1000)), '%Y-%m-%d')`;

type Input = {
  duck: Duck;
  table: string;
  timeZone: string;
  source: string;
  shiftDays?: number;
  blobs: BlobStore;
  onSlice: (step: { done: number; total: number }) => void;
};

/**
 * Writes one Parquet file a day of the table, rows in the total order of time and event id, so that the same rows on the same DuckDB
 * are the same bytes; the logical digest (see `rowTextSql`) holds across builds.
 */
export async function writeSlices({ duck, table, timeZone, source, shiftDays = 0, blobs, onSlice }: Input): Promise<SliceReference[]> {
  // Sorted once, so that each day is a short range of row groups and not a scan of the table.
  await duck.run(`CREATE TABLE sliced AS SELECT ${daySql(timeZone)} AS day, ${eventColumnList} FROM ${table} ORDER BY day, at_ms, event_id`);
  return writeDays({ duck, table: 'sliced', columns: eventColumnList, rowText: rowTextSql, source, shiftDays, blobs, onSlice });
}

type Days = Pick<Input, 'duck' | 'table' | 'source' | 'shiftDays' | 'blobs'> & { columns: string; rowText: string; onSlice?: Input['onSlice'] };

/** One file for each `day` of the table, which is dropped. */
export async function writeDays({ duck, table, columns, rowText, source, shiftDays = 0, blobs, onSlice }: Days): Promise<SliceReference[]> {
  const days = await duck.rows<{ day: string; rows: number; hash: string }>(
    `SELECT day, count(*)::DOUBLE AS rows, sha256(string_agg(sha256(${rowText}), '' ORDER BY at_ms, event_id)) AS hash FROM ${table} GROUP BY day ORDER BY day`,
  );
  const slices: SliceReference[] = [];
  for (const { day, rows, hash } of days) {
    const path = join(duck.scratch, `${day}.parquet`);
    await duck.run(`COPY (SELECT ${columns} FROM ${table} WHERE day = ${text(day)} ORDER BY at_ms, event_id) TO ${text(path)} ${parquet}`);
    slices.push({ day, digest: await keep({ path, blobs }), logicalDigest: `sha256:${hash}`, rows, source, ...(shiftDays === 0 ? {} : { shiftDays }) });
    onSlice?.({ done: slices.length, total: days.length });
  }
  await duck.run(`DROP TABLE ${table}`);
  return slices;
}

/** A quarantine as a relation: `line`, `reason`, `raw`, `file`, `file_line`; those from before there were several files have none. */
export const quarantineSql = (path: string): string =>
  `(SELECT NULL::BIGINT AS line, NULL::VARCHAR AS reason, NULL::VARCHAR AS raw, NULL::VARCHAR AS file, NULL::BIGINT AS file_line WHERE false UNION ALL BY NAME SELECT * FROM read_parquet(${text(path)}))`;

/**
 * Every quarantined row as it came (JSON; what is no row: its text), with its line, its reason, and of a source of files the file and the line there. Null when there is none. Where people are known by
 * pseudonyms, a cell that is an id holds its pseudonym, and of what is no row, and may name anybody, only line and reason are kept.
 */
export async function writeQuarantine({ duck, blobs, keyed = false }: { duck: Duck; blobs: BlobStore; keyed?: boolean }): Promise<Digest | null> {
  const path = join(duck.scratch, 'quarantine.parquet');
  const [row] = await duck.rows<{ rows: number }>(
    "SELECT ((SELECT count(*) FROM judged WHERE fate NOT IN ('duplicate', 'withheld')) + (SELECT count(*) FROM malformed))::DOUBLE AS rows",
  );
  if ((row?.rows ?? 0) === 0) return null;
  const columns = await duck.rows<{ column_name: string }>('DESCRIBE SELECT * EXCLUDE (raw_line) FROM raw');
  const cell = (column: string) =>
    keyed ? `coalesce((SELECT pseudonym FROM pseudonyms WHERE id = trim(raw.${name(column)})), raw.${name(column)})` : `raw.${name(column)}`;
  const members = columns.map(({ column_name: column }) => `${text(column)}, ${cell(column)}`).join(', ');
  await duck.run(`
    COPY (SELECT line, reason, raw, file, CAST(line - first_line + 1 AS BIGINT) AS file_line FROM (
        SELECT CAST(raw_line AS BIGINT) AS line, judged.fate AS reason, CAST(json_object(${members}) AS VARCHAR) AS raw
        FROM judged JOIN raw USING (raw_line) WHERE judged.fate NOT IN ('duplicate', 'withheld')
        UNION ALL SELECT CAST(raw_line AS BIGINT), ${text(malformedRow)}, ${keyed ? "''" : 'raw'} FROM malformed)
      ASOF LEFT JOIN raw_files ON line >= first_line ORDER BY line) TO ${text(path)} ${parquet}`);
  return keep({ path, blobs });
}

async function keep({ path, blobs }: { path: string; blobs: BlobStore }): Promise<Digest> {
  const digest = await blobs.putFile(path);
  await rm(path, { force: true });
  return digest;
}
