import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

/** One in-memory database over immutable files: nothing that two processes could both write. */
export type Duck = {
  /** Runs statements without reading an answer. */
  run(sql: string): Promise<void>;
  /** Small answers, as objects. BIGINT comes as a string: cast to DOUBLE or INTEGER what shall be a number. */
  rows<Row extends Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Large answers, one array a column; only DOUBLE, INTEGER, UINTEGER, FLOAT, BOOLEAN and VARCHAR columns. */
  columns(sql: string): Promise<unknown[][]>;
  /** Scratch folder of this database; gone when it closes. Empty without a `workDir`. */
  scratch: string;
};

/** Without a `workDir` nothing is written to disk: what does not fit into memory fails. */
type Options = { workDir: string | undefined; signal?: AbortSignal | undefined };

/** Opens a database, gives it to `use`, and closes it and its scratch folder whatever happens. An abort interrupts the running query. */
export async function withDuck<T>(options: Options, use: (duck: Duck) => Promise<T>): Promise<T> {
  options.signal?.throwIfAborted();
  const scratch = options.workDir === undefined ? '' : await mkdtemp(join(options.workDir, 'duckdb-'));
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '2GB',
    temp_directory: scratch === '' ? '' : join(scratch, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  options.signal?.addEventListener('abort', interrupt);
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await use(duckOver({ connection, scratch, signal: options.signal }));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
    if (scratch !== '') await rm(scratch, { recursive: true, force: true });
  }
}

function duckOver({ connection, scratch, signal }: { connection: DuckDBConnection; scratch: string; signal: AbortSignal | undefined }): Duck {
  return {
    scratch,
    async run(sql) {
      signal?.throwIfAborted();
      await connection.run(sql);
    },
    async rows<Row extends Record<string, unknown>>(sql: string) {
      signal?.throwIfAborted();
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjectsJson() as Row[];
    },
    async columns(sql) {
      signal?.throwIfAborted();
      const reader = await connection.runAndReadAll(sql);
      return reader.getColumnsJS() as unknown[][];
    },
  };
}

/** A string literal. */
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** A column's name. */
export const name = (value: string): string => `"${value.replaceAll('"', '""')}"`;
