import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Serving } from '../../../serving/server.ts';
import { call, makeServedState, openReplicas, until } from '../../../serving/testing.ts';
import { settingsFor, startOwnBroker } from '../../../stores/kafka/testing-broker.ts';
import { openLogs } from '../../../stores/open-logs.ts';
import { everythingSealed } from '../../../stores/testing-log-suite.ts';

let root: string;
let broker: Awaited<ReturnType<typeof startOwnBroker>>;
const replicas = openReplicas(() => root);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-outage-'));
  broker = await startOwnBroker();
  const state = await makeServedState({ stateDir: root });
  await state.publish({ champion: await state.train('popularity') });
});
afterEach(async () => {
  await replicas.close();
  await broker.stop();
  await rm(root, { recursive: true, force: true });
});

const start = (replica: string) => replicas.start({ replica, kafka: settingsFor(broker.address) });
const event = (eventId: string) => ({ eventId, kind: 'click', surface: 'home', userId: 'ann', sessionId: 's', itemId: 'i0012', atMs: Date.now() });
const post = ({ url }: Serving, eventId: string) => call(`${url}/v1/events`, { events: [event(eventId)] });
const recommend = ({ url }: Serving) => call(`${url}/v1/recommend`, { surface: 'home', userId: 'ann' });
const ready = async ({ url }: Serving) => (await call(`${url}/readyz`)).body;
const unavailable = { status: 503, body: { code: 'UND-LOG-UNAVAILABLE' } };
async function killBroker(): Promise<void> {
  const ended = once(broker.child, 'exit');
  broker.child.kill('SIGKILL');
  await ended;
}
/** Sends it again until it is taken, as a client does. @returns what it was answered in the end */
const postUntilTaken = async (serving: Serving, eventId: string) =>
  (
    await until(
      () => post(serving, eventId),
      ({ status }) => status === 200,
      60_000,
    )
  ).body.results[0].status;

it('while the broker is away, events are refused and may be sent again, slates are answered, and it goes on when the broker is back', async () => {
  const serving = await start('r1');
  expect((await post(serving, 'before')).status).toBe(200);
  await killBroker();
  const startedMs = performance.now();
  const refused = await post(serving, 'during');
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(refused).toMatchObject(unavailable);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await recommend(serving)).toMatchObject({ status: 200, body: { rung: 'model', items: expect.arrayContaining([expect.anything()]) } });
  await until(
    () => ready(serving),
    ({ status, troubles }) => status === 'degraded' && troubles.some((one: string) => one.includes('the events log')),
  );
  broker = await startOwnBroker({ again: broker });
  expect(await postUntilTaken(serving, 'during')).toBe('accepted');
  expect((await post(serving, 'before')).body.results[0].status).toBe('duplicate');
  // The slates log is found to be whole by the next slate that is written.
  await until(
    () => recommend(serving).then(() => ready(serving)),
    ({ status }) => status === 'ready',
    30_000,
  );
  await replicas.close();
  const logs = openLogs({ stateDir: root, kafka: settingsFor(broker.address) });
  const kept = (await everythingSealed(logs.reader({ surface: 'home', stream: 'events' }))) as { eventId: string }[];
  expect(kept.map(({ eventId }) => eventId)).toEqual(['before', 'during']);
  await logs.close();
});

it('a replica that starts while the broker is away answers slates, takes no event whose like it may hold, and reads back what it must know later', async () => {
  const first = await start('r1');
  expect((await post(first, 'known')).status).toBe(200);
  await replicas.close();
  await killBroker();
  const second = await start('r2');
  expect(await recommend(second)).toMatchObject({ status: 200, body: { rung: 'model' } });
  expect(await post(second, 'known')).toMatchObject(unavailable);
  expect((await ready(second)).troubles).toEqual(expect.arrayContaining([expect.stringContaining('what the logs hold cannot be read')]));
  broker = await startOwnBroker({ again: broker });
  expect(await postUntilTaken(second, 'known')).toBe('duplicate');
  expect(await postUntilTaken(second, 'new')).toBe('accepted');
});
