import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CanarySpec, DeploymentSpec } from '../models/contracts/deployment.ts';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { bucketOf } from '../models/slate/assign.ts';
import { slotPropensities } from '../models/slate/explore.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import type { Serving } from './server.ts';
import { call, canaryOf, makeServedState, openReplicas, type ServedState, until } from './testing.ts';

const exploration = { slots: 1, poolDepth: 12, challengerDepth: 3, floor: 0.1, rankOffset: 5 };
const slateSize = 10;
let root: string;
let state: ServedState;
let champion: string;
/** Of the first challenger and its rivals, in their order. */
let artifacts: string[];
const { running, start: startAny, close } = openReplicas(() => root);
// So patient that a busy machine leaves no extra out.
const start = (replica = 'r1') => startAny({ replica, modelDeadlineMs: 30_000 });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-rivals-'));
  state = await makeServedState({ stateDir: root, charter: { exploration } });
  champion = await state.train('popularity');
  artifacts = [await state.train('item-knn'), await state.train('ials', { factors: 8 }, 1), await state.train('ials', { factors: 8 }, 2)];
});
afterEach(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

/** The release as the pipeline publishes it: who is out is not registered any more, and keeps its place in the canary. */
function among(shares: readonly number[], over: Partial<CanarySpec> = {}): Partial<DeploymentSpec> {
  const [challenger = null, ...rivals] = artifacts.filter((_, arm) => over.mode === 'shadow' || (shares[arm] as number) > 0);
  const [first, ...others] = artifacts.map((artifact, arm) => ({ artifact, share: shares[arm] as number }));
  return { challenger, rivals, canary: canaryOf(first?.artifact as string, { cap: 1, share: first?.share as number, rivals: others, ...over }) };
}
const shadowed = () => among([0, 0, 0], { mode: 'shadow', stage: -1 });
async function publishAndWait(change: Partial<DeploymentSpec>): Promise<void> {
  const { generation } = await state.publish(change);
  for (const { url } of running)
    await until(
      async () => (await call(`${url}/v1/surfaces/home`)).body,
      (body) => body.generation === generation,
    );
}

/** Its bytes are another's now: it cannot be loaded any more. */
const spoil = (digest = '') => writeFile(join(root, 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7)), '{}');

const history = [{ itemId: 'i0012', kind: 'click' as const }];
type Slate = { requestId: string; variant: string; artifact: string; generation: number };
const ask = async ({ url }: Serving, userId: string, over: Record<string, unknown> = {}): Promise<Slate> =>
  (await call(`${url}/v1/recommend`, { surface: 'home', userId, context: { history }, ...over })).body;
async function records(): Promise<Map<string, SlateRecord>> {
  const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({});
  return new Map(records.map((one) => slateRecord.parse(one)).map((one) => [one.requestId, one]));
}
async function recordsOf(slates: readonly Slate[]): Promise<SlateRecord[]> {
  const all = await until(records, (found) => slates.every(({ requestId }) => found.has(requestId)));
  return slates.map(({ requestId }) => all.get(requestId) as SlateRecord);
}
const users = Array.from({ length: 60 }, (_, index) => `u${index}`);
/** Who must answer each user, by the hash and the shares at the first request. */
function expectedOf(names: readonly string[], shares: readonly number[]): string[] {
  const ends = shares.map((_, arm) => shares.slice(0, arm + 1).reduce((sum, one) => sum + one, 0));
  return names.map((user) => artifacts[ends.findIndex((end) => bucketOf({ salt: 'salt-1', unit: `u:${user}` }) < end)] ?? champion);
}
const answersOf = async (serving: Serving, names = users): Promise<Slate[]> => Promise.all(names.map((user) => ask(serving, user)));
const artifactsOf = (slates: readonly Slate[]) => slates.map(({ artifact }) => artifact);
/** What becomes of answers when some challengers are out. */
const withoutThose = (answers: readonly string[], out: readonly (string | undefined)[]) => answers.map((one) => (out.includes(one) ? champion : one));

