import { expect, onTestFinished, test } from 'vitest';
import { quietBeat } from '../../activities/events/testing.ts';
import { openEvidence } from '../../activities/evidence/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { trainCandidate } from '../../activities/training/train-candidate.ts';
import { freezeRecipe } from '../../activities/windows/prepare-retrain.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CandidateRecipe } from '../../models/contracts/charter.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { artifactCommand } from './artifact.ts';

/** An artifact of a recipe on drawn purchases, and the command that describes it. */
async function trained(candidate: Pick<CandidateRecipe, 'name' | 'algorithm' | 'params' | 'index' | 'weights'>, { users = 80, fresh = 0 } = {}) {
  const startMs = Date.UTC(2026, 0, 5);
  const drawn = drawPurchases({ users, items: 120, tastes: 3, faith: 0.9, perUser: 12, days: 30, zipf: 0.5, fresh, seed: 1 });
  const evidence = await openEvidence({
    happenings: happeningsOf(drawn, startMs),
    nowMs: startMs + 31 * 86_400_000,
    charter: { window: { trainDays: 24, gapDays: 1, testDays: 3 } },
  });
  onTestFinished(() => evidence.close());
  const { context, charter, window } = evidence;
  const { blobs, root } = context.state;
  await registerCharter(context.state, charter, context.now());
  const recipe = await freezeRecipe(context, charter, candidate);
  const work = { window: await putDocument(blobs, window), recipe: await putDocument(blobs, recipe), charter: await putDocument(blobs, charter) };
  const result = await trainCandidate(context, { surface: 'home', candidate: candidate.name, ...work }, quietBeat);
  const run = (...args: string[]) =>
    writtenBy(() =>
      artifactCommand({ env: readEnvironment({}), cwd: root, now: Date.now })
        .exitOverride()
        .parseAsync(['home', '--state', root, '--artifact', result.artifact, ...args], { from: 'user' }),
    );
  return { result, run };
}

test('says how large the parts of a model are, and what was measured of the ways to find its best items', async () => {
  const index = { recallAt100: 0.99, p99Ms: 1_000, memoryMb: 500 };
  const { run } = await trained({ name: 'ials', algorithm: 'ials', params: { factors: 16, sweeps: 3 }, index });
  const { files, weights, index: measured, items } = JSON.parse(await run('--json'));
  expect(files.map(({ name }: { name: string }) => name).sort()).toEqual(['index.json', 'recommend.onnx', 'vocabulary.json']);
  const { bytes: graph } = files.find(({ name }: { name: string }) => name === 'recommend.onnx');
  const held = weights.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0);
  expect(held).toBeLessThan(graph);
  expect(held).toBeGreaterThan(0.5 * graph);
  expect(weights).toContainEqual({ name: 'item_factors', type: 'float32', shape: [items + 1, 16], bytes: 4 * 16 * (items + 1) });
  expect(measured.constraint).toEqual(index);
  const text = await run();
  expect(text).toMatch(/item_factors +float32 +\d+ x 16/);
  expect(text).toMatch(/exact-4bit|4 bit/);
  expect(text).toContain('chosen');
});

test('says what a model in 8 bits takes beside one in float32, and how many of its answers stayed the same', async () => {
  const { run } = await trained({ name: 'ials', algorithm: 'ials', params: { factors: 16, sweeps: 3 }, weights: '8-bit' });
  const text = await run();
  expect(text).toContain('asked: items in 8 bits; measured with 82 requests');
  expect(text).toMatch(/exact +float32 +1\.0000 +1\.0000/);
  expect(text).toMatch(/exact-8bit +8-bit +[01]\.\d{4} +[01]\.\d{4}/);
  expect(text).toMatch(/8 bits leave [01]\.\d{4} of the best 20 as they were/);
});

test('says what a model that a heavier one taught saves, and what that costs with what chance may have to do with it', async () => {
  const first = { algorithm: 'ials', params: { factors: 16, sweeps: 3 } };
  const params = { first, hidden: [64], learningRate: 0.01, behindShare: 0.4, heldOutShare: 0.5, epochs: 20, distil: { hidden: [8] } };
  const { run, result } = await trained({ name: 'ranked', algorithm: 'ncf', params }, { users: 200, fresh: 0.8 });
  expect(result).toMatchObject({ parityPassed: true });
  const { files, distillation } = JSON.parse(await run('--json'));
  expect(files.map(({ name }: { name: string }) => name).sort()).toEqual(['distillation.json', 'recommend.onnx', 'vocabulary.json']);
  const sizeOf = (wanted: string) => files.find(({ name }: { name: string }) => name === wanted).bytes;
  // The statement is kept, and not held to answer.
  expect(result.bytes).toBe(sizeOf('recommend.onnx') + sizeOf('vocabulary.json'));
  const { teacher, student, difference, users } = distillation;
  expect(student.bytes).toBe(sizeOf('recommend.onnx'));
  expect(student.bytes).toBeLessThan(teacher.bytes);
  expect(users).toBeGreaterThan(20);
  expect(difference.value).toBeCloseTo(student.ndcgAt10 - teacher.ndcgAt10, 9);
  expect(difference.low).toBeLessThanOrEqual(difference.value);
  expect(difference.high).toBeGreaterThanOrEqual(difference.value);
  const text = await run();
  expect(text).toMatch(/this one +\d+ +[0-9.]+ MB +0\.\d{4}/);
  expect(text).toMatch(/its teacher +\d+/);
  expect(text).toContain(`for ${users} users that neither was trained on`);
});
