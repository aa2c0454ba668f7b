import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Duck, name, text } from './duckdb.ts';
import { createMalformed, membersSql, readJsonLines, refuseOther, rejectsSql, setRejectedAside } from './malformed-rows.ts';

/** A file that was read once from end to end: it is whole as far as its format can tell. `columns` are empty for formats that carry their own. */
export type SourceFile = { path: string; format: 'csv' | 'jsonl' | 'parquet'; digest: Digest; bytes: number; delimiter: string; columns: string[] };

const suffixes: [RegExp, SourceFile['format']][] = [
  [/\.(csv|tsv|txt)(\.gz)?$/i, 'csv'],
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
];

/**
 * Digests the file, unpacks it on the way where it ends in `.gz`, and reads a CSV's header.
 * @throws UND-FILE when it is missing, unreadable, truncated (gzip) or of no known format.
 */
export async function inspectSource({ path, signal }: { path: string; signal?: AbortSignal | undefined }): Promise<SourceFile> {
  const format = suffixes.find(([pattern]) => pattern.test(path))?.[1];
  if (format === undefined)
    throw new UnderstudyError('UND-FILE', `${path}: its name ends in none of .csv, .tsv, .txt, .jsonl, .ndjson (each also .gz), .parquet`);
  try {
    const { digest, bytes, head } = await readThrough({ path, signal });
    if (bytes === 0) throw new UnderstudyError('UND-FILE', `${path} is empty`);
    if (format !== 'csv') return { path, format, digest, bytes, delimiter: ',', columns: [] };
    const delimiter = likelyDelimiter(head);
    return { path, format, digest, bytes, delimiter, columns: headerColumns({ path, head, delimiter }) };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('UND-FILE', `${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

const headBytes = 1 << 16;

async function readThrough({ path, signal }: { path: string; signal: AbortSignal | undefined }): Promise<{ digest: Digest; bytes: number; head: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(path, 'r');
  const file = createReadStream(path, { fd: handle, signal });
  const unpacked = path.toLowerCase().endsWith('.gz') ? createGunzip() : undefined;
  const head: Buffer[] = [];
  let kept = 0;
  const keep = (chunk: Buffer) => {
    if (kept < headBytes) head.push(chunk.subarray(0, headBytes - kept));
    kept += chunk.length;
  };
  unpacked?.on('data', keep);
  // An error of either stream must end both; `finished` below is what is awaited.
  const done = unpacked === undefined ? undefined : finished(unpacked);
  done?.catch(() => undefined);
  try {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      if (unpacked === undefined) keep(chunk);
      else if (!unpacked.write(chunk)) await Promise.race([new Promise((resolve) => unpacked.once('drain', resolve)), done]);
    }
    unpacked?.end();
    await done;
  } finally {
    unpacked?.destroy();
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes, head: Buffer.concat(head).toString('utf8') };
}

/** The one of comma, semicolon, tab and bar that stands most often in the first line. */
function likelyDelimiter(head: string): string {
  const line = head.split('\n', 1)[0] ?? '';
  let best = ',';
  for (const candidate of [';', '\t', '|']) {
    if (line.split(candidate).length > line.split(best).length) best = candidate;
  }
  return best;
}

function headerColumns({ path, head, delimiter }: { path: string; head: string; delimiter: string }): string[] {
  const line = (head.split('\n', 1)[0] ?? '').replace(/^\uFEFF/, '').replace(/\r$/, '');
  const columns: string[] = [];
  const end = `(?:$|\\u{${delimiter.codePointAt(0)?.toString(16)}})`;
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"${end}|([^"]*?)${end})`, 'uy');
  for (;;) {
    const match = cell.exec(line);
    if (match === null) throw new UnderstudyError('UND-FILE', `${path}: its first line is not a CSV header`);
    const column = (match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim();
    // Data frames write their index under no name.
    columns.push(column === '' ? `column_${columns.length + 1}` : column);
    if (!match[0].endsWith(delimiter) || (match[1] !== undefined && match[0].endsWith('"'))) break;
  }
  checkNames({ path, columns });
  return columns;
}

/** @throws UND-FILE naming a column that is there twice (case does not count), or that has a name of ours. */
function checkNames({ path, columns }: { path: string; columns: readonly string[] }): void {
  const lower = columns.map((column) => column.toLowerCase());
  const twice = columns.find((_column, index) => lower.indexOf(lower[index] ?? '') !== index);
  if (twice !== undefined) throw new UnderstudyError('UND-FILE', `${path}: it needs a different name for each column; "${twice}" is there twice`);
  const reserved = columns.find((column) => ['raw_line', 'raw_key'].includes(column.toLowerCase()));
  if (reserved !== undefined) throw new UnderstudyError('UND-FILE', `${path}: a column may not be called ${reserved}`);
}

/**
 * Loads the file into the table `raw`: every column as VARCHAR, and `raw_line`. What is no row goes into the
 * table `malformed`. Answers the columns' names.
 * @throws UND-FILE when most rows are none, a quote is not closed, a Parquet file is truncated, or a column is missing.
 */
export async function loadRaw({
  duck,
  source,
  requires,
  limit,
}: {
  duck: Duck;
  source: SourceFile;
  requires: readonly string[];
  limit?: number;
}): Promise<string[]> {
  let present: string[];
  try {
    await createMalformed(duck);
    present = await loadRows({ duck, source, limit: limit === undefined ? '' : ` LIMIT ${limit}` });
    await refuseOther({ duck, path: source.path, what: source.format === 'csv' ? `CSV of ${present.length} columns in UTF-8` : 'JSON objects' });
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (/INTERRUPT/i.test(message)) throw error;
    throw new UnderstudyError('UND-FILE', `${source.path}: ${message.split('\n').slice(0, 4).join(' ')}`, { cause: error });
  }
  const there = new Set(present.map((column) => column.toLowerCase()));
  const absent = requires.filter((column) => !there.has(column.toLowerCase()));
  if (absent.length > 0) {
    throw new UnderstudyError(
      'UND-FILE',
      `${source.path} lacks the column${absent.length === 1 ? '' : 's'} ${absent.join(', ')}; it has ${present.join(', ')}`,
    );
  }
  return present;
}

async function loadRows({ duck, source, limit }: { duck: Duck; source: SourceFile; limit: string }): Promise<string[]> {
  const { path, format } = source;
  const members = format === 'jsonl' ? await readJsonLines({ duck, path, limit }) : [];
  const columns = source.columns.length > 0 ? source.columns : format === 'jsonl' ? members : await parquetColumns(duck, source);
  checkNames({ path, columns });
  if (format === 'jsonl') {
    await duck.run(`CREATE TABLE raw AS ${membersSql(columns)}`);
    await duck.run('DROP TABLE objects');
    return columns;
  }
  const cells = columns.map((column) => `CAST(${name(column)} AS VARCHAR) AS ${name(column)}`);
  const from = format === 'csv' ? csvSql(source, rejectsSql) : readSql(source);
  await duck.run(`CREATE TABLE raw AS SELECT CAST(row_number() OVER () AS DOUBLE) AS raw_line, ${cells.join(', ')} FROM ${from}${limit}`);
  if (format === 'csv') await setRejectedAside({ duck, path, header: true });
  return columns;
}

async function parquetColumns(duck: Duck, source: SourceFile): Promise<string[]> {
  const described = await duck.rows<{ column_name: string }>(`DESCRIBE SELECT * FROM ${readSql(source)}`);
  return described.map((row) => row.column_name);
}

/** The file as a relation, without the rows that are none; `columns` must be filled in, but for Parquet. */
export function readSql(source: SourceFile): string {
  if (source.format === 'parquet') return `read_parquet(${text(source.path)})`;
  if (source.format === 'csv') return csvSql(source, 'ignore_errors = true');
  return `read_json(${text(source.path)}, format = 'newline_delimited', ignore_errors = true, columns = {${columnsSql(source)}})`;
}

function csvSql(source: SourceFile, errors: string): string {
  return `read_csv(${text(source.path)}, auto_detect = false, header = true, delim = ${text(source.delimiter)}, quote = '"', escape = '"', columns = {${columnsSql(source)}}, ${errors})`;
}

const columnsSql = ({ columns }: SourceFile): string => columns.map((column) => `${text(column)}: 'VARCHAR'`).join(', ');
