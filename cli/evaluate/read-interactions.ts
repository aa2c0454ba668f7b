import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance, type DuckDBVector } from '@duckdb/node-api';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type ColumnChoice, type ColumnOptions, chooseColumns, csvShape, describeColumns } from './columns.ts';

/** Rows of a file in its order, users and items as numbers of their first appearance. */
export type InteractionRows = { userIds: string[]; itemIds: string[]; users: Uint32Array; items: Uint32Array; atMs: Float64Array };

/**
 * Reads user, item and, if there is one, a timestamp (ISO 8601, or a number since 1970 in seconds, milliseconds, microseconds or nanoseconds by
 * its size) from CSV (plain or gzip, header or not) or Parquet. Without timestamps all times are 0.
 * @param given `say` is told which columns were taken as what
 * @throws UND-FILE when the file is missing, truncated, malformed, or has rows without user, item or readable time; UND-INPUT when a column
 * that was said is not there
 */
export async function readInteractions(
  path: string,
  { options = {}, say = () => undefined }: { options?: ColumnOptions; say?: (line: string) => void } = {},
): Promise<InteractionRows> {
  const kind = await fileKind(path);
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const layout = kind === 'parquet' ? await parquetLayout(connection, path) : await csvLayout(path, kind, options.header);
    const choice = chooseColumns({ ...layout, options });
    const header = kind === 'parquet' ? '' : layout.header === undefined ? 'no header; ' : 'header in line 1; ';
    say(`${header}${describeColumns({ ...layout, choice })}`);
    const source = sourceOf(layout, choice);
    return await readRows(connection, source, path);
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${reason}`, { cause: error });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

type Kind = 'parquet' | 'gzip' | 'csv';

async function fileKind(path: string): Promise<Kind> {
  let size: number;
  const head = Buffer.alloc(4);
  const tail = Buffer.alloc(4);
  try {
    const file = await open(path, 'r');
    try {
      size = (await file.stat()).size;
      await file.read(head, 0, 4, 0);
      await file.read(tail, 0, 4, Math.max(0, size - 4));
    } finally {
      await file.close();
    }
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UnderstudyError('UND-FILE', isMissing ? `${path} does not exist` : `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (size === 0) throw new UnderstudyError('UND-FILE', `${path} is empty`);
  const isParquetName = /\.parquet$/i.test(path);
  if (head.toString('latin1') === 'PAR1' || isParquetName) {
    if (head.toString('latin1') !== 'PAR1') throw new UnderstudyError('UND-FILE', `${path} is not Parquet`);
    if (tail.toString('latin1') !== 'PAR1') throw new UnderstudyError('UND-FILE', `${path} is truncated: its Parquet footer is missing`);
    return 'parquet';
  }
  return head[0] === 0x1f && head[1] === 0x8b ? 'gzip' : 'csv';
}

/** SQL that gives the rows, and SQL expressions of all columns; `header` is undefined where the file has none. */
type Layout = { from: string; expressions: readonly string[]; header: readonly string[] | undefined; sample: readonly string[] };
/** The same with expressions of the columns that are needed. */
type Source = { from: string; user: string; item: string; time: string | undefined };

async function parquetLayout(connection: DuckDBConnection, path: string): Promise<Layout> {
  const from = `read_parquet(${quoteText(path)})`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const header = described.getRows().map((row) => String(row[0]));
  if (header.length < 2) throw new UnderstudyError('UND-FILE', `${path} has one column; user and item are needed`);
  return { from, expressions: header.map(quoteName), header, sample: [] };
}

