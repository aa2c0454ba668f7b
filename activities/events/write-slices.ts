import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../models/contracts/ids.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, name, text } from './duckdb.ts';
import { eventColumnList, rowTextSql } from './event-columns.ts';
import { keptNowhere } from './fates.ts';
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

/** So many rows are sorted at once, where days are smaller: in memory, and with few looks at the table. */
const rowsAtOnce = 500_000;

/**
 * Writes one Parquet file a day of the table, rows in the total order of time and event id, so that the same rows on the same DuckDB
 * are the same bytes; the logical digest (see `rowTextSql`) holds across builds.
 */
export async function writeSlices({ duck, table, timeZone, source, shiftDays = 0, blobs, onSlice }: Input): Promise<SliceReference[]> {
  const spans = await daySpans({ duck, table, timeZone });
  const total = new Set(spans.map(({ day }) => day)).size;
  const slices: SliceReference[] = [];
  for (const part of partsOf(spans)) {
    const days = part.map(({ day, from, to }) => `WHEN at_ms >= ${from} AND at_ms < ${to} THEN ${text(day)}`);
    const [from, to] = [Math.min(...part.map((span) => span.from)), Math.max(...part.map((span) => span.to))];
    // Rows of a file mostly come in the order of time: then few of the table's row groups are read for a part.
    await duck.run(`
      CREATE TABLE sliced AS SELECT * FROM (
        SELECT CASE ${days.join(' ')} END AS day, ${eventColumnList} FROM ${table} WHERE at_ms >= ${from} AND at_ms < ${to})
      WHERE day IS NOT NULL ORDER BY at_ms, event_id`);
    const written = await writeSorted({
      duck,
      table: 'sliced',
      columns: eventColumnList,
      rowText: rowTextSql,
      source,
      shiftDays,
      blobs,
      onSlice: (done) => onSlice({ done: slices.length + done, total }),
    });
    slices.push(...written);
  }
  return slices.sort((a, b) => (a.day < b.day ? -1 : 1));
}

type Span = { day: string; from: number; to: number; rows: number };

/**
 * The stretches of time that are one day each. Zones change on whole half minutes, so that of each of these one moment tells the day; where a clock was set
 * back over midnight, a day has more than one stretch.
 */
async function daySpans({ duck, table, timeZone }: Pick<Input, 'duck' | 'table' | 'timeZone'>): Promise<Span[]> {
  const stepMs = 30_000;
  return duck.rows<Span>(`
    WITH steps AS (SELECT CAST(floor(at_ms / ${stepMs}) AS BIGINT) AS step, min(at_ms) AS at_ms, count(*) AS rows FROM ${table} GROUP BY step),
    days AS (SELECT step, rows, ${daySql(timeZone)} AS day FROM steps),
    begins AS (SELECT *, coalesce(day <> lag(day) OVER (ORDER BY step), true) AS begins FROM days),
    spans AS (SELECT *, count_if(begins) OVER (ORDER BY step) AS span FROM begins)
    SELECT any_value(day) AS day, (min(step) * ${stepMs})::DOUBLE AS "from", ((max(step) + 1) * ${stepMs})::DOUBLE AS "to", sum(rows)::DOUBLE AS rows
    FROM spans GROUP BY span ORDER BY span`);
}

/** Spans in parts of so many rows; all spans of a day are in one part. */
function partsOf(spans: readonly Span[]): Span[][] {
  const parts: { rows: number; spans: Span[] }[] = [];
  for (const span of spans) {
    const own = parts.find((part) => part.spans.some(({ day }) => day === span.day));
    const last = parts.at(-1);
    const part = own ?? (last !== undefined && last.rows + span.rows <= rowsAtOnce ? last : { rows: 0, spans: [] });
    if (part.spans.length === 0) parts.push(part);
    part.spans.push(span);
    part.rows += span.rows;
  }
  return parts.map((part) => part.spans);
}

type Days = Pick<Input, 'duck' | 'table' | 'source' | 'shiftDays' | 'blobs'> & { columns: string; rowText: string };

/** One file for each `day` of the table, which is dropped. */
export async function writeDays({ table, ...input }: Days): Promise<SliceReference[]> {
  await input.duck.run(`CREATE TABLE sorted_days AS SELECT day, ${input.columns} FROM ${table} ORDER BY at_ms, event_id; DROP TABLE ${table}`);
  return writeSorted({ ...input, table: 'sorted_days' });
}

/** One file of rows that are of one day and in order, as they come out of a slice; undefined where there are none. */
export async function writeDay({ rows, day, ...input }: Omit<Days, 'table'> & { rows: string; day: string }): Promise<SliceReference | undefined> {
  await input.duck.run(`CREATE TABLE sorted_days AS SELECT ${text(day)} AS day, * FROM (${rows})`);
  const [slice] = await writeSorted({ ...input, table: 'sorted_days' });
  return slice;
}

