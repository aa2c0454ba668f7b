import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { putDocument } from '../../stores/blobs.ts';
import { call, makeServedState, startReplica, testCharter } from '../../serving/testing.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { openState, type State } from '../context.ts';
import type { LogSegments } from '../release/seal-log.ts';
import { measureCounterfactual } from './measure-counterfactual.ts';

/** A real replica whose clock the test sets; what it logs is the evidence. */
async function open() {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-evidence-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const served = await makeServedState({ stateDir });
  const [champion, candidate] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion, challenger: candidate });
  const time = { nowMs: 1_800_000_000_000 };
  const serving = await startReplica(stateDir, { clock: () => time.nowMs });
  onTestFinished(() => serving.close());
  const state: State = openState(stateDir);
  return {
    time,
    recommend: async (userId: string, count: number) =>
      (await call(`${serving.url}/v1/recommend`, { surface: 'home', userId, count })).body as { requestId: string; items: { itemId: string }[] },
    buy: async (userId: string, itemId: string) => {
      const event = { eventId: `e-${userId}-${itemId}`, kind: 'purchase', surface: 'home', userId, sessionId: `s-${userId}`, itemId, atMs: time.nowMs };
      expect((await call(`${serving.url}/v1/events`, { events: [event] })).body).toMatchObject({ results: [{ status: 'accepted' }] });
    },
    async measure() {
      await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
      const [slates, events] = await Promise.all((['slates', 'events'] as const).map((stream) => state.logReader('home', stream).sealed()));
      const document: LogSegments = { kind: 'log-segments', surface: 'home', slates: slates ?? [], events: events ?? [] };
      const segments = await putDocument(state.blobs, document);
      const charter = parseCharter(testCharter);
      return measureCounterfactual(state, { charter, candidate, champion, segments, sinceGeneration: 0, seed: 1, allowed: () => true, beat: () => undefined });
    },
  };
}

it('counts slates whose outcome is known, each purchase for the slate that it followed, usable or not', async () => {
  const { time, recommend, buy, measure } = await open();
  const shown = [];
  for (let user = 0; user < 20; user += 1) shown.push(await recommend(`u${user}`, 10));
  // Nothing is known of these for as long as somebody may still buy.
  expect(await measure()).toBeNull();
  time.nowMs += 10_000;
  const item = shown[0]?.items[0]?.itemId ?? '';
  // This one is too short to be replayed, and it is what the purchase follows.
  const short = await recommend('u0', 3);
  expect(short.items.map(({ itemId }) => itemId)).toContain(item);
  time.nowMs += 1_000;
  await buy('u0', item);
  await buy('u1', shown[1]?.items[1]?.itemId ?? '');
  time.nowMs += 70_000;
  await recommend('late', 10);
  const found = await measure();
  expect(found).toMatchObject({ slates: 20, users: 20, voided: 2 });
  expect(found?.logged.value).toBeCloseTo(1 / 20, 10);
});