async function csvLayout(path: string, kind: Kind, hasHeader: boolean | undefined): Promise<Layout> {
  if (kind === 'gzip') await checkGzip(path);
  const lines = await firstLines(path, kind);
  if (/^\s*[{[]/.test(lines[0] ?? '')) throw new UnderstudyError('UND-FILE', `${path} looks like JSON: CSV or Parquet is needed here`);
  const shape = csvShape({ lines, header: hasHeader });
  if (shape.columns.length < 2) throw new UnderstudyError('UND-FILE', `${path} has one column; user and item are needed`);
  const types = shape.columns.map((_, column) => `'c${column}': 'VARCHAR'`).join(', ');
  const from = `read_csv(${quoteText(path)}, auto_detect = false, header = ${shape.hasHeader}, delim = ${quoteText(shape.separator)}, quote = '"', escape = '"', compression = '${kind === 'gzip' ? 'gzip' : 'none'}', columns = {${types}})`;
  return { from, expressions: shape.columns.map((_, column) => `c${column}`), header: shape.hasHeader ? shape.columns : undefined, sample: shape.sample };
}

function sourceOf({ from, expressions }: Layout, { user, item, time }: ColumnChoice): Source {
  const text = (column: number): string => `trim(CAST(${expressions[column]} AS VARCHAR))`;
  return { from, user: text(user), item: text(item), time: time === undefined ? undefined : text(time) };
}

/** DuckDB reads what there is of a cut gzip file and says nothing; zlib says so. */
async function checkGzip(path: string): Promise<void> {
  const nowhere = new Transform({ transform: (_chunk, _encoding, done) => done() });
  try {
    await pipeline(createReadStream(path), createGunzip(), nowhere.resume());
  } catch (error) {
    throw new UnderstudyError('UND-FILE', `${path} is truncated or damaged: ${(error as Error).message}`, { cause: error });
  }
}

async function firstLines(path: string, kind: Kind): Promise<string[]> {
  const bytes = createReadStream(path, kind === 'gzip' ? {} : { end: 1 << 20 });
  const input = kind === 'gzip' ? bytes.pipe(createGunzip()) : bytes;
  const lines: string[] = [];
  try {
    for await (const line of createInterface({ input })) {
      if (line.trim() !== '') lines.push(line.replace(/^\uFEFF/, ''));
      if (lines.length === 2) break;
    }
  } finally {
    bytes.destroy();
  }
  return lines;
}

/** A number's unit follows from its size: until the year 5138, seconds are below 1e11; the other units are each a thousand times larger. */
function timeExpression(timestamp: string): string {
  const number = `TRY_CAST(${timestamp} AS DOUBLE)`;
  return `CASE WHEN ${number} IS NULL THEN epoch_ms(TRY_CAST(${timestamp} AS TIMESTAMPTZ))
    WHEN abs(${number}) < 1e11 THEN ${number} * 1000 WHEN abs(${number}) < 1e14 THEN ${number} WHEN abs(${number}) < 1e17 THEN ${number} / 1e3 ELSE ${number} / 1e6 END`;
}

async function readRows(connection: DuckDBConnection, { from, user, item, time: written }: Source, path: string): Promise<InteractionRows> {
  const time = written === undefined ? '0' : timeExpression(written);
  const result = await connection.stream(`SELECT ${user} AS user_id, ${item} AS item_id, CAST(${time} AS DOUBLE) AS at_ms FROM ${from}`);
  const users = new Numbering();
  const items = new Numbering();
  let rows: InteractionRows = {
    userIds: users.ids,
    itemIds: items.ids,
    users: new Uint32Array(1 << 16),
    items: new Uint32Array(1 << 16),
    atMs: new Float64Array(1 << 16),
  };
  let count = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    if (count + chunk.rowCount > rows.users.length) rows = ofLength(rows, 2 * rows.users.length);
    const [userIds, itemIds, times] = [0, 1, 2].map((column) => chunk.getColumnVector(column)) as [DuckDBVector, DuckDBVector, DuckDBVector];
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const [user, item, time] = [userIds.getItem(row), itemIds.getItem(row), times.getItem(row)] as [string | null, string | null, number | null];
      if (!user || !item) throw new UnderstudyError('UND-FILE', `${path}: row ${count + 1} has no ${user ? 'item' : 'user'}`);
      if (time === null || !Number.isFinite(time))
        throw new UnderstudyError('UND-FILE', `${path}: the timestamp of row ${count + 1} is neither ISO 8601 nor a number`);
      rows.users[count] = users.of(user);
      rows.items[count] = items.of(item);
      rows.atMs[count] = time;
      count += 1;
    }
  }
  return ofLength(rows, count);
}

/** The same ids over columns cut or made longer. */
function ofLength({ userIds, itemIds, users, items, atMs }: InteractionRows, length: number): InteractionRows {
  const kept = Math.min(length, users.length);
  const longer = { userIds, itemIds, users: new Uint32Array(length), items: new Uint32Array(length), atMs: new Float64Array(length) };
  longer.users.set(users.subarray(0, kept));
  longer.items.set(items.subarray(0, kept));
  longer.atMs.set(atMs.subarray(0, kept));
  return longer;
}

class Numbering {
  readonly ids: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    this.#numbers.set(id, this.ids.length);
    this.ids.push(id);
    return this.ids.length - 1;
  }
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
