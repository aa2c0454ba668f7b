import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeatureView, featureView, type ServedFeatures } from '../../models/contracts/feature.ts';
import { entityOf, evaluateView, type KnownEvent } from '../../models/features/evaluate-view.ts';
import { featureViewDigest } from '../../models/features/view-digest.ts';
import type { OnlineFeatureStore } from '../../stores/features/online-features.ts';
import { openFeatures } from '../../stores/features/open-features.ts';
import { startRedis } from '../../stores/features/testing-redis.ts';
import { openState, type State } from '../context.ts';
import { withBench } from '../events/testing.ts';
import { checkConsistency, readServed, sampleServed } from './check-consistency.ts';
import { featureSetOf, materializeFeatures } from './materialize-features.ts';
import { registerView, registrationsOf } from './register-view.ts';
import { knownEvents, moment, publishEvents, views } from './testing.ts';

const t0 = 1_700_000_000_000;
const hour = 3_600_000;

const view = featureView.parse({
  ...{ name: 'shopper', version: 1, owner: 'growth', entity: 'user', ttlMs: 24 * hour },
  source: { from: 'events', kinds: ['view', 'purchase'] },
  features: [
    { name: 'events', expression: { aggregate: 'count' }, windowMs: 24 * hour, type: 'integer' },
    { name: 'mean-price', expression: { aggregate: 'mean', of: 'unitPriceMinor' }, windowMs: 'all', type: 'number' },
    { name: 'last-item', expression: { aggregate: 'last', of: 'itemId' }, windowMs: 'all', type: 'text' },
  ],
});

const people = Array.from({ length: 30 }, (_, index) => `u${index}`);
const events: KnownEvent[] = people.flatMap((userId, index) =>
  Array.from({ length: 1 + (index % 5) }, (_, nth) => ({
    ...{
      eventId: `${userId}-${nth}`,
      kind: 'purchase' as const,
      userId,
      sessionId: 's',
      itemId: `i${nth}`,
      atMs: t0 + nth * 7 * hour,
      unitPriceMinor: 100 + index,
    },
  })),
);
const asOfMs = t0 + 30 * hour;

type Bench = { state: State; store: OnlineFeatureStore; workDir: string };
const withStore = <T>(use: (bench: Bench) => Promise<T>, url?: string) =>
  withBench(async ({ folder }) => {
    const store = await openFeatures({ stateDir: folder, url });
    try {
      return await use({ state: openState(folder), store, workDir: folder });
    } finally {
      await store.close();
    }
  });
const served = (bench: Bench, data: Parameters<typeof readServed>[0]['data'], change: { nowMs?: number; view?: FeatureView; size?: number } = {}) =>
  readServed({ ...bench, data, view, size: 100, seed: 1, nowMs: asOfMs, ...change });

describe('features from the data into the online store', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it.each(['LMDB', 'Redis'])('what %s serves is what the definition says in TypeScript, for everybody, and strangers are missing', async (kind) => {
    const surface = `s-${randomUUID()}`;
    let generation = 0;
    await withStore(
      async ({ state, store, workDir }) => {
        await fc.assert(
          fc.asyncProperty(views, knownEvents, moment, async (drawn, happened, at) => {
            generation += 1;
            const drawnView = { ...drawn, version: generation };
            const data = await publishEvents(state, { events: happened, generation, workDir, surface });
            const made = await materializeFeatures({ state, data, view: drawnView, asOfMs: at, store, workDir });
            const ids = [...new Set(happened.map((event) => entityOf(event, drawn.entity)).filter((id) => id !== undefined)), 'stranger'];
            const answer = await store.get({ set: featureSetOf(surface, drawnView), digest: featureViewDigest(drawnView), entities: ids, nowMs: at });
            const expected = ids.map((id) =>
              evaluateView({ view: drawn, events: happened.filter((event) => entityOf(event, drawn.entity) === id), asOfMs: at }),
            );
            expect(answer?.rows).toEqual(expected);
            expect(made.entities).toBe(expected.filter((row) => row !== undefined).length);
          }),
          { numRuns: 15 },
        );
      },
      kind === 'Redis' ? redis.url : undefined,
    );
  });

  it('the same again is one generation; other data or another moment are the next', async () => {
    await withStore(async ({ state, store, workDir }) => {
      const data = await publishEvents(state, { events, generation: 1, workDir });
      const again = { state, data, view, asOfMs, store, workDir };
      expect(await materializeFeatures(again)).toEqual({ generation: 1, entities: 30, alreadyThere: false });
      expect(await materializeFeatures(again)).toEqual({ generation: 1, entities: 0, alreadyThere: true });
      expect(await materializeFeatures({ ...again, asOfMs: asOfMs + 1 })).toMatchObject({ generation: 2 });
      const more = await publishEvents(state, { events: events.slice(1), generation: 2, workDir });
      expect(await materializeFeatures({ ...again, data: more })).toMatchObject({ generation: 3, entities: 29 });
      // An activity of before that comes to life again is too late.
      await expect(materializeFeatures(again)).rejects.toMatchObject({ code: 'UND-GENERATION-TAKEN' });
    });
  });

  it('goes on after it was cut short in the middle, and nobody reads the half', async () => {
    await withStore(async ({ state, store, workDir }) => {
      const many = Array.from(
        { length: 12_000 },
        (_, index): KnownEvent => ({ eventId: `e${index}`, kind: 'view', userId: `u${index}`, sessionId: 's', itemId: 'i', atMs: t0 }),
      );
      const data = await publishEvents(state, { events: many, generation: 1, workDir });
      const again = { state, data, view, asOfMs, store, workDir };
      const cut = { ...again, onBatch: () => expect.fail('the process dies here') };
      await expect(materializeFeatures(cut)).rejects.toThrow('dies here');
      expect(await store.current(featureSetOf('home', view))).toBeUndefined();
      expect(await materializeFeatures(again)).toEqual({ generation: 1, entities: 12_000, alreadyThere: false });
    });
  });
});

