import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { call, canaryOf, makeServedState, startReplica, until } from './testing.ts';

it('enrols each segment of visitors at its own share, for good, and writes down whom it saw and what it knew', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-segments-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const state = await makeServedState({ stateDir });
  const [champion, artifact] = [await state.train('popularity'), await state.train('item-knn')];
  const canary = canaryOf(artifact, { cap: 1, share: 0, segmentShares: { gold: 1, known: 1 } });
  await state.publish({ champion, canary });
  const time = { nowMs: 1_800_000_000_000 };
  const serving = await startReplica(stateDir, { clock: () => time.nowMs });
  onTestFinished(() => serving.close());
  const ask = async (userId: string, context: Record<string, unknown> = {}) =>
    (await call(`${serving.url}/v1/recommend`, { surface: 'home', userId, context })).body as { requestId: string; variant: string };
  const records = async () => (await openLogReader({ directory: join(stateDir, 'log', 'home', 'slates') }).tail({})).records;
  const recordOf = async ({ requestId }: { requestId: string }): Promise<SlateRecord> => {
    const found = await until(
      async () => (await records()).map((one) => slateRecord.parse(one)).find((one) => one.requestId === requestId),
      (one) => one !== undefined,
    );
    return found as SlateRecord;
  };

  const gold = await ask('ann', { segment: 'gold', country: 'FR', device: 'phone' });
  expect(gold.variant).toBe('challenger');
  const ofGold = await recordOf(gold);
  expect(ofGold).toMatchObject({ segment: 'gold', context: { country: 'FR', device: 'phone' }, share: 1, enrolment: { share: 1 } });
  expect(ofGold.historyUntilMs).toBeUndefined();
  expect(await ask('bob', { segment: 'silver' })).toMatchObject({ variant: 'champion' });

  const fresh = await ask('cleo');
  expect(fresh.variant).toBe('champion');
  expect(await recordOf(fresh)).toMatchObject({ segment: 'new', share: 0, enrolment: { share: 0 } });
  const click = { eventId: 'e1', kind: 'click', surface: 'home', userId: 'cleo', sessionId: 's', itemId: 'i0003', atMs: time.nowMs };
  expect((await call(`${serving.url}/v1/events`, { events: [click, { ...click, eventId: 'e2', userId: 'dan' }] })).status).toBe(200);
  time.nowMs += 1_000;
  // Who is known by now was enrolled as somebody new, and stays so.
  const again = await ask('cleo');
  expect(again.variant).toBe('champion');
  expect(await recordOf(again)).toMatchObject({ segment: 'known', enrolment: { share: 0 }, historyUntilMs: click.atMs });
  expect(await ask('dan')).toMatchObject({ variant: 'challenger' });

  // A name that every object has is no segment with a share of its own.
  const named = await ask('fay', { segment: 'constructor' });
  expect(named.variant).toBe('champion');
  expect(await recordOf(named)).toMatchObject({ segment: 'constructor', share: 0, enrolment: { share: 0 } });

  expect((await call(`${serving.url}/v1/recommend`, { surface: 'home', userId: 'eve', context: { segment: 'No such name!' } })).status).toBe(400);
});
