import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { chooseColumns, csvShape } from './columns.ts';

/** Rows of a file in its order, users and items as numbers of their first appearance. */
export type InteractionRows = { userIds: string[]; itemIds: string[]; users: number[]; items: number[]; atMs: number[] };

/**
 * Reads user, item and, if there is one, a timestamp (ISO 8601, or a number since 1970 in seconds, milliseconds, microseconds or nanoseconds by
 * its size) from CSV (plain or gzip, header or not) or Parquet. Without timestamps all times are 0.
 * @throws UND-FILE when the file is missing, truncated, malformed, or has rows without user, item or readable time.
 */
export async function readInteractions(path: string): Promise<InteractionRows> {
  const kind = await fileKind(path);
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const source = kind === 'parquet' ? await parquetSource(connection, path) : await csvSource(path, kind);
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

/** SQL that gives the rows, and SQL expressions of the three columns. */
type Source = { from: string; user: string; item: string; timestamp: string | undefined };

async function parquetSource(connection: DuckDBConnection, path: string): Promise<Source> {
  const from = `read_parquet(${quoteText(path)})`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const columns = described.getRows().map((row) => String(row[0]));
  if (columns.length < 2) throw new UnderstudyError('UND-FILE', `${path} has one column; user and item are needed`);
  return sourceOf(from, columns, columns.map(quoteName));
}

async function csvSource(path: string, kind: Kind): Promise<Source> {
  if (kind === 'gzip') await checkGzip(path);
  const [first, second] = await firstLines(path, kind);
  const shape = csvShape(first ?? '', second);
  if (shape.columns.length < 2) throw new UnderstudyError('UND-FILE', `${path} has one column; user and item are needed`);
  const types = shape.columns.map((_, column) => `'c${column}': 'VARCHAR'`).join(', ');
  const from = `read_csv(${quoteText(path)}, auto_detect = false, header = ${shape.hasHeader}, delim = ${quoteText(shape.separator)}, quote = '"', escape = '"', compression = '${kind === 'gzip' ? 'gzip' : 'none'}', columns = {${types}})`;
  const header = shape.hasHeader ? shape.columns : shape.columns.map(() => '');
  return sourceOf(
    from,
    header,
    shape.columns.map((_, column) => `c${column}`),
  );
}

function sourceOf(from: string, header: readonly string[], expressions: readonly string[]): Source {
  const choice = chooseColumns(header);
  const text = (column: number): string => `trim(CAST(${expressions[column]} AS VARCHAR))`;
  return { from, user: text(choice.user), item: text(choice.item), timestamp: choice.timestamp === undefined ? undefined : text(choice.timestamp) };
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
      if (line.trim() !== '') lines.push(line);
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

async function readRows(connection: DuckDBConnection, { from, user, item, timestamp }: Source, path: string): Promise<InteractionRows> {
  const time = timestamp === undefined ? '0' : timeExpression(timestamp);
  const result = await connection.stream(`SELECT ${user} AS user_id, ${item} AS item_id, CAST(${time} AS DOUBLE) AS at_ms FROM ${from}`);
  const users = new Numbering();
  const items = new Numbering();
  const rows: InteractionRows = { userIds: users.ids, itemIds: items.ids, users: [], items: [], atMs: [] };
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    const [userIds, itemIds, times] = [0, 1, 2].map((column) => chunk.getColumnValues(column)) as [unknown[], unknown[], unknown[]];
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const number = rows.users.length + 1;
      if (!userIds[row] || !itemIds[row]) throw new UnderstudyError('UND-FILE', `${path}: row ${number} has no ${userIds[row] ? 'item' : 'user'}`);
      if (!Number.isFinite(times[row])) throw new UnderstudyError('UND-FILE', `${path}: the timestamp of row ${number} is neither ISO 8601 nor a number`);
      rows.users.push(users.of(userIds[row] as string));
      rows.items.push(items.of(itemIds[row] as string));
      rows.atMs.push(times[row] as number);
    }
  }
  return rows;
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
