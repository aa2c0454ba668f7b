import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { call, makeServedState, startReplica, testCharter } from '../../serving/testing.ts';
import { putDocument } from '../../stores/blobs.ts';
import { openState } from '../context.ts';
import { measureCounterfactual } from './measure-counterfactual.ts';

const titled = (item: CatalogItem, index: number): CatalogItem => ({ ...item, title: `thing ${Math.floor(index / 6)}` });
const change = { slate: { size: 8, diversity: { weight: 0.6, depth: 30 } }, exploration: { slots: 1, poolDepth: 40, floor: 0 } };

it('replayed slates are made diverse as those that were served', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-replay-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const served = await makeServedState({ stateDir, charter: change, catalog: titled });
  const [champion, other] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion });
  const time = { nowMs: 1_800_000_000_000 };
  const serving = await startReplica(stateDir, { clock: () => time.nowMs });
  onTestFinished(() => serving.close());
  for (let user = 0; user < 20; user += 1) await call(`${serving.url}/v1/recommend`, { surface: 'home', userId: `u${user}` });
  time.nowMs += 70_000;
  await call(`${serving.url}/v1/recommend`, { surface: 'home', userId: 'late' });
  await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
  const state = openState(stateDir);
  const slates = (await state.logReader('home', 'slates').sealed()) ?? [];
  const segments = await putDocument(state.blobs, { kind: 'log-segments', surface: 'home', slates, events: [] });
  const catalog = served.itemIds.map((itemId, index) => titled({ itemId, title: '', inStock: true }, index));
  const measure = async (weight: number) => {
    const charter = parseCharter({ ...testCharter, ...change, slate: { size: 8, diversity: { weight, depth: 30 } } });
    const rest = { charter, catalog, segments, sinceGeneration: 0, trainedUntilMs: 0, seed: 1, allowed: () => true, beat: () => undefined };
    return (await measureCounterfactual(state, { ...rest, candidate: champion, champion: other })).result;
  };
  // Of the slates that were served a base item weighs 1 / (1 - 1/8), one that was explored nothing. Made another way, explored items are wanted.
  expect((await measure(0.6))?.maxWeight).toBeCloseTo(8 / 7, 10);
  expect((await measure(0))?.maxWeight).toBeGreaterThan(3);
});
