import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Duck, isOfDisk, name, text } from './duckdb.ts';
import {
  createMalformed,
  ignoreSql,
  jsonMembers,
  lastLine,
  linesSql,
  membersSql,
  readJsonLines,
  refuseMany,
  refuseOther,
  refuseOtherHead,
  rejectsSql,
  setRejectedAside,
} from './malformed-rows.ts';
import { asFileError, checkUnchanged, headBytes, joinDigests, readThrough, unpackedLimitBytes } from './source-bytes.ts';
import { checkNames, checkSameColumns, readHeader } from './source-columns.ts';
import { findMatches } from './source-matches.ts';
import { checkPages } from './source-pages.ts';

/** One file of a source. `name` is relative to the source; `lines` are at least so many; `stamp` says whether it is still the same. */
export type SourcePart = { path: string; name: string; digest: Digest; bytes: number; delimiter: string; columns: string[]; lines: number; stamp: string };

/**
 * Files that were read once from end to end: they are whole as far as their format can tell. `path` is what was asked for, `digest` and
 * `bytes` are of all `files`. `columns` are the first file's, and empty for formats that carry their own.
 */
export type SourceFile = {
  path: string;
  format: 'csv' | 'jsonl' | 'parquet';
  digest: Digest;
  bytes: number;
  columns: string[];
  files: SourcePart[];
};

const suffixes: [RegExp, SourceFile['format']][] = [
  [/\.(csv|tsv|txt)(\.gz|\.zst)?$/i, 'csv'],
  [/\.(jsonl|ndjson)(\.gz|\.zst)?$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
];

/**
 * Finds the files that `path` means (see `findMatches`), digests them, unpacks them on the way where they end in `.gz` or `.zst`, and reads
 * the headers of CSVs.
 * @throws UND-FILE when one is missing, unreadable, truncated, of no known format or another than the first, or has other columns.
 */
export async function inspectSource({ path, signal }: { path: string; signal?: AbortSignal | undefined }): Promise<SourceFile> {
  try {
    const { files } = await findMatches(path);
    const format = commonFormat(files.map((file) => file.path));
    const parts: SourcePart[] = [];
    let limitBytes = unpackedLimitBytes;
    for (const file of files) {
      const { part, unpackedBytes } = await inspectFile({ ...file, format, limitBytes, signal }).catch((cause) => {
        signal?.throwIfAborted();
        throw asFileError({ path: file.path, cause });
      });
      limitBytes -= unpackedBytes;
      parts.push(part);
      if (parts[0] !== undefined && format === 'csv') checkSameColumns({ first: parts[0], other: part });
    }
    const digest = joinDigests(parts.map((part) => part.digest));
    return { path, format, digest, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), columns: parts[0]?.columns ?? [], files: parts };
  } catch (cause) {
    signal?.throwIfAborted();
    throw asFileError({ path, cause });
  }
}

function commonFormat(paths: readonly string[]): SourceFile['format'] {
  const formats = paths.map((path) => suffixes.find(([pattern]) => pattern.test(path))?.[1]);
  const none = paths[formats.indexOf(undefined)];
  if (none !== undefined)
    throw new UnderstudyError('UND-FILE', `${none}: its name ends in none of .csv, .tsv, .txt, .jsonl, .ndjson (each also .gz, .zst), .parquet`);
  const other = paths[formats.findIndex((format) => format !== formats[0])];
  if (other !== undefined) throw new UnderstudyError('UND-FILE', `${other} is of another format than ${paths[0]}: the files of a source have one`);
  return formats[0] ?? 'csv';
}

const quotes = { csv: '"', jsonl: '', parquet: undefined } as const;

type Inspect = { path: string; name: string; format: SourceFile['format']; limitBytes: number; signal: AbortSignal | undefined };

async function inspectFile({ format, ...file }: Inspect): Promise<{ part: SourcePart; unpackedBytes: number }> {
  const { digest, bytes, unpackedBytes, head, lines, stamp } = await readThrough({ ...file, quote: quotes[format] });
  if (bytes === 0) throw new UnderstudyError('UND-FILE', `${file.path} is empty`);
  if (format === 'jsonl' && head.length >= headBytes) refuseOtherHead({ path: file.path, head });
  const header = format === 'csv' ? readHeader({ path: file.path, head }) : { delimiter: ',', columns: [] };
  return { part: { path: file.path, name: file.name, digest, bytes, ...header, lines, stamp }, unpackedBytes };
}