describe('the registry of views', () => {
  it('refuses another definition under one version and says what differs; a new owner or version is written down', async () => {
    await withStore(async ({ state }) => {
      const register = (change: Partial<FeatureView>) => registerView(state, { surface: 'home', view: featureView.parse({ ...view, ...change }) });
      const digest = await register({});
      expect(await register({})).toBe(digest);
      expect(await register({ owner: 'ranking' })).toBe(digest);
      await expect(register({ ttlMs: 5, features: view.features.slice(1) })).rejects.toMatchObject({
        code: 'UND-INPUT',
        message: expect.stringContaining('features, ttlMs'),
      });
      expect(await register({ version: 2, ttlMs: 5 })).not.toBe(digest);
      await expect(register({ version: 2 })).rejects.toMatchObject({ code: 'UND-INPUT' });
      const all = await registrationsOf(state, { surface: 'home', view: 'shopper' });
      expect(all.map(({ version, owner }) => [version, owner])).toEqual([
        [1, 'growth'],
        [1, 'ranking'],
        [2, 'growth'],
      ]);
    });
  });
});

describe('the consistency check', () => {
  it('finds the store equal to the data, samples by its seed, and says that it is stale when it is', async () => {
    await withStore(async (bench) => {
      const data = await publishEvents(bench.state, { events, generation: 1, workDir: bench.workDir });
      await expect(served(bench, data)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
      await materializeFeatures({ ...bench, data, view, asOfMs });
      expect(await checkConsistency({ ...bench, data, view, served: await served(bench, data) })).toMatchObject({ checked: 30, equal: 30, first: [] });
      const few = await served(bench, data, { size: 5 });
      expect(few).toEqual(await served(bench, data, { size: 5 }));
      const late = await served(bench, data, { nowMs: asOfMs + 25 * hour });
      expect(await checkConsistency({ ...bench, data, view, served: late })).toMatchObject({ equal: 0, byCause: { stale: 30 } });
    });
  });

  it('names a value that is not what the data say, among those that were logged', async () => {
    await withStore(async (bench) => {
      const data = await publishEvents(bench.state, { events, generation: 1, workDir: bench.workDir });
      await materializeFeatures({ ...bench, data, view, asOfMs });
      const log = await served(bench, data);
      const spoilt = log.map((row): ServedFeatures => {
        if (row.entity === 'u7') return { ...row, values: [row.values?.[0] ?? 0, 1.5, row.values?.[2] ?? null] };
        return row.entity === 'u8' ? { ...row, values: null } : row;
      });
      const found = await checkConsistency({
        ...bench,
        data,
        view,
        served: [...spoilt, { entity: 'stranger', generation: 1, atMs: asOfMs, values: [0, null, null] }],
      });
      expect(found).toMatchObject({ checked: 31, equal: 28, byCause: { value: 3, definition: 0, stale: 0, 'later-data': 0 } });
      expect(found.first.find(({ entity }) => entity === 'u7')).toMatchObject({ feature: 'mean-price', served: 1.5, offline: 107 });
      expect(found.first.find(({ entity }) => entity === 'u8')).toMatchObject({ feature: 'events', served: 'missing' });
      expect(found.first.find(({ entity }) => entity === 'stranger')).toMatchObject({ feature: 'events', served: 0, offline: 'missing' });
      expect(sampleServed(spoilt, { size: 9, seed: 3 })).toEqual(sampleServed(spoilt, { size: 9, seed: 3 }));
      expect(new Set(sampleServed(spoilt, { size: 99, seed: 3 })).size).toBe(30);
    });
  });

  it('tells what came later, and another definition, from a wrong value', async () => {
    await withStore(async (bench) => {
      const data = await publishEvents(bench.state, { events, generation: 1, workDir: bench.workDir });
      await materializeFeatures({ ...bench, data, view, asOfMs });
      const log = await served(bench, data);
      const late: KnownEvent = { eventId: 'late', kind: 'view', userId: 'u3', sessionId: 's', itemId: 'late', atMs: asOfMs - 1 };
      const more = await publishEvents(bench.state, { events: [...events, late], generation: 2, workDir: bench.workDir });
      const found = await checkConsistency({ ...bench, data: more, view, served: log });
      expect(found).toMatchObject({ equal: 29, byCause: { 'later-data': 1, value: 0 } });
      // Where it is known when it was received, it is not counted before.
      const told = await publishEvents(bench.state, { events: [...events, { ...late, receivedAtMs: asOfMs }], generation: 3, workDir: bench.workDir });
      expect(await checkConsistency({ ...bench, data: told, view, served: log })).toMatchObject({ equal: 30 });
      const other = { ...view, version: 2, ttlMs: 48 * hour };
      expect(await checkConsistency({ ...bench, data, view: other, served: log })).toMatchObject({ equal: 0, byCause: { definition: 30 } });
    });
  });
});
