import { expect, it } from 'vitest';
import { parseCharter } from '../models/contracts/charter.ts';
import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import { recommendRequest } from '../models/contracts/slate.ts';
import { createRandom } from '../models/random.ts';
import { createEnrolments } from './enrolments.ts';
import { createModelHost } from './models/model-host.ts';
import type { ModelAnswer } from './models/model-messages.ts';
import type { ModelPool } from './models/model-pool.ts';
import { createProfileStore } from './profiles.ts';
import { recommend } from './recommend.ts';
import { canaryOf, snapshotOf, specOf, testCharter, unguarded } from './testing.ts';

const ids = Array.from({ length: 40 }, (_, index) => `i${index}`);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [champion, first, second, third] = [digest('a'), digest('b'), digest('c'), digest('d')] as const;
const rivals = (share: number) => [second, third].map((artifact) => ({ artifact, share }));
/** Each ranks ten items of its own, one behind the other. */
const placeOf: Record<string, number> = { [champion]: 0, [first]: 10, [second]: 20, [third]: 30 };
const answerOf = (artifact: string): ModelAnswer => ({
  items: Array.from({ length: 10 }, (_, rank) => (placeOf[artifact] as number) + rank),
  scores: Array.from({ length: 10 }, (_, rank) => -rank),
  latencyMs: 1,
  error: null,
});

/** Models that answer at once, but for those that never do. @returns what was asked as an extra, too. */
async function slateOf(input: { spec: Partial<DeploymentSpec>; silent?: string[]; slots?: number; seed?: number }) {
  const { silent = [], slots = 1, seed = 1 } = input;
  const asked: { artifact: string; needed: boolean }[] = [];
  const answers = new Map<string, (answer: ModelAnswer) => void>();
  const pools = [champion, first, second, third].map(
    (artifact): ModelPool => ({
      artifact,
      scope: 'all',
      ask: () => (silent.includes(artifact) ? new Promise((resolve) => answers.set(artifact, resolve)) : Promise.resolve(answerOf(artifact))),
      waiting: () => 0,
      readyThreads: () => 1,
      crash: () => undefined,
      retain: () => undefined,
      release: () => undefined,
      closed: Promise.resolve(),
    }),
  );
  const host = createModelHost({ pools, extraWaitMs: 20 });
  const snapshot = snapshotOf({
    spec: specOf({ champion, ...input.spec }),
    charter: parseCharter({ ...testCharter, exploration: { slots, challengerDepth: 2, poolDepth: 11 } }),
    catalog: ids.map((itemId) => ({ itemId, title: itemId, inStock: true })),
    artifacts: [champion, first, second, third],
    host: {
      ...host,
      askExtra(question, options) {
        asked.push({ artifact: question.artifact, ...options });
        return host.askExtra(question, options);
      },
    },
  });
  const { response, record } = await recommend({
    request: recommendRequest.parse({ surface: 'home', userId: 'ann' }),
    snapshot,
    profiles: createProfileStore({ charter: () => snapshot.charter, maxUnits: 10 }),
    enrolments: createEnrolments(),
    ...unguarded,
    rungs: [],
    requestId: 'q1',
    replica: 'r1',
    nowMs: 1,
    random: createRandom(seed),
  });
  for (const [artifact, resolve] of answers) resolve(answerOf(artifact));
  return { response, record: await record, asked };
}
const bestOf = (...artifacts: string[]) => artifacts.flatMap((artifact) => [0, 1].map((rank) => `i${(placeOf[artifact] as number) + rank}`));
const registered = { challenger: first, rivals: [second, third] };
const shadow = (over: Partial<DeploymentSpec['canary']> = { rivals: rivals(0) }) => canaryOf(first, { mode: 'shadow', stage: -1, share: 0, ...over });

it('leaves out the challenger that is late, and keeps the others', async () => {
  const { record, asked } = await slateOf({ spec: registered, silent: [second] });
  expect(asked).toEqual([first, second, third].map((artifact) => ({ artifact, needed: false })));
  expect(record.exploration?.poolItems).toEqual(bestOf(first, third));
  expect((await slateOf({ spec: registered })).record.exploration?.poolItems).toEqual(bestOf(first, second, third));
});

it('explores for a rival’s visitor what the champion and the other challengers have', async () => {
  const canary = canaryOf(first, {
    cap: 1,
    share: 0.001,
    rivals: [
      { artifact: second, share: 0.998 },
      { artifact: third, share: 0.001 },
    ],
  });
  const { response, record } = await slateOf({ spec: { ...registered, canary } });
  expect(response).toMatchObject({ variant: 'challenger', artifact: second });
  expect(record.exploration).toMatchObject({ baseItems: ids.slice(20, 30), poolItems: bestOf(champion, first, third) });
});

it('asks all for the pool in the shadow, and waits for the unseen answer of one alone', async () => {
  const unseen = new Set<string | undefined>();
  for (let seed = 1; seed <= 30; seed += 1) {
    // The record waits for it, though no visitor does.
    const { record, asked, response } = await slateOf({
      spec: { ...registered, canary: shadow() },
      silent: seed % 10 === 0 ? [first, second, third] : [],
      seed,
    });
    expect(response).toMatchObject({ variant: 'champion', artifact: champion });
    expect(asked.map(({ artifact }) => artifact)).toEqual([first, second, third]);
    expect(asked.filter(({ needed }) => needed).map(({ artifact }) => artifact)).toEqual([record.shadow?.artifact]);
    const place = placeOf[record.shadow?.artifact as string] as number;
    expect(record.shadow).toMatchObject({ items: ids.slice(place, place + 10), error: null });
    expect(record.exploration?.poolItems ?? []).toEqual(seed % 10 === 0 ? [] : bestOf(first, second, third));
    unseen.add(record.shadow?.artifact);
  }
  expect(unseen).toEqual(new Set([first, second, third]));
});

it('asks in the shadow of a surface that does not explore for no more than the one that the record takes', async () => {
  const { record, asked } = await slateOf({ spec: { ...registered, canary: shadow() }, slots: 0, seed: 3 });
  expect(asked).toEqual([{ artifact: record.shadow?.artifact, needed: true }]);
});

it('draws nothing more where the challenger is alone', async () => {
  for (const spec of [{}, { challenger: first }, { challenger: first, canary: shadow({}) }, { challenger: first, canary: canaryOf(first) }]) {
    const { record } = await slateOf({ spec, seed: 7, slots: 1 });
    expect([spec, record.exploration?.seed]).toEqual([spec, createRandom(7).uint32()]);
    expect(record.shadow?.artifact).toBe(spec.canary?.mode === 'shadow' ? first : undefined);
  }
});