type Load = { duck: Duck; source: SourceFile; requires: readonly string[]; limit?: number };

/**
 * Loads the files into the table `raw`: every column as VARCHAR, and `raw_line`, which runs on from file to file. Of Parquet, which is quickly read again,
 * `raw` is a view of the files: see `closeRaw`. What is no row goes into the table `malformed`; where each file begins, into `raw_files` (see
 * `createMalformed`). With a `limit`, the first so many lines. Answers the columns' names.
 * @throws UND-FILE when most rows of a file are none, a quote is not closed, a Parquet file is truncated, a column is missing, or a file is no
 * longer what was inspected.
 */
export async function loadRaw({ duck, source, requires, limit = Number.MAX_SAFE_INTEGER }: Load): Promise<string[]> {
  await createMalformed(duck);
  let columns = source.columns;
  let before = 0;
  const views: string[] = [];
  for (const file of source.files) {
    if (before >= limit) break;
    const loaded = await ofFile(file, () => loadFile({ duck, source: { ...source, columns }, file, before, limit: limit - before }));
    columns = loaded.columns;
    if (loaded.view !== undefined) views.push(loaded.view);
    if (loaded.lines > before) await duck.run(`INSERT INTO raw_files VALUES (${text(file.name)}, ${before + 1})`);
    before = loaded.lines;
  }
  if (source.format === 'jsonl') columns = await ofFile(source, () => spreadMembers({ duck, path: source.path }));
  // A damaged file may have names that are none.
  if (source.format === 'parquet') await ofFile(source, () => duck.run(`CREATE VIEW raw AS ${views.join(' UNION ALL ')}`));
  for (const file of source.files) await checkUnchanged(file);
  const there = new Set(columns.map((column) => column.toLowerCase()));
  const absent = requires.filter((column) => !there.has(column.toLowerCase()));
  if (absent.length === 0) return columns;
  const which = `the column${absent.length === 1 ? '' : 's'} ${absent.join(', ')}`;
  // Where none is there, the first line may be no header but a row, which is not repeated.
  const has =
    absent.length === requires.length
      ? `none of its ${columns.length} columns is asked for`
      : `it has ${columns.slice(0, 100).join(', ')}${columns.length > 100 ? ', ...' : ''}`;
  throw new UnderstudyError('UND-FILE', `${source.path} lacks ${which}; ${has}`);
}

/** Where work on `raw` failed: whether its files are the reason. @throws UND-FILE when they changed, or cannot be read to their end. */
export async function blameSource({ duck, source }: { duck: Duck; source: SourceFile }): Promise<void> {
  for (const file of source.files) await checkUnchanged(file);
  if (source.format === 'parquet') await ofFile(source, () => duck.run('SELECT max(hash(COLUMNS(*))) FROM raw'));
}

/** Nobody reads `raw` any more. @throws UND-FILE when a file is no longer what was inspected. */
export async function closeRaw({ duck, source }: { duck: Duck; source: SourceFile }): Promise<void> {
  for (const file of source.files) await checkUnchanged(file);
  await duck.run(`DROP ${source.format === 'parquet' ? 'VIEW' : 'TABLE'} raw`);
}

/** What DuckDB says while it reads a file is about the file. */
async function ofFile<T>(file: { path: string; stamp?: string }, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (/INTERRUPT/i.test(message) || (cause instanceof Error && isOfDisk(cause))) throw cause;
    if (file.stamp !== undefined) await checkUnchanged({ path: file.path, stamp: file.stamp });
    if (cause instanceof UnderstudyError) throw cause;
    throw new UnderstudyError('UND-FILE', `${file.path}: ${message.split('\n').slice(0, 4).join(' ')}`, { cause });
  }
}

type LoadFile = { duck: Duck; source: SourceFile; file: SourcePart; before: number; limit: number };
type Loaded = { lines: number; columns: string[]; view?: string };

