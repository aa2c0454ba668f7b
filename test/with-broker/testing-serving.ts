import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openState, readLatest, type State } from '../../activities/context.ts';
import { ingestEventLog } from '../../activities/events/ingest-event-log.ts';
import { ingestLog } from '../../activities/events/ingest-log.ts';
import { publishData } from '../../activities/events/publish-data.ts';
import { benchContext, parquetRows, quietBeat, testCharter } from '../../activities/events/testing.ts';
import { enforceRetention } from '../../activities/privacy/enforce-retention.ts';
import { certifyErasure, eraseEverywhere, surveyErasure, sweepErased } from '../../activities/privacy/erase-people.ts';
import { openRequest, removeRequest } from '../../activities/privacy/erasure-files.ts';
import { refuseTheirs } from '../../activities/privacy/erase-logs.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { checkLog } from '../../cli/doctor/log.ts';
import { dataState } from '../../models/contracts/window.ts';
import { call, canaryOf, makeServedState, type ServedState, until } from '../../serving/testing.ts';
import { putDocument } from '../../stores/blobs.ts';
import { settingsFor } from '../../stores/kafka/testing-broker.ts';
import { everythingSealed } from '../../stores/testing-log-suite.ts';

type Replica = { url: string; child: ChildProcess };

const surface = `s-${process.pid}-${Date.now().toString(36)}`;
const settings = () => settingsFor(inject('kafkaAddress'));
const children: ChildProcess[] = [];
let root: string;
let served: ServedState;
let state: State;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-kafka-'));
  served = await makeServedState({ stateDir: root, surface });
  state = openState(root, settings());
});
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await state.close();
  await rm(root, { recursive: true, force: true });
});

/** A replica as a process, as `up` starts it. */
async function start(replica: string): Promise<Replica> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../serving/main.ts', import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      UNDERSTUDY_STATE: root,
      UNDERSTUDY_PORT: '0',
      UNDERSTUDY_REPLICA: replica,
      UNDERSTUDY_MODEL_DEADLINE_MS: '2000',
      UNDERSTUDY_LOG: `kafka://${inject('kafkaAddress')}?replicas=1&partitions=3`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line');
  return { url: JSON.parse(String(line)).url, child };
}
async function end({ child }: Replica, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
const event = (eventId: string, userId = 'ann') => ({ eventId, kind: 'click', surface, userId, sessionId: `s-${userId}`, itemId: 'i0012', atMs: Date.now() });
const post = ({ url }: Replica, ...events: object[]) => call(`${url}/v1/events`, { events });
const statusOf = async (replica: Replica, one: object) => (await post(replica, one)).body.results[0].status;
const recommend = async ({ url }: Replica, userId: string) => (await call(`${url}/v1/recommend`, { surface, userId })).body;
const logged = async () => ((await state.logReader(surface, 'events').tail({})).records as { eventId: string }[]).map(({ eventId }) => eventId);
const dataNow = async () => (await readLatest(state.generations, `data/${surface}`, dataState))?.document;

/** What is known of a visitor, as the record of a slate says it; the record may come a moment after the answer. */
async function historyOf(replica: Replica, userId: string): Promise<string[]> {
  const { requestId } = await recommend(replica, userId);
  return until(
    async () => (await state.logReader(surface, 'slates').tail({}, { containing: requestId })).records as { history: string[] }[],
    (records) => records.length > 0,
  ).then(([record]) => record?.history ?? []);
}

const users = Array.from({ length: 30 }, (_, index) => `u${index}`);
const variants = new Map<string, string>();
const acknowledged: string[] = [];
let sent = 0;

it('a replica that is killed under load has lost nothing it acknowledged, and knows events, visitors and enrolments when it is back', async () => {
  const [popularity, knn] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 0.3 }) });
  let replica = await start('p1');
  for (const user of users) variants.set(user, (await recommend(replica, user)).variant);
  expect(new Set(variants.values()).size).toBe(2);
  expect(await statusOf(replica, event('first', 'cleo'))).toBe('accepted');
  // A slate's record is not waited for: that of the last enrolment is there when one behind it is.
  await historyOf(replica, 'cleo');
  let alive = true;
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let number = 0; alive; number += 1) {
      const ids = Array.from({ length: 5 }, (__, place) => `w${writer}-${number}-${place}`);
      sent += ids.length;
      const answer = await post(replica, ...ids.map((id) => event(id))).catch(() => undefined);
      if (answer?.status === 200) acknowledged.push(...ids);
      else if (answer === undefined) return;
    }
  });
  await until(
    () => acknowledged.length,
    (count) => count >= 300,
    60_000,
  );
  await end(replica, 'SIGKILL');
  alive = false;
  await Promise.all(writers);

  await served.publish({ canary: canaryOf(knn, { share: 0.9, stage: 1 }) });
  replica = await start('p1');
  const kept = await logged();
  expect(new Set(kept).size).toBe(kept.length);
  expect(acknowledged.filter((id) => !kept.includes(id))).toEqual([]);
  expect(kept.length).toBeLessThanOrEqual(sent + 1);
  for (const id of kept) expect([id, await statusOf(replica, event(id))]).toEqual([id, 'duplicate']);
  expect(await historyOf(replica, 'cleo')).toEqual(['i0012']);
  for (const user of users) expect([user, (await recommend(replica, user)).variant]).toEqual([user, variants.get(user)]);
  await end(replica, 'SIGTERM');
  expect(replica.child.exitCode).toBe(0);
  expect((await everythingSealed(state.logReader(surface, 'events'))).length).toBe(kept.length);
});