/** The same of a table whose rows are in order. */
async function writeSorted({
  duck,
  table,
  columns,
  rowText,
  source,
  shiftDays = 0,
  blobs,
  onSlice,
}: Days & { onSlice?: (done: number) => void }): Promise<SliceReference[]> {
  const days = await duck.rows<{ day: string; rows: number }>(`SELECT day, count(*)::DOUBLE AS rows FROM ${table} GROUP BY day ORDER BY day`);
  const slices: SliceReference[] = [];
  for (const { day, rows } of days) {
    const path = join(duck.scratch, `${day}.parquet`);
    const ofDay = `FROM ${table} WHERE day = ${text(day)}`;
    const [logicalDigest] = await together(
      digestRows({ duck, rowText, ofDay }),
      duck.runBeside(`COPY (SELECT ${columns} ${ofDay}) TO ${text(path)} ${parquet}`),
    );
    slices.push({ day, digest: await keep({ path, blobs }), logicalDigest, rows, source, ...(shiftDays === 0 ? {} : { shiftDays }) });
    onSlice?.(slices.length);
  }
  await duck.run(`DROP TABLE ${table}`);
  return slices;
}

/** Neither goes on behind the failure of the other. */
async function together<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}

/** Rows are made text and joined by DuckDB, a few thousand at once, and hashed by Node, which is faster at it. */
async function digestRows({ duck, rowText, ofDay }: { duck: Duck; rowText: string; ofDay: string }): Promise<Digest> {
  const digest = createHash('sha256');
  const texts = `SELECT string_agg(${rowText} || chr(30), '' ORDER BY rowid) AS texts, rowid // 2048 AS part ${ofDay} GROUP BY part`;
  await duck.parts(`SELECT texts FROM (${texts}) ORDER BY part`, ({ rows, columns: [column] }) => {
    for (let row = 0; row < rows; row += 1) digest.update(column?.getItem(row) as string);
  });
  return `sha256:${digest.digest('hex')}`;
}

/** A quarantine as a relation: `line`, `reason`, `raw`, `file`, `file_line`, and the ids that the mapping read; those of before lack some. */
export const quarantineSql = (path: string): string =>
  `(SELECT NULL::BIGINT AS line, NULL::VARCHAR AS reason, NULL::VARCHAR AS raw, NULL::VARCHAR AS file, NULL::BIGINT AS file_line, NULL::VARCHAR AS user_id, NULL::VARCHAR AS session_id, NULL::VARCHAR AS device_id WHERE false UNION ALL BY NAME SELECT * FROM read_parquet(${text(path)}))`;

/**
 * Every quarantined row as it came (JSON; what is no row: its text), with its line, its reason, and of a source of files the file and the line there. Null when there is none. Where people are known by
 * pseudonyms, a cell that is an id holds its pseudonym, and of what is no row, and may name anybody, only line and reason are kept.
 */
export async function writeQuarantine({ duck, blobs, keyed = false }: { duck: Duck; blobs: BlobStore; keyed?: boolean }): Promise<Digest | null> {
  const path = join(duck.scratch, 'quarantine.parquet');
  const [row] = await duck.rows<{ rows: number }>(
    `SELECT ((SELECT count(*) FROM judged WHERE fate NOT IN ${keptNowhere}) + (SELECT count(*) FROM malformed))::DOUBLE AS rows`,
  );
  if ((row?.rows ?? 0) === 0) return null;
  const columns = await duck.rows<{ column_name: string }>('DESCRIBE SELECT * EXCLUDE (raw_line) FROM raw');
  // A cell that is an id holds its pseudonym; one that an id was made of holds nothing.
  const within = (column: string) => {
    const value = `regexp_replace(trim(raw.${name(column)}), '[.]0+$', '')`;
    return `EXISTS (FROM pseudonyms one WHERE one.pseudonym IN (judged.user_id, judged.session_id, judged.device_id) AND length(${value}) > 2 AND contains(one.id, ${value}))`;
  };
  const cell = (column: string) =>
    keyed
      ? `coalesce((SELECT pseudonym FROM pseudonyms WHERE id = trim(raw.${name(column)})), CASE WHEN NOT ${within(column)} THEN raw.${name(column)} END)`
      : `raw.${name(column)}`;
  const members = columns.map(({ column_name: column }) => `${text(column)}, ${cell(column)}`).join(', ');
  await duck.run(`
    COPY (SELECT line, reason, raw, file, CAST(line - first_line + 1 AS BIGINT) AS file_line, user_id, session_id, device_id FROM (
        SELECT CAST(raw_line AS BIGINT) AS line, judged.fate AS reason, CAST(json_object(${members}) AS VARCHAR) AS raw, judged.user_id, judged.session_id, judged.device_id
        FROM judged JOIN raw USING (raw_line) WHERE judged.fate NOT IN ${keptNowhere}
        UNION ALL SELECT CAST(raw_line AS BIGINT), ${text(malformedRow)}, ${keyed ? "''" : 'raw'}, NULL, NULL, NULL FROM malformed)
      ASOF LEFT JOIN raw_files ON line >= first_line ORDER BY line) TO ${text(path)} ${parquet}`);
  return keep({ path, blobs });
}

async function keep({ path, blobs }: { path: string; blobs: BlobStore }): Promise<Digest> {
  const digest = await blobs.putFile(path);
  await rm(path, { force: true });
  return digest;
}
