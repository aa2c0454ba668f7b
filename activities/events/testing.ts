import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Charter, type CharterInput, parseCharter } from '../../models/contracts/charter.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { openBlobDirectory } from '../../stores/blobs-directory.ts';
import { type Context, openState } from '../context.ts';
import type { Beat } from '../worker.ts';
import { name, text, withDuck } from './duckdb.ts';
import { type IngestBatchInput, ingestBatch } from './ingest-batch.ts';
import type { Mapping } from './mapping.ts';

/** What the tests of ingest and windows share. */
export type Bench = { folder: string; blobs: BlobStore; blobCount: () => Promise<number> };

/** A folder of its own with a blob store, gone after `close`. */
export async function openBench(): Promise<Bench & { close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  const root = join(folder, 'blobs');
  await mkdir(root);
  return {
    folder,
    blobs: openBlobDirectory({ root }),
    blobCount: async () => (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length,
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The same for one test. */
export async function withBench<T>(use: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = await openBench();
  try {
    return await use(bench);
  } finally {
    await bench.close();
  }
}

/** A context over a state directory, for activities that touch nothing else. */
export function benchContext(root: string, change: Partial<Context> = {}): Context {
  const elsewhere = () => Promise.reject(new Error('not in this test'));
  return {
    state: openState(root),
    mlflow: {} as Context['mlflow'],
    now: () => Date.UTC(2026, 2, 20, 12),
    submit: elsewhere,
    isRunning: elsewhere,
    startReport: elsewhere,
    update: elsewhere,
    begin: elsewhere,
    signal: elsewhere,
    approverKeys: {},
    servingKey: null,
    pseudonymKey: null,
    featuresUrl: null,
    trainingThreads: 1,
    signingKey: null,
    log: () => undefined,
    ...change,
  };
}

export const quietBeat: Beat = { beat: () => undefined, signal: new AbortController().signal, resumeDetails: undefined };

/** A file as the source `events` of `home`, by the small charter. */
export function ingestFile({ blobs, folder }: Bench, { path, mapping, ...change }: { path: string; mapping: Mapping } & Partial<IngestBatchInput>) {
  return ingestBatch({ surface: 'home', charter: testCharter(), source: { path, name: 'events' }, mapping, blobs, workDir: join(folder, 'work'), ...change });
}

/** A small charter with some fields changed. */
export function testCharter(change: Partial<CharterInput> = {}): Charter {
  return parseCharter({
    surface: 'home',
    title: 'Home',
    owners: ['test'],
    objective: 'conversion',
    timeZone: 'Europe/London',
    reward: { weights: { purchase: 1 }, attributionMs: 1_000 },
    confidence: { purchase: 1, 'add-to-cart': 0.5, view: 0.1 },
    repeatPolicy: 'allow',
    window: { trainDays: 2, gapDays: 1, testDays: 1 },
    bootstrap: 'popularity',
    candidates: [{ name: 'popularity', algorithm: 'popularity' }],
    gates: {},
    release: { approvers: [{ name: 'test', role: 'ml-lead' }], canary: { ladder: [0.5], minUnits: [1] } },
    ...change,
  });
}

/** All rows of a Parquet blob as objects of strings and numbers. */
export async function parquetRows<Row extends Record<string, unknown>>({
  blobs,
  digest,
  columns = ['*'],
}: {
  blobs: BlobStore;
  digest: string;
  columns?: string[];
}): Promise<Row[]> {
  const path = await blobs.localPath(digest);
  const list = columns.map((column) => (column === '*' ? '*' : name(column))).join(', ');
  return withDuck({ workDir: undefined }, (duck) => duck.rows<Row>(`SELECT ${list} FROM read_parquet(${text(path)})`));
}