it('answers each arm with its artifact, for good, and sends the users of who is out to the champion', async () => {
  await state.publish({ champion, ...among([0.3, 0.25, 0.2]) });
  const [one, two] = [await start('r1'), await start('r2')];
  const expected = expectedOf(users, [0.3, 0.25, 0.2]);
  expect(new Set(expected).size).toBe(4);
  const first = await answersOf(one);
  expect(artifactsOf(first)).toEqual(expected);
  for (const [index, record] of (await recordsOf(first)).entries()) {
    expect(record).toMatchObject({ releaseId: 'rel-1', artifact: expected[index], enrolment: { share: 0.3, rivalShares: [0.25, 0.2], generation: 1 } });
    expect(record.variant).toBe(record.artifact === champion ? 'champion' : 'challenger');
    expect(record.share).toBeCloseTo(0.75, 12);
  }

  await publishAndWait(among([0.05, 0.1, 0.6], { stage: 1 }));
  expect(artifactsOf(await answersOf(one))).toEqual(expected);
  // The other replica takes them over with a delay; whom it enrolled meanwhile, the older enrolment keeps.
  await until(
    async () => artifactsOf(await answersOf(two)),
    (answers) => answers.join() === expected.join(),
  );

  // The first is out: nobody else moves.
  await publishAndWait(among([0, 0.1, 0.6], { stage: 1 }));
  const left = withoutThose(expected, [artifacts[0]]);
  expect(left).not.toEqual(expected);
  for (const serving of [one, two]) expect(artifactsOf(await answersOf(serving))).toEqual(left);
  const late = Array.from({ length: 30 }, (_, index) => `late${index}`);
  const ofLate = await answersOf(one, late);
  expect(artifactsOf(ofLate)).toEqual(expectedOf(late, [0, 0.1, 0.6]));
  const slates = await recordsOf([...(await answersOf(one)), ...ofLate]);
  for (const [index, record] of slates.entries()) {
    const enrolment = index < users.length ? { share: 0.3, rivalShares: [0.25, 0.2], generation: 1 } : { share: 0, rivalShares: [0.1, 0.6], generation: 3 };
    expect(record).toMatchObject({ enrolment, variant: record.artifact === champion ? 'champion' : 'challenger' });
    expect(record.share).toBeCloseTo(0.7, 12);
  }
  const { body } = await call(`${one.url}/v1/surfaces/home`);
  expect(body).toMatchObject({ challenger: artifacts[1], rivals: [artifacts[2]], modelsLoaded: [champion, artifacts[1], artifacts[2]] });
  expect((await call(`${one.url}/readyz`)).body.status).toBe('ready');

  // A replica that starts reads everybody's arm back.
  await close();
  const again = await start('r3');
  expect(artifactsOf(await answersOf(again, [...users, ...late]))).toEqual([...left, ...artifactsOf(ofLate)]);
});

it('explores the items of every challenger with the propensities it records, and shadows each of them in its turn', async () => {
  await state.publish({ champion, ...shadowed() });
  const serving = await start();
  const shadows = await recordsOf(await answersOf(serving));
  const unseen = new Map(artifacts.map((artifact) => [artifact, shadows.filter((record) => record.shadow?.artifact === artifact)]));
  // A third of sixty each: five standard errors.
  for (const one of unseen.values()) expect(Math.abs(one.length - 20)).toBeLessThan(5 * Math.sqrt((60 * 2) / 9));
  for (const record of shadows) expect(record).toMatchObject({ variant: 'champion', artifact: champion, enrolment: null, share: 0, shadow: { error: null } });

  await publishAndWait(among([0.25, 0.25, 0.25]));
  const slates = await answersOf(serving);
  /** Rankings of the artifacts as their own users got them, before exploration. */
  const rankings = new Map<string, string[]>();
  for (const artifact of [champion, ...artifacts]) {
    const user = users[artifactsOf(slates).indexOf(artifact)] as string;
    const [record] = await recordsOf([await ask(serving, user, { count: 40 })]);
    rankings.set(artifact, record?.exploration?.baseItems ?? []);
  }
  for (const [artifact, ofShadow] of unseen) for (const record of ofShadow) expect(record.shadow?.items).toEqual(rankings.get(artifact)?.slice(0, slateSize));
  for (const record of [...shadows, ...(await recordsOf(slates))]) expectPool(record, rankings, [champion, ...artifacts]);

  // Registered alone, as in a rehearsal.
  await publishAndWait({ ...among([0.3, 0.3, 0.3]), canary: null });
  for (const record of await recordsOf(await answersOf(serving, users.slice(0, 5)))) expectPool(record, rankings, [champion, ...artifacts]);

  // Who is out is not explored any more, neither for the champion's users nor for a rival's.
  await publishAndWait(among([0.3, 0, 0.3], { stage: 1 }));
  for (const record of await recordsOf(await answersOf(serving))) expectPool(record, rankings, [champion, artifacts[0] as string, artifacts[2] as string]);
});

