import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../models/contracts/ids.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, text } from './duckdb.ts';
import { eventColumnList, rowTextSql } from './event-columns.ts';

/** Of the levels of zstd the first gives smaller files of ids than the third, which is the usual one, and takes less time. */
const rowsInGroup = 122_880;
export const parquetOptions = `(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE ${rowsInGroup})`;

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

/** Days are set apart from the table in parts of so many rows, where they are smaller: there are few looks at the table. */
const rowsAtOnce = 500_000;

/**
 * Writes one Parquet file a day of the table, rows in the total order of time and event id, so that the same rows on the same DuckDB
 * are the same bytes; the logical digest (see `rowTextSql`) holds across builds.
 */
export async function writeSlices({ duck, table, timeZone, source, shiftDays = 0, blobs, onSlice }: Input): Promise<SliceReference[]> {
  const spans = await daySpans({ duck, table, timeZone });
  const total = new Set(spans.map(({ day }) => day)).size;
  const slices: SliceReference[] = [];
  async function* files() {
    for (const part of partsOf(spans)) {
      const days = Map.groupBy(part, ({ day }) => day);
      // Rows of a file mostly come in the order of time: then few of the table's row groups are read for a part.
      if (days.size > 1) await duck.runBeside(`CREATE OR REPLACE TABLE sliced AS ${rowsSql(table, part)}`);
      for (const [day, own] of days) {
        const done = (written: WrittenDay | undefined) => {
          if (written !== undefined) slices.push({ day, ...written, source, ...(shiftDays === 0 ? {} : { shiftDays }) });
          onSlice({ done: slices.length, total });
        };
        yield { rows: rowsSql(days.size > 1 ? 'sliced' : table, own), done };
      }
    }
  }
  await writeFiles({ duck, files: files(), rowText: rowTextSql, blobs });
  await duck.run('DROP TABLE IF EXISTS sliced');
  return slices.sort((a, b) => (a.day < b.day ? -1 : 1));
}

/** The rows of some stretches of time, in order. */
function rowsSql(table: string, spans: readonly Span[]): string {
  const [from, to] = [Math.min(...spans.map((span) => span.from)), Math.max(...spans.map((span) => span.to))];
  const within = spans.map((span) => `at_ms >= ${span.from} AND at_ms < ${span.to}`).join(' OR ');
  return `SELECT ${eventColumnList} FROM ${table} WHERE at_ms >= ${from} AND at_ms < ${to} AND (${within}) ORDER BY at_ms, event_id`;
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

type Days = Pick<Input, 'duck' | 'table' | 'source' | 'blobs'> & { columns: string; rowText: string };

/** One file for each `day` of the table. */
export async function writeDays({ duck, table, columns, rowText, source, blobs }: Days): Promise<SliceReference[]> {
  const days = await duck.rows<{ day: string }>(`SELECT DISTINCT day FROM ${table} ORDER BY day`);
  const slices: SliceReference[] = [];
  const files = days.map(({ day }) => ({
    rows: `SELECT ${columns} FROM ${table} WHERE day = ${text(day)} ORDER BY at_ms, event_id`,
    done: (written: WrittenDay | undefined) => written !== undefined && slices.push({ day, ...written, source }),
  }));
  await writeFiles({ duck, files, rowText, blobs });
  return slices;
}

export type WrittenDay = Pick<SliceReference, 'digest' | 'logicalDigest' | 'rows'>;
/** The rows of a file in order, as SQL, and who asks what became of it: undefined where there are none. */
export type DayFile = { rows: string; done: (written: WrittenDay | undefined) => void };

/** Writes one file after the other; each is read back for its logical digest while the next one is written. */
export async function writeFiles({
  duck,
  files,
  rowText,
  blobs,
}: Pick<Days, 'duck' | 'rowText' | 'blobs'> & { files: Iterable<DayFile> | AsyncIterable<DayFile> }): Promise<void> {
  const each = (async function* () {
    yield* files;
  })();
  let count = 0;
  async function writeNext() {
    const { value: file, done } = await each.next();
    if (done === true) return undefined;
    count += 1;
    const path = join(duck.scratch, `day-${count}.parquet`);
    await duck.runBeside(`COPY (${file.rows}) TO ${text(path)} ${parquetOptions}`);
    return { path, file };
  }
  async function readBack({ path, file }: { path: string; file: DayFile }) {
    const [{ rows } = { rows: 0 }] = await duck.rows<{ rows: number }>(`SELECT count(*)::DOUBLE AS rows FROM read_parquet(${text(path)})`);
    if (rows === 0) await rm(path);
    file.done(rows === 0 ? undefined : { logicalDigest: await digestRows({ duck, rowText, path, rows }), digest: await keep({ path, blobs }), rows });
  }
  let written: Awaited<ReturnType<typeof writeNext>>;
  do {
    [written] = await together(writeNext(), written === undefined ? Promise.resolve() : readBack(written));
  } while (written !== undefined);
}

/** Neither goes on behind the failure of the other. */
async function together<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}

/** Rows are made text and joined by DuckDB, a few thousand at once, and hashed by Node, which is faster at it: one row group after the other, however many. */
async function digestRows({ duck, rowText, path, rows }: { duck: Duck; rowText: string; path: string; rows: number }): Promise<Digest> {
  const digest = createHash('sha256');
  for (let from = 0; from < rows; from += rowsInGroup) {
    const group = `FROM read_parquet(${text(path)}, file_row_number = true) WHERE file_row_number >= ${from} AND file_row_number < ${from + rowsInGroup}`;
    const texts = `SELECT string_agg(${rowText} || chr(30), '' ORDER BY file_row_number) AS texts, file_row_number // 2048 AS part ${group} GROUP BY part`;
    await duck.parts(`SELECT texts FROM (${texts}) ORDER BY part`, ({ rows: parts, columns: [column] }) => {
      for (let part = 0; part < parts; part += 1) digest.update(column?.getItem(part) as string);
    });
  }
  return `sha256:${digest.digest('hex')}`;
}

/** Into the store, and off the scratch folder. */
export async function keep({ path, blobs }: { path: string; blobs: BlobStore }): Promise<Digest> {
  const digest = await blobs.putFile(path);
  await rm(path, { force: true });
  return digest;
}