/** Adds a file to `raw` (of JSON lines: to `objects`), behind the `before` lines that are there. Answers how many there are then. */
async function loadFile({ duck, source, file, before, limit }: LoadFile): Promise<Loaded> {
  const { path } = file;
  const first = source.files[0] === file;
  const upTo = limit < Number.MAX_SAFE_INTEGER - before ? ` LIMIT ${limit}` : '';
  if (source.format === 'jsonl') {
    const from = linesSql(fileSql(path));
    await refuseMany({ duck, path, lines: file.lines, columns: 1, from: from(ignoreSql) });
    const lines = await readJsonLines({ duck, path, from: from(rejectsSql), before, upTo });
    await refuseOther({ duck, path, before, what: 'JSON objects' });
    await moveTo({ duck, table: 'objects', first });
    return { lines, columns: [] };
  }
  if (source.format === 'parquet') await checkPages({ duck, path, from: fileSql(path) });
  const own = source.format === 'csv' ? file.columns : await parquetColumns(duck, file);
  const columns = first ? own : source.columns;
  checkNames({ path, columns: own });
  if (!first) checkSameColumns({ first: { path: source.files[0]?.path ?? '', columns }, other: { path, columns: own } });
  const cells = columns.map((column) => `CAST(${name(column)} AS VARCHAR) AS ${name(column)}`);
  const rowsSql = (line: string, from: string) => `SELECT CAST(${line} + ${before} AS DOUBLE) AS raw_line, ${cells.join(', ')} FROM ${from}${upTo}`;
  if (source.format === 'parquet') {
    const [count] = await duck.rows<{ rows: number }>(`SELECT count(*)::DOUBLE AS rows FROM ${parquetSql(file)}`);
    const lines = before + Math.min(count?.rows ?? 0, limit);
    // To count rows one must read them one after the other: the file's own numbers can be read in parallel, where no column has their name.
    const isTaken = own.some((column) => column.toLowerCase() === 'file_row_number');
    const view = isTaken ? rowsSql('row_number() OVER ()', parquetSql(file)) : rowsSql('file_row_number + 1', parquetSql(file, ', file_row_number = true'));
    return { lines, columns, view: `(${view})` };
  }
  await refuseMany({ duck, path, lines: file.lines - 1, columns: own.length, from: csvSql(file, ignoreSql) });
  await duck.run(`CREATE TABLE part AS ${rowsSql('row_number() OVER ()', csvSql(file, rejectsSql))}`);
  await setRejectedAside({ duck, path, before, header: true });
  const lines = await lastLine({ duck, before });
  await refuseOther({ duck, path, before, what: `CSV of ${columns.length} columns in UTF-8` });
  await moveTo({ duck, table: 'raw', first });
  return { lines, columns };
}

/** `part` goes to the rows that other files gave. */
async function moveTo({ duck, table, first }: { duck: Duck; table: 'raw' | 'objects'; first: boolean }): Promise<void> {
  if (first) return duck.run(`ALTER TABLE part RENAME TO ${table}`);
  await duck.run(`INSERT INTO ${table} SELECT * FROM part`);
  await duck.run('DROP TABLE part');
}

/** `objects` to `raw`. */
async function spreadMembers({ duck, path }: { duck: Duck; path: string }): Promise<string[]> {
  const columns = await jsonMembers(duck);
  checkNames({ path, columns });
  await duck.run(`CREATE TABLE raw AS ${membersSql(columns)}`);
  await duck.run('DROP TABLE objects');
  return columns;
}

async function parquetColumns(duck: Duck, file: SourcePart): Promise<string[]> {
  const described = await duck.rows<{ column_name: string }>(`DESCRIBE SELECT * FROM ${parquetSql(file)}`);
  return described.map((row) => row.column_name);
}

/** One of the files as a relation, without the rows that are none; the source's `columns` must be filled in. */
export function readSql({ source, file }: { source: SourceFile; file: SourcePart }): string {
  if (source.format === 'parquet') return parquetSql(file);
  if (source.format === 'csv') return csvSql(file, ignoreSql);
  return `read_json(${fileSql(file.path)}, format = 'newline_delimited', hive_partitioning = false, ignore_errors = true, columns = {${columnsSql(source)}})`;
}

// A source is what stands in its files, whatever their folders are called: nothing is read out of names such as `day=2026-03-02`.
const parquetSql = ({ path }: SourcePart, more = ''): string => `read_parquet(${fileSql(path)}, hive_partitioning = false${more})`;

function csvSql(file: SourcePart, errors: string): string {
  return `read_csv(${fileSql(file.path)}, auto_detect = false, header = true, delim = ${text(file.delimiter)}, quote = '"', escape = '"', hive_partitioning = false, columns = {${columnsSql(file)}}, ${errors})`;
}

/** The file of that very name: DuckDB takes every name for a pattern. */
const fileSql = (path: string): string => text(path.replaceAll(/[*?[]/g, '[$&]'));

const columnsSql = ({ columns }: { columns: readonly string[] }): string => columns.map((column) => `${text(column)}: 'VARCHAR'`).join(', ');
