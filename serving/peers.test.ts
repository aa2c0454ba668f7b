import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bucketOf } from '../models/slate/assign.ts';
import { openLogReader, openLogWriter } from '../stores/event-log-files.ts';
import { followLog } from '../stores/follow-log.ts';
import { beginLife } from '../stores/life.ts';
import type { Serving } from './server.ts';
import { call, canaryOf, makeServedState, type ServedState, startReplica, until } from './testing.ts';

let root: string;
let state: ServedState;
const running: Serving[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-peers-'));
  state = await makeServedState({ stateDir: root });
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
  await rm(root, { recursive: true, force: true });
});
async function start(replica: string): Promise<Serving> {
  const serving = await startReplica(root, { replica });
  running.push(serving);
  return serving;
}
const recommend = async ({ url }: Serving, userId: string) => (await call(`${url}/v1/recommend`, { surface: 'home', userId })).body;
const post = async ({ url }: Serving, eventId: string, userId = 'ann') =>
  (await call(`${url}/v1/events`, { events: [{ eventId, kind: 'click', surface: 'home', userId, sessionId: 's', itemId: 'i0012', atMs: 1 }] })).body.results[0]
    .status;
const publishAndWait = async (change: Parameters<ServedState['publish']>[0]) => {
  const { generation } = await state.publish(change);
  for (const { url } of running)
    await until(
      async () => (await call(`${url}/v1/surfaces/home`)).body.generation,
      (one) => one === generation,
    );
};

it('keeps a visitor to the variant of another replica, whatever the share has become, also of a release that began while both ran', async () => {
  const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
  await state.publish({ champion: popularity });
  const [one, two] = [await start('r1'), await start('r2')];
  await publishAndWait({ challenger: knn, canary: canaryOf(knn, { share: 0.1 }) });
  const users = Array.from({ length: 60 }, (_, index) => `u${index}`);
  const variants = new Map<string, string>();
  for (const user of users) variants.set(user, (await recommend(one, user)).variant);
  expect(new Set(variants.values()).size).toBe(2);
  await publishAndWait({ canary: canaryOf(knn, { share: 0.9, stage: 1 }) });
  // Known to the second with a delay. Of this one it would think otherwise: with what is known of the last, that of the others is.
  const last = users.findLast((user) => variants.get(user) === 'champion' && bucketOf({ salt: 'salt-1', unit: `u:${user}` }) < 0.9) as string;
  await until(
    async () => (await recommend(two, last)).variant,
    (variant) => variant === 'champion',
  );
  for (const user of users) expect([user, (await recommend(two, user)).variant]).toEqual([user, variants.get(user)]);
  for (const user of users) expect((await recommend(one, user)).variant).toBe(variants.get(user));
});

it('knows the events that another replica has taken: none is taken again, and the visitor is known', async () => {
  await state.publish({ champion: await state.train('popularity') });
  const [one, two] = [await start('r1'), await start('r2')];
  expect(await post(one, 'e1', 'cleo')).toBe('accepted');
  await until(
    async () => {
      const { requestId } = await recommend(two, 'cleo');
      const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({}, { containing: requestId });
      return (records[0] as { history?: string[] } | undefined)?.history ?? [];
    },
    (history) => history.length > 0,
  );
  expect(await post(two, 'e1', 'cleo')).toBe('duplicate');
});

it('follows what other lives write, over seals, and never what it has read or its own', async () => {
  const directory = join(root, 'log');
  const [mine, theirs] = [beginLife(), beginLife()];
  const own = await openLogWriter({ directory, writer: 'r1', life: mine });
  const other = await openLogWriter({ directory, writer: 'r2', life: theirs });
  await Promise.all([own.append([{ id: 'own' }]), other.append([{ id: 1 }])]);
  const follower = followLog({ directory, cursor: {}, life: mine, maxBytes: 40 });
  const seen: unknown[] = [];
  const look = () => follower.look((line) => seen.push(JSON.parse(line).id));
  await look();
  await other.append([{ id: 2 }]);
  await other.seal();
  await look();
  await other.append([3, 4, 5, 6, 7, 8].map((id) => ({ id })));
  await own.seal();
  await look();
  await look();
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  await Promise.all([own.close(), other.close()]);
});
