import { expect, onTestFinished, test } from 'vitest';
import { quietBeat } from '../../activities/events/testing.ts';
import { openEvidence } from '../../activities/evidence/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { trainCandidate } from '../../activities/training/train-candidate.ts';
import { freezeRecipe } from '../../activities/windows/prepare-retrain.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { artifactCommand } from './artifact.ts';

test('says how large the parts of a model are, and what was measured of the ways to find its best items', async () => {
  const startMs = Date.UTC(2026, 0, 5);
  const drawn = drawPurchases({ users: 80, items: 120, tastes: 3, faith: 0.9, perUser: 12, days: 30, zipf: 0.5, fresh: 0, seed: 1 });
  const evidence = await openEvidence({
    happenings: happeningsOf(drawn, startMs),
    nowMs: startMs + 31 * 86_400_000,
    charter: { window: { trainDays: 24, gapDays: 1, testDays: 3 } },
  });
  onTestFinished(() => evidence.close());
  const { context, charter, window } = evidence;
  const { blobs, root } = context.state;
  await registerCharter(context.state, charter, context.now());
  const index = { recallAt100: 0.99, p99Ms: 1_000, memoryMb: 500 };
  const recipe = await freezeRecipe(context, charter, { name: 'ials', algorithm: 'ials', params: { factors: 16, sweeps: 3 }, index });
  const work = { window: await putDocument(blobs, window), recipe: await putDocument(blobs, recipe), charter: await putDocument(blobs, charter) };
  const { artifact } = await trainCandidate(context, { surface: 'home', candidate: 'ials', ...work }, quietBeat);

  const run = (...args: string[]) =>
    writtenBy(() =>
      artifactCommand({ env: readEnvironment({}), cwd: root, now: Date.now })
        .exitOverride()
        .parseAsync(['home', '--state', root, '--artifact', artifact, ...args], { from: 'user' }),
    );
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
