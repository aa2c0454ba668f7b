import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { withoutValues } from './duckdb-errors.ts';

/** One in-memory database over immutable files: nothing that two processes could both write. */
export type Duck = {
  /** Runs statements without reading an answer. */
  run(sql: string): Promise<void>;
  /** The same while others run: what keeps one core busy leaves the other to them. One at a time. */
  runBeside(sql: string): Promise<void>;
  /** Small answers, as objects. BIGINT comes as a string: cast to DOUBLE or INTEGER what shall be a number. */
  rows<Row extends Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Large answers, one array a column; only DOUBLE, INTEGER, UINTEGER, FLOAT, BOOLEAN and VARCHAR columns. */
  columns(sql: string): Promise<unknown[][]>;
  /** Answers of any length, without holding them: part by part, in order. A part is good until the next one. */
  parts(sql: string, take: (part: AnswerPart) => void): Promise<void>;
  /** Scratch folder of this database; gone when it closes. Empty without a `workDir`. */
  scratch: string;
};

export type AnswerPart = { rows: number; columns: readonly { getItem(row: number): unknown }[] };

/** Without a `workDir` nothing is written to disk: what does not fit into memory fails. */
type Options = { workDir: string | undefined; signal?: AbortSignal | undefined };

/** Opens a database, gives it to `use`, and closes it and its scratch folder whatever happens. An abort interrupts the running query. */
export async function withDuck<T>(options: Options, use: (duck: Duck) => Promise<T>): Promise<T> {
  options.signal?.throwIfAborted();
  const scratch = options.workDir === undefined ? '' : await mkdtemp(join(options.workDir, 'duckdb-'));
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    // Less, and what cannot spill fails. With what DuckDB does not count, and Node's own, a process takes two to three times that.
    memory_limit: scratch === '' ? '2GB' : '500MB',
    // What is free is given back.
    allocator_background_threads: 'true',
    allocator_flush_threshold: '16MB',
    temp_directory: scratch === '' ? '' : join(scratch, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connections = [await instance.connect(), await instance.connect()] as const;
  const interrupt = () => {
    for (const connection of connections) connection.interrupt();
  };
  options.signal?.addEventListener('abort', interrupt);
  try {
    for (const connection of connections) await connection.run("SET TimeZone = 'UTC'");
    return await use(duckOver({ connections, scratch, signal: options.signal }));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw withDiskCode(error);
  } finally {
    options.signal?.removeEventListener('abort', interrupt);
    for (const connection of connections) connection.closeSync();
    instance.closeSync();
    if (scratch !== '') await rm(scratch, { recursive: true, force: true });
  }
}

type Over = { connections: readonly [DuckDBConnection, DuckDBConnection]; scratch: string; signal: AbortSignal | undefined };

function duckOver({ connections: [connection, second], scratch, signal }: Over): Duck {
  return {
    scratch,
    async runBeside(sql) {
      signal?.throwIfAborted();
      await said(() => second.run(sql));
    },
    async run(sql) {
      signal?.throwIfAborted();
      await said(() => connection.run(sql));
    },
    async rows<Row extends Record<string, unknown>>(sql: string) {
      signal?.throwIfAborted();
      const reader = await said(() => connection.runAndReadAll(sql));
      return reader.getRowObjectsJson() as Row[];
    },
    async columns(sql) {
      signal?.throwIfAborted();
      const reader = await said(() => connection.runAndReadAll(sql));
      return reader.getColumnsJS() as unknown[][];
    },
    async parts(sql, take) {
      const answer = await said(() => connection.stream(sql));
      for (;;) {
        signal?.throwIfAborted();
        const chunk = await said(() => answer.fetchChunk());
        if (chunk === null || chunk.rowCount === 0) return;
        take({ rows: chunk.rowCount, columns: Array.from({ length: chunk.columnCount }, (_, column) => chunk.getColumnVector(column)) });
        // Else it would keep its texts until Node, which does not see them, collects garbage.
        chunk.reset();
      }
    },
  };
}

/** Errors say nothing of what stands in rows: they go into histories and logs. */
async function said<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw withoutValues(error);
  }
}

/** What DuckDB passes on of a disk that cannot be written, with the code that the file system has for it. */
const diskCodes: readonly [RegExp, string][] = [
  [/No space left on device/, 'ENOSPC'],
  [/Read-only file system/, 'EROFS'],
  [/Disk quota exceeded/, 'EDQUOT'],
];

/** As Node gives errors of the file system: by `code` and `path` a full disk is known from a defect. */
function withDiskCode(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UnderstudyError) return error;
  const code = diskCodes.find(([said]) => said.test(error.message))?.[1];
  return code === undefined ? error : Object.assign(error, { code, path: /"([^"]+)"/.exec(error.message)?.[1] ?? '' });
}

/** Does DuckDB say that the disk it writes to is the trouble? */
export const isOfDisk = (error: Error): boolean => diskCodes.some(([said]) => said.test(error.message));

/** What DuckDB says of the machine; all else it says of the statement, or of the values that the statement met. */
const ofTheMachine = /^(IO|INTERRUPT|FATAL|INTERNAL|Out of Memory|TransactionContext|Connection)\b/i;

/**
 * Runs what the configuration says as SQL: a mistake in it is the charter's, and trying again would not mend it.
 * @throws UND-CHARTER at `path` with DuckDB's own words, of values as far as they quote none.
 */
export async function asWritten<T>({ what, path }: { what: string; path: string }, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof UnderstudyError || ofTheMachine.test(cause.message)) throw cause;
    const message = cause.message.split('\n').slice(0, 4).join(' ').trim();
    throw new UnderstudyError('UND-CHARTER', `${what}: ${message}`, { cause, mistakes: [{ path, message }] });
  }
}

/** A string literal. */
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** A column's name. */
export const name = (value: string): string => `"${value.replaceAll('"', '""')}"`;