it('a second replica knows what the first takes in, and to whom it has given which variant', async () => {
  const [one, two] = [await start('p1'), await start('p2')];
  for (const user of users) expect([user, (await recommend(two, user)).variant]).toEqual([user, variants.get(user)]);
  expect(await statusOf(one, event('of-the-first', 'dora'))).toBe('accepted');
  await until(
    () => historyOf(two, 'dora'),
    (history) => history.includes('i0012'),
  );
  expect(await statusOf(two, event('of-the-first', 'dora'))).toBe('duplicate');
  for (const replica of [one, two]) await end(replica, 'SIGTERM');
});

it('what is logged is taken in once, however often it is asked for, also while a replica writes', async () => {
  const charter = testCharter({ surface, retention: { days: 1, slateDays: 1, quarantineDays: 1 } });
  await registerCharter(state, charter, 1);
  const catalog = await putDocument(state.blobs, [{ itemId: 'i0012', title: 'An item', inStock: true }]);
  const beginning = { surface, charter, sourceName: 'nothing', events: (async function* () {})(), previous: { slices: [] }, catalog, nowMs: Date.now() };
  const ingest = ({ workDir }: { workDir: string }) => ingestLog({ ...beginning, blobs: state.blobs, workDir });
  await publishData({ state, surface, charter, nowMs: Date.now, beat: quietBeat, ingest });
  const context = benchContext(root, { state, now: Date.now });
  const takeIn = () => ingestEventLog(context, { surface, charter: null }, quietBeat);

  const before = await logged();
  const first = await takeIn();
  expect(first.counts).toMatchObject({ input: before.length, accepted: before.length, duplicates: 0, quarantined: 0 });
  expect(await takeIn()).toMatchObject({ generation: first.generation, counts: { input: 0 } });
  const replica = await start('p1');
  expect(await statusOf(replica, event('later'))).toBe('accepted');
  // The replica seals what it has open.
  expect((await takeIn()).counts).toMatchObject({ input: 1, accepted: 1 });
  const rows = [];
  for (const { digest } of (await dataNow())?.slices ?? []) rows.push(...(await parquetRows<{ event_id: string }>({ blobs: state.blobs, digest })));
  expect(rows.map((row) => row.event_id).sort()).toEqual([...before, 'later'].sort());
  await end(replica, 'SIGTERM');
});

it('people and old records that are in it refuse erasure and retention, before anything is changed; others are erased, as far as it holds nothing of them', async () => {
  const generation = (await dataNow())?.generation;
  const people = (userIds: string[]) => ({ surfaces: [surface], people: { userIds, sessionIds: [], deviceIds: [] } });
  await expect(refuseTheirs({ state }, people(['cleo']))).rejects.toMatchObject({
    code: 'UND-LOG-KEPT',
    message: expect.stringContaining(`understudy.${surface}.events holds 1 records of theirs`),
  });
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const context = benchContext(root, { state, now: Date.now, signingKey: privateKey });
  const request = (userId: string) => {
    const asked = { given: [userId], people: people([userId]).people, by: 'lead', why: 'asked', reference: null, models: 'keep' as const, requestedAtMs: 1 };
    return openRequest(root, asked);
  };
  const refused = await request('cleo');
  await expect(surveyErasure(context, refused, quietBeat)).rejects.toMatchObject({ code: 'UND-LOG-KEPT' });
  await removeRequest(root, refused.id);
  // Whom it does not hold, and who came by a file, is erased as ever; what comes in meanwhile is found.
  const erased = await request('nobody');
  await surveyErasure(context, erased, quietBeat);
  await eraseEverywhere(context, erased, quietBeat);
  await sweepErased(context, erased, quietBeat);
  const replica = await start('p1');
  expect(await statusOf(replica, event('meanwhile', 'nobody'))).toBe('accepted');
  await end(replica, 'SIGTERM');
  expect(await certifyErasure(context, erased, quietBeat)).toMatchObject({ done: false, found: [`understudy.${surface}.events`] });
  const inTwoDays = benchContext(root, { state, now: () => Date.now() + 3 * 86_400_000 });
  await expect(enforceRetention(inTwoDays, { surface }, quietBeat)).rejects.toMatchObject({ code: 'UND-LOG-KEPT' });
  expect((await dataNow())?.generation).toBe(generation);
  expect(await enforceRetention(context, { surface }, quietBeat)).toMatchObject({ removed: {} });
});

it('the doctor says that its brokers answer', async () => {
  expect(await checkLog({ stateDir: root, kafka: settings() })).toMatchObject({
    name: 'log',
    state: 'ok',
    found: expect.stringContaining(inject('kafkaAddress')),
  });
});
