import { DuckDBInstance } from '@duckdb/node-api';
import { InferenceSession } from 'onnxruntime-node';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { findRunRecord } from '../registry/runs.ts';
import { drawRows, openRuns, shuffled } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;

afterEach(() => {
  vi.restoreAllMocks();
});

type Files = Parameters<typeof openRuns>[0]['files'];

async function open(files: Files, change: Partial<Parameters<typeof openRuns>[0]> = {}) {
  const runs = await openRuns({ files, ...change });
  onTestFinished(() => runs.close());
  return runs;
}

/** What of a run must not depend on where and how it was made. */
async function essence({ run, state }: Awaited<ReturnType<typeof openRuns>>) {
  const record = await findRunRecord({ state }, await run());
  if (record?.made === undefined) throw new Error('it does not say how it was made');
  const { runId, window, recipe, artifact, metrics, report } = record;
  return { runId, window, recipe, artifact, metrics, report };
}

/** The real libraries with other numbers of threads; `asked` tells that they were asked for. */
function withThreads(threads: number): { asked: () => { duckdb: number; onnxruntime: number } } {
  const createDuck = DuckDBInstance.create.bind(DuckDBInstance);
  const duck = vi.spyOn(DuckDBInstance, 'create').mockImplementation((path, options) => createDuck(path, { ...options, threads: String(threads) }));
  const createSession = InferenceSession.create.bind(InferenceSession) as (model: never, options: object) => Promise<InferenceSession>;
  const onnx = vi
    .spyOn(InferenceSession, 'create')
    .mockImplementation(((model: never, options: object) =>
      createSession(model, { ...options, intraOpNumThreads: threads, interOpNumThreads: threads })) as unknown as typeof InferenceSession.create);
  return { asked: () => ({ duckdb: duck.mock.calls.length, onnxruntime: onnx.mock.calls.length }) };
}

it('is the same run over 1, 2 and 4 threads, from the file to the report', { timeout: 240_000 }, async () => {
  // More rows than DuckDB gives to one thread, 122,880.
  const files = { 'events.csv': drawRows({ users: 250, perUser: 500, days: 30, seed }) };
  const charter = { window: { trainDays: 20, gapDays: 1, testDays: 5 } };
  const made = [];
  for (const threads of [1, 2, 4]) {
    const { asked } = withThreads(threads);
    made.push(await essence(await open(files, { charter })));
    expect(Math.min(asked().duckdb, asked().onnxruntime)).toBeGreaterThan(1);
    vi.restoreAllMocks();
  }
  expect(made[1]).toEqual(made[0]);
  expect(made[2]).toEqual(made[0]);
});

it('is the same run from the same rows in another order and other files, on another day', { timeout: 60_000 }, async () => {
  const rows = drawRows({ users: 60, perUser: 60, days: 34, seed });
  const first = await essence(await open({ 'events.csv': rows }));
  const mixed = shuffled(rows, seed + 1);
  const third = Math.ceil(mixed.length / 3);
  const files = { 'b/one.csv': mixed.slice(0, third), 'a/two.csv': mixed.slice(third, 2 * third), 'three.csv': mixed.slice(2 * third) };
  expect(await essence(await open(files, { nowMs: Date.UTC(2027, 5, 1, 3) }))).toEqual(first);
});

it('made again on another day, every stage is equal, and what the run says of itself is all there', { timeout: 60_000 }, async () => {
  const { run, rerun } = await open({ 'events.csv': drawRows({ users: 60, perUser: 60, days: 34, seed }) });
  const again = await rerun(await run(), { now: () => Date.UTC(2028, 1, 29) });
  expect(again.stages.map(({ stage, status }) => `${stage} ${status}`)).toEqual([
    ...['window equal', 'slices equal', 'train-matrix equal', 'recipe equal', 'artifact equal'],
    ...['test-part equal', 'metrics equal', 'evidence equal', 'verdict equal'],
  ]);
  expect(again).toMatchObject({ equal: true, firstDifference: null, difference: null, changed: { code: '', library: '', hardware: '' } });
});
