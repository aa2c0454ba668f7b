import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { slateRecord } from '../../models/contracts/slate.ts';
import { call, makeServedState, startReplica, testCharter } from '../../serving/testing.ts';
import { putDocument } from '../../stores/blobs.ts';
import { openLogReader } from '../../stores/event-log-files.ts';
import { openState } from '../context.ts';
import { measureCounterfactual } from './measure-counterfactual.ts';
import { openReplayGuard } from './replay-guard.ts';

const guardrails = { thresholds: [{ kind: 'violence', atLeast: 0.8, below: 'adult' as const }] };
const change = { slate: { size: 8 }, exploration: { slots: 1, poolDepth: 40, floor: 0 }, guardrails };

it('each logged slate is replayed under the flags that it obeyed, for whom it was', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-replay-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const served = await makeServedState({ stateDir, charter: change });
  const [champion, other] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion });
  const time = { nowMs: 1_800_000_000_000 };
  const serving = await startReplica(stateDir, { clock: () => time.nowMs });
  onTestFinished(() => serving.close());
  const ask = async (userId: string, maturity?: string): Promise<string[]> =>
    (await call(`${serving.url}/v1/recommend`, { surface: 'home', userId, context: { maturity } })).body.items.map(({ itemId }: { itemId: string }) => itemId);
  const flag = (items: object[], more: object = {}) =>
    call(`${serving.url}/v1/flags`, { surface: 'home', source: 'by-hand', by: 'kim', why: 'test', mode: 'add', items, ...more });
  const best = await ask('first');
  time.nowMs += 1;
  // Half of what everybody would see is not for children; one item ends by itself, another is taken back.
  await flag(best.slice(0, 4).map((itemId) => ({ itemId, scores: { violence: 0.9 } })));
  await flag([
    { itemId: best[4], flags: ['recall'], expiresAtMs: time.nowMs + 10 },
    { itemId: best[5], flags: ['recall'] },
  ]);
  for (let user = 0; user < 40; user += 1) {
    if (user === 30) await flag([{ itemId: best[5] }], { mode: 'clear' });
    await ask(`u${user}`, user % 2 === 0 ? 'adult' : undefined);
    time.nowMs += 1;
  }
  time.nowMs += 70_000;
  await ask('late');
  await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
  const state = openState(stateDir);
  const slates = (await state.logReader('home', 'slates').sealed()) ?? [];
  const segments = await putDocument(state.blobs, { kind: 'log-segments', surface: 'home', slates, events: [] });
  const catalog = served.itemIds.map((itemId): CatalogItem => ({ itemId, title: '', inStock: true }));
  const charter = parseCharter({ ...testCharter, ...change });
  const measure = async (flagged: typeof charter) => {
    const rest = { charter: flagged, catalog, segments, sinceGeneration: 0, trainedUntilMs: 0, seed: 1, allowed: () => true, beat: () => undefined };
    return (await measureCounterfactual(state, { ...rest, candidate: champion, champion: other })).result;
  };
  // Of a slate that is made as it was served a base item weighs 1 / (1 - 1/8), and one that was explored nothing.
  expect(await measure(charter)).toMatchObject({ slates: 41, support: 1, maxWeight: expect.closeTo(8 / 7, 10) });
  expect((await measure(parseCharter({ ...testCharter, ...change, guardrails: {} })))?.support).toBeLessThan(0.9);

  const { records } = await openLogReader({ directory: join(stateDir, 'log', 'home', 'slates') }).tail({});
  const guard = openReplayGuard(state, { charter, catalog, allowed: () => true });
  const held: number[] = [];
  for (const record of records.map((one) => slateRecord.parse(one))) held.push(60 - ((await guard(record))?.length ?? 60));
  const expected = Array.from({ length: 40 }, (_, user) => (user % 2 === 0 ? 0 : 4) + (user < 10 ? 1 : 0) + (user < 30 ? 1 : 0));
  expect(held).toEqual([0, ...expected, 4]);
});
