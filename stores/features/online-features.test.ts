import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureEntity, FeatureValue } from '../../models/contracts/feature.ts';
import type { FeatureSet, OnlineFeatureStore, PublishedFeatures } from './online-features.ts';
import { openFeatures } from './open-features.ts';
import { startRedis } from './testing-redis.ts';

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
const digest = digestOf('a');
const newSurface = () => `s-${randomUUID()}`;
const published = (generation: number, change: Partial<PublishedFeatures> = {}): PublishedFeatures => ({
  generation,
  digest,
  asOfMs: 1_000,
  ttlMs: 500,
  ...change,
});

/** What every online store must do. `where` says how another process, or the same once more, opens the same one. */
function onlineFeatureSuite(kind: string, start: () => Promise<{ where: { stateDir: string; url: string | undefined }; stop: () => Promise<void> }>): void {
  describe(`online feature store: ${kind}`, () => {
    let where: { stateDir: string; url: string | undefined };
    let store: OnlineFeatureStore;
    let stop: () => Promise<void>;
    beforeAll(async () => {
      ({ where, stop } = await start());
      store = await openFeatures(where);
    });
    afterAll(async () => {
      await store.close();
      await stop();
    });

    const newSet = (change: Partial<FeatureSet> = {}): FeatureSet => ({ surface: newSurface(), view: 'activity', version: 1, entity: 'user', ...change });
    const fill = async (set: FeatureSet, generation: number, rows: Record<string, FeatureValue[]>, change: Partial<PublishedFeatures> = {}) => {
      const facts = published(generation, change);
      await store.put({ set, generation, asOfMs: facts.asOfMs, rows: Object.entries(rows).map(([entity, values]) => ({ entity, values })) });
      await store.publish({ set, published: facts });
    };
    const get = (set: FeatureSet, entities: string[], change: { nowMs?: number; digest?: string } = {}) =>
      store.get({ set, digest, entities, nowMs: 1_200, ...change });

    it('gives back what was put, of every type, in the order that was asked, and tells a stranger from a zero', async () => {
      const set = newSet();
      const values = fc.array(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.string({ unit: 'grapheme' }), fc.constant(null)), {
        minLength: 3,
        maxLength: 3,
      });
      let generation = 0;
      await fc.assert(
        fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme-ascii' }), values, { maxKeys: 20 }), async (drawn) => {
          // A minus zero is a zero everywhere here.
          const rows = Object.fromEntries(Object.entries(drawn).map(([entity, row]) => [entity, row.map((value) => (value === 0 ? 0 : value))]));
          generation += 1;
          await fill(set, generation, rows);
          const entities = [...Object.keys(rows), 'a stranger with a long name'];
          const served = await get(set, entities);
          expect(served).toMatchObject({ ...published(generation), expired: false });
          expect(served?.rows).toEqual([...Object.values(rows), undefined]);
        }),
        { numRuns: 40 },
      );
      expect((await get(set, []))?.rows).toEqual([]);
    });

    it('shows nothing of a generation before it is published, and nothing of the one before after', async () => {
      const set = newSet();
      expect(await get(set, ['ann'])).toBeUndefined();
      await store.put({ set, generation: 1, asOfMs: 1_000, rows: [{ entity: 'ann', values: [1] }] });
      expect(await get(set, ['ann'])).toBeUndefined();
      await store.publish({ set, published: published(1) });
      expect((await get(set, ['ann']))?.rows).toEqual([[1]]);
      await store.put({ set, generation: 2, asOfMs: 1_100, rows: [{ entity: 'bob', values: [2] }] });
      expect((await get(set, ['ann', 'bob']))?.rows).toEqual([[1], undefined]);
      await store.publish({ set, published: published(2) });
      expect(await get(set, ['ann', 'bob'])).toMatchObject({ generation: 2, rows: [undefined, [2]] });
      expect(await store.current(set)).toEqual(published(2));
    });

    it('serves as missing what is older than its time to live, and not a millisecond before', async () => {
      const set = newSet();
      await fill(set, 1, { ann: [0] });
      expect(await get(set, ['ann'], { nowMs: 1_500 })).toMatchObject({ expired: false, rows: [[0]] });
      expect(await get(set, ['ann'], { nowMs: 1_501 })).toMatchObject({ expired: true, rows: [undefined] });
    });

    it('keeps versions apart, and refuses to mix definitions under one', async () => {
      const set = newSet();
      await fill(set, 1, { ann: [1] });
      await fill({ ...set, version: 2 }, 2, { ann: [2] }, { digest: digestOf('b') });
      expect((await get(set, ['ann']))?.rows).toEqual([[1]]);
      expect((await get({ ...set, version: 2 }, ['ann'], { digest: digestOf('b') }))?.rows).toEqual([[2]]);
      await expect(get(set, ['ann'], { digest: digestOf('b') })).rejects.toMatchObject({ code: 'UND-INPUT' });
    });

    it('the same again is once; what comes after a later generation is refused', async () => {
      const set = newSet();
      for (const _ of [1, 2]) await fill(set, 2, { ann: [1] });
      // A retry that would lay something else down under a published number lays down nothing.
      await store.put({ set, generation: 2, asOfMs: 1_000, rows: [{ entity: 'ann', values: [9] }] });
      expect((await get(set, ['ann']))?.rows).toEqual([[1]]);
      const late = { code: 'UND-GENERATION-TAKEN' };
      await expect(store.put({ set, generation: 1, asOfMs: 1_000, rows: [{ entity: 'ann', values: [0] }] })).rejects.toMatchObject(late);
      await expect(store.publish({ set, published: published(1) })).rejects.toMatchObject(late);
      await expect(store.publish({ set, published: published(2, { asOfMs: 7 }) })).rejects.toMatchObject(late);
    });

    it('erases a person in every view of the surface, and no late batch of before brings them back', async () => {
      const set = newSet();
      const other = { ...set, view: 'taste', version: 3 };
      const items: FeatureSet = { ...set, view: 'items', entity: 'item' };
      const elsewhere = newSet();
      await fill(set, 1, { ann: [1], bob: [1] });
      await fill(other, 1, { ann: ['x'] });
      await fill(items, 1, { ann: [5] });
      await fill(elsewhere, 1, { ann: [1] });
      await store.put({ set, generation: 2, asOfMs: 1_000, rows: [{ entity: 'ann', values: [2] }] });
      const erase = (entity: FeatureEntity = 'user') => store.erase({ surface: set.surface, entity, id: 'ann', atMs: 1_100 });
      expect(await erase()).toBe(3);
      expect(await erase()).toBe(0);
      expect((await get(set, ['ann', 'bob']))?.rows).toEqual([undefined, [1]]);
      expect((await get(other, ['ann']))?.rows).toEqual([undefined]);
      expect((await get(items, ['ann']))?.rows).toEqual([[5]]);
      expect((await get(elsewhere, ['ann']))?.rows).toEqual([[1]]);
      await fill(set, 2, { ann: [2], bob: [2] }, { asOfMs: 1_100 });
      expect((await get(set, ['ann', 'bob']))?.rows).toEqual([undefined, [2]]);
      await fill(set, 3, { ann: [3] }, { asOfMs: 1_101 });
      expect((await get(set, ['ann']))?.rows).toEqual([[3]]);
    });

    it('an erasure wins over batches of before, whichever of the two is first', async () => {
      const set = newSet();
      const people = Array.from({ length: 40 }, (_, index) => `p${index}`);
      const rows = people.map((entity) => ({ entity, values: [1] }));
      const batches = Array.from({ length: 8 }, () => store.put({ set, generation: 1, asOfMs: 1_000, rows }));
      await Promise.all([...batches, ...people.map((id) => store.erase({ surface: set.surface, entity: 'user', id, atMs: 1_000 }))]);
      await store.publish({ set, published: published(1) });
      expect((await get(set, people))?.rows).toEqual(people.map(() => undefined));
    });

    it('never mixes two generations in one answer, in other processes too, while a writer swaps them', async () => {
      const set = newSet();
      const entities = Array.from({ length: 100 }, (_, index) => `e${index}`);
      const swap = (generation: number) => fill(set, generation, Object.fromEntries(entities.map((entity) => [entity, [generation, entity]])));
      await swap(1);
      const readers = [1, 2].map(() =>
        fork(new URL('./testing-reader.ts', import.meta.url), [JSON.stringify({ where, set, digest, entities })], { execArgv: [] }),
      );
      try {
        await Promise.all(readers.map((reader) => once(reader, 'message')));
        let reading = true;
        const here = (async () => {
          while (reading) {
            const served = await get(set, entities);
            expect(served?.rows).toEqual(entities.map((entity) => [served?.generation, entity]));
            await setImmediate();
          }
        })();
        for (let generation = 2; generation <= 60; generation += 1) await swap(generation);
        reading = false;
        await here;
        for (const { reads, generations, torn } of await Promise.all(readers.map(finish))) {
          expect(torn).toBe(null);
          expect(reads).toBeGreaterThan(generations);
          expect(generations).toBeGreaterThan(1);
        }
      } finally {
        for (const reader of readers) reader.kill('SIGKILL');
      }
    });

    it('is there after it was closed', async () => {
      const set = newSet();
      await fill(set, 1, { ann: [1] });
      const again = await openFeatures(where);
      expect((await again.get({ set, digest, entities: ['ann'], nowMs: 1_000 }))?.rows).toEqual([[1]]);
      await again.close();
      expect((await get(set, ['ann']))?.rows).toEqual([[1]]);
    });
  });
}

/** What a reader saw until now. */
async function finish(reader: ChildProcess): Promise<{ reads: number; generations: number; torn: unknown }> {
  const answer = once(reader, 'message');
  reader.send('stop');
  return (await answer)[0];
}

onlineFeatureSuite('LMDB in the state directory', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-features-'));
  return { where: { stateDir, url: undefined }, stop: () => rm(stateDir, { recursive: true, force: true }) };
});

onlineFeatureSuite('Redis by its URL', async () => {
  const { url, stop } = await startRedis();
  return { where: { stateDir: '/nowhere', url }, stop };
});

describe('the choice of an online store', () => {
  it('refuses a URL of something else, and says which server cannot be reached', async () => {
    await expect(openFeatures({ stateDir: '/nowhere', url: 'http://127.0.0.1' })).rejects.toMatchObject({ code: 'UND-ENVIRONMENT' });
    await expect(openFeatures({ stateDir: '/nowhere', url: 'redis://user:secret@127.0.0.1:1' })).rejects.toMatchObject({
      code: 'UND-STATE',
      message: expect.not.stringContaining('secret'),
    });
  });
});