/** The pool is the ranking's next ones and the best three of each other's that are not in the slate, by the best of their ranks. */
function expectPool(record: SlateRecord, rankings: ReadonlyMap<string, string[]>, inPlay: readonly string[]): void {
  const { exploration: drawn } = record;
  const base = rankings.get(record.artifact as string)?.slice(0, slateSize) ?? [];
  if (drawn === null) throw new Error('The slate was not explored');
  expect(drawn.baseItems).toEqual(base);
  const others = inPlay
    .filter((one) => one !== record.artifact)
    .map(
      (one) =>
        rankings
          .get(one)
          ?.filter((item) => !base.includes(item))
          .slice(0, 3) ?? [],
    );
  const lists = [rankings.get(record.artifact as string)?.slice(slateSize, exploration.poolDepth) ?? [], ...others];
  const items = [...new Set(lists.flat())];
  expect(new Set(drawn.poolItems)).toEqual(new Set(items));
  const weightOf = (item: string) => 1 / (1 + Math.min(...lists.map((list) => list.indexOf(item)).filter((place) => place >= 0)) + exploration.rankOffset);
  const total = items.reduce((sum, item) => sum + weightOf(item), 0);
  const eligible = state.itemIds.length - slateSize;
  for (const [place, item] of drawn.poolItems.entries()) expect(drawn.poolProbabilities[place]).toBeCloseTo((0.9 * weightOf(item)) / total + 0.1 / eligible, 9);
  expect(drawn.poolProbabilities.reduce((sum, one) => sum + one, 0) + drawn.floorItems * drawn.floorProbability).toBeCloseTo(1, 9);
  const lookup = slotPropensities({ exploration: drawn, size: slateSize });
  for (const [slot, item] of record.items.entries()) expect(record.propensities?.[slot]).toBeCloseTo(lookup.marginal(item, slot), 9);
  for (let slot = 0; slot < slateSize; slot += 1) expect(state.itemIds.reduce((sum, item) => sum + lookup.marginal(item, slot), 0)).toBeCloseTo(1, 9);
}

it('obeys who is out where the newest generation cannot be loaded, also on a replica that starts, and ends all of a release that is fenced off', async () => {
  await state.publish({ champion, ...among([0.3, 0.25, 0.2]) });
  let serving = await start();
  const expected = expectedOf(users, [0.3, 0.25, 0.2]);
  expect(artifactsOf(await answersOf(serving))).toEqual(expected);
  const broken = await state.train('item-knn', {}, 9);
  await spoil(broken);
  await spoil(artifacts[1]);
  const isRefused = (generation: number) =>
    until(
      async () => (await call(`${serving.url}/readyz`)).body.surfaces.home.refused?.generation,
      (one) => one === generation,
    );
  await state.publish({ champion: broken, ...among([0.4, 0, 0.4], { stage: 1 }) });
  await isRefused(2);
  const left = withoutThose(expected, [artifacts[1]]);
  expect(left).not.toEqual(expected);
  const slates = await answersOf(serving);
  expect(artifactsOf(slates)).toEqual(left);
  for (const record of await recordsOf(slates)) expect(record).toMatchObject({ generation: 1, enrolment: { rivalShares: [0.25, 0.2] } });

  await running.splice(0)[0]?.close();
  serving = await start();
  expect((await call(`${serving.url}/v1/surfaces/home`)).body).toMatchObject({ generation: 1, refused: { generation: 2 } });
  expect(artifactsOf(await answersOf(serving))).toEqual(left);

  await state.publish({ champion: broken, canary: null, challenger: null, rivals: undefined, fencedReleases: ['rel-1'] });
  await isRefused(3);
  expect(new Set(artifactsOf(await answersOf(serving)))).toEqual(new Set([champion]));
});

it('says which challenger does not answer, and nothing of one that is out', async () => {
  await state.publish({ champion, ...among([0.4, 0.4, 0.2]) });
  const serving = await start();
  const troubles = async (): Promise<string[]> => (await call(`${serving.url}/readyz`)).body.troubles;
  expect(await troubles()).toEqual([]);
  const { files } = JSON.parse(Buffer.from(await state.blobs.get(artifacts[1] as string)).toString('utf8'));
  await spoil(files['recommend.onnx']);
  serving.crashModels();
  await until(troubles, (all) => all.join() === `home: the challenger ${artifacts[1]} does not answer`);
  await publishAndWait(among([0.4, 0, 0.4], { stage: 1 }));
  expect(await troubles()).toEqual([]);
});
