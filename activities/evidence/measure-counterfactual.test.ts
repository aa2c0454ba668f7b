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
    async measure({ trainedUntilMs = 0 } = {}) {
      await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
      const [slates, events] = await Promise.all((['slates', 'events'] as const).map((stream) => state.logReader('home', stream).sealed()));
      const document: LogSegments = { kind: 'log-segments', surface: 'home', slates: slates ?? [], events: events ?? [] };
      const segments = await putDocument(state.blobs, document);
      const charter = parseCharter(testCharter);
      const input = {
        charter,
        catalog: [],
        candidate,
        champion,
        segments,
        sinceGeneration: 0,
        trainedUntilMs,
        seed: 1,
        allowed: () => true,
        beat: () => undefined,
      };
      return measureCounterfactual(state, input);
    },
  };
}

it('counts slates whose outcome is known, each purchase for the slate that it followed, usable or not', async () => {
  const { time, recommend, buy, measure } = await open();
  const shown = [];
  for (let user = 0; user < 20; user += 1) shown.push(await recommend(`u${user}`, 10));
  // Nothing is known of these for as long as somebody may still buy.
  expect(await measure()).toEqual({ result: null, absent: 'none of 20 slates can tell (20: what it earns is not known yet)' });
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
  const { result } = await measure();
  expect(result).toMatchObject({ slates: 20, users: 20, voided: 2 });
  expect(result?.voidedBy).toEqual({ 'shorter or longer than the surface shows': 1, 'what it earns is not known yet': 1 });
  expect(result?.logged.value).toBeCloseTo(1 / 20, 10);
  expect(result?.kpis?.purchase?.champion.value).toBeCloseTo(result?.champion?.value ?? Number.NaN, 10);
  // Whatever was sent before the end of the training data would be judged by clicks that a model was made of.
  expect(await measure({ trainedUntilMs: time.nowMs + 1 })).toMatchObject({ result: null, absent: expect.stringContaining('was trained on what followed') });
});
