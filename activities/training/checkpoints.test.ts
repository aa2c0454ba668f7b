import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/activity';
import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { packCheckpoint } from '../../models/algorithms/checkpoint.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { openEvidence } from '../evidence/testing.ts';
import { benchContext, quietBeat, withBench } from '../events/testing.ts';
import { awaitTrainings } from '../privacy/await-trainings.ts';
import { sweepBlobs } from '../privacy/sweep.ts';
import type { PreparedRetrain } from '../api.ts';
import type { Beat } from '../worker.ts';
import { clearCheckpoints, withCheckpoints } from './checkpoints.ts';
import { trainCandidate } from './train-candidate.ts';

vi.setConfig({ testTimeout: 60_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;

/** A training of twelve steps, each of which takes longer than a checkpoint is to wait for. */
async function open() {
  const happenings = happeningsOf(drawPurchases({ users: 60, items: 30, tastes: 3, faith: 0.9, perUser: 10, days: 10, zipf: 0.5, fresh: 0, seed }), startMs);
  const evidence = await openEvidence({ happenings, charter: { window: { trainDays: 6, gapDays: 1, testDays: 2 } }, nowMs: startMs + 11 * dayMs });
  onTestFinished(() => evidence.close());
  const { context, charter, window } = evidence;
  let nowMs = startMs;
  context.now = () => (nowMs += 6_000);
  const { blobs, root } = context.state;
  const { confidence, repeatPolicy } = charter;
  const recipe = {
    kind: 'recipe',
    surface: 'home',
    candidate: 'ials',
    algorithm: 'ials',
    params: { factors: 4, sweeps: 12 },
    seed: 1,
    confidence,
    repeatPolicy,
  };
  const work: PreparedRetrain = {
    surface: 'home',
    candidate: 'ials',
    window: await putDocument(blobs, window),
    recipe: await putDocument(blobs, { ...recipe, guest: null }),
    charter: await putDocument(blobs, charter),
  };
  const left = async () => (await readdir(join(root, 'checkpoints'), { recursive: true }).catch(() => [])).filter((name) => !name.endsWith('.json'));
  const blobCount = async () => (await readdir(join(root, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
  /** Tells what stands there at each heartbeat that names a checkpoint, until `stop` of them. */
  async function train(change: { resume?: unknown; stop?: number; error?: Error } = {}) {
    const seen: { details: { checkpoint: string; done: number }; files: number }[] = [];
    const ending = new AbortController();
    const beats: Promise<void>[] = [];
    const beat: Beat = {
      signal: ending.signal,
      resumeDetails: change.resume,
      workflowId: 'retrain/one',
      beat(details) {
        if (details !== undefined) beats.push(left().then((files) => void seen.push({ details: details as never, files: files.length - 1 })));
        if (beats.length !== change.stop) return;
        if (change.error instanceof CancelledFailure) ending.abort(change.error);
        throw change.error;
      },
    };
    const outcome = await trainCandidate(context, work, beat).catch((error: unknown) => error);
    await Promise.all(beats);
    return { outcome: outcome as { artifact: string; resumedFrom: number; code?: string }, seen };
  }
  return { context, work, left, train, blobCount };
}

it('what a training would go on from is there while it goes on, a few at a time, and gone when it ends', async () => {
  const { train, left, blobCount } = await open();
  const before = await blobCount();
  const whole = await train();
  expect(whole.seen.length).toBeGreaterThan(8);
  // Three, and one more for the moment before the oldest goes.
  expect(Math.max(...whole.seen.map(({ files }) => files))).toBeLessThanOrEqual(4);
  expect(whole.outcome.artifact).toMatch(/^sha256:/);
  expect(await left()).toEqual([]);
  // Graph, vocabulary, parity record, manifest, how it was made, the embedding set's parts: nothing of a checkpoint is a blob.
  expect((await blobCount()) - before).toBeLessThan(10);
  for (const error of [new UnderstudyError('UND-CHARTER', 'a mistake'), new CancelledFailure('CANCELLED'), new CancelledFailure('NOT_FOUND')]) {
    expect((await train({ stop: 3, error })).outcome).toBe(error);
    expect(await left(), String(error)).toEqual([]);
  }
});

it('an attempt that another one follows leaves it what it had; the end takes it away', async () => {
  const { train, left } = await open();
  const whole = await train();
  for (const error of [new CancelledFailure('WORKER_SHUTDOWN'), new Error('the disk was away')]) {
    const cut = await train({ stop: 4, error });
    expect((await left()).length).toBeGreaterThan(1);
    const resume = cut.seen.at(-1)?.details;
    const resumed = await train({ resume });
    expect(resumed.outcome).toMatchObject({ artifact: whole.outcome.artifact, resumedFrom: resume?.done });
    expect(await left()).toEqual([]);
  }
});

it('what other code has begun is begun anew: the same training goes on by the same code alone', async () => {
  const { train } = await open();
  const whole = await train();
  const cut = await train({ stop: 4, error: new CancelledFailure('WORKER_SHUTDOWN') });
  const resume = { ...cut.seen.at(-1)?.details, code: digestJson('another version') };
  expect((await train({ resume })).outcome).toMatchObject({ artifact: whole.outcome.artifact, resumedFrom: 0 });
});

it('what a killed worker leaves goes with the next training, but not while its own may go on', async () => {
  const { context, train, left, work } = await open();
  await train({ stop: 4, error: new CancelledFailure('WORKER_SHUTDOWN') });
  const another: PreparedRetrain = { ...work, candidate: 'another' };
  let running: boolean | Error = new Error('Temporal is away');
  const asked: string[] = [];
  context.isRunning = async (workflowId) => {
    asked.push(workflowId);
    if (running instanceof Error) throw running;
    return running;
  };
  const pass = () => withCheckpoints(context, another, quietBeat, async () => undefined);
  await pass();
  expect((await left()).length).toBeGreaterThan(1);
  running = true;
  await pass();
  expect((await left()).length).toBeGreaterThan(1);
  expect(new Set(asked)).toEqual(new Set(['retrain/one']));
  running = false;
  await pass();
  expect(await left()).toEqual([]);
});

it('an erasure takes away what is left, and is not certified while a training goes on that has read what is gone', async () => {
  const { context, train, left, work } = await open();
  await train({ stop: 4, error: new CancelledFailure('WORKER_SHUTDOWN') });
  const { trainSlices } = await getDocument(context.state.blobs, work.window, windowManifest);
  const gone = new Set([trainSlices[0]?.digest ?? '']);
  await awaitTrainings(context, gone);
  expect(await left()).toEqual([]);
  await withCheckpoints(context, work, quietBeat, async (checkpoints) => {
    await checkpoints.put(Buffer.from('factors'));
    await expect(awaitTrainings(context, gone)).rejects.toMatchObject({ code: 'UND-OVERLOADED' });
    await awaitTrainings(context, new Set([digestJson('another slice')]));
    await clearCheckpoints(context);
    expect((await left()).length).toBeGreaterThan(1);
  });
  await awaitTrainings(context, gone);
});

it('checkpoints of before, which were blobs, go with the next erasure; what is kept for a warm start stays', () =>
  withBench(async ({ folder }) => {
    const { blobs } = benchContext(join(folder, 'state')).state;
    const factors = { done: 3, arrays: { users: Float32Array.of(1, 2) } };
    const old = await blobs.put(packCheckpoint({ fingerprint: digestJson('a training'), ...factors }));
    const warm = await blobs.put(packCheckpoint({ fingerprint: 'ials items of 4', ...factors }));
    const people = { userIds: ['nobody'], sessionIds: [], deviceIds: [] };
    expect(await sweepBlobs({ blobs, people, certificate: 'er-000000000000000000000000', workDir: folder })).toEqual([]);
    expect([await blobs.has(old), await blobs.has(warm)]).toEqual([false, true]);
  }));
