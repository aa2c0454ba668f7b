import { graphDigest } from '../graph/graph-files.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import type { Algorithm, Interactions, Model, WarmStart } from './algorithm.ts';
import { packCheckpoint, unpackCheckpoint } from './checkpoint.ts';
import { algorithms, parseParams } from './registry.ts';

const itemCount = 40;
const userCount = 80;

/** Two tastes, half of the items each; `skip` leaves items out, as if nobody had met them yet. */
function interactionsOf(seed: number, skip: (item: number) => boolean = () => false): Interactions {
  const random = createRandom(seed);
  const indptr = new Uint32Array(userCount + 1);
  const items: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    for (let entry = 0; entry < 12; entry += 1) {
      const item = Math.min(random.below(20), random.below(20)) + (user % 2) * 20;
      if (!skip(item)) items.push(item);
    }
    indptr[user + 1] = items.length;
  }
  return {
    userCount,
    itemCount,
    indptr,
    items: Uint32Array.from(items),
    weights: new Float32Array(items.length).fill(1),
    atMs: new Float64Array(items.length),
  };
}

const now = interactionsOf(5);
const same = Int32Array.from({ length: itemCount }, (_, item) => item);
const bytesOf = (model: Model) => graphDigest(model.exportGraph());
const keptOf = (model: Model) => (model.keep as () => Uint8Array)();

const cases = Object.entries(algorithms).flatMap(([name, algorithm]) =>
  algorithm.warmParams === undefined ? [] : [{ name, algorithm: algorithm as Algorithm }],
);

test('there is an algorithm that begins from an earlier model', () => {
  expect(cases.map(({ name }) => name)).toContain('ials');
});

describe.each(cases)('$name', ({ algorithm }) => {
  const paramsOf = (change: object = {}) => parseParams(algorithm, { factors: 8, ...change });
  const train = (change: { interactions?: Interactions; params?: unknown; seed?: number; warm?: WarmStart | undefined } = {}) =>
    algorithm.train({ interactions: now, params: paramsOf(), seed: 3, ...change });

  test('from nothing is as if there were no start', async () => {
    const gone = { kept: keptOf(await train({ seed: 9 })), itemNow: new Int32Array(itemCount).fill(-1) };
    expect(bytesOf(await train({ warm: gone })) === bytesOf(await train())).toBe(true);
  });

  test('takes fewer steps, and the seed has no say any more', async () => {
    const warm = { kept: keptOf(await train()), itemNow: same };
    const params = (algorithm.warmParams as (params: unknown) => unknown)(paramsOf());
    const stepsOf = async (start: WarmStart | undefined) => {
      let total = 0;
      await algorithm.train(
        { interactions: now, params: start === undefined ? paramsOf() : params, seed: 3, warm: start },
        {
          onStep: (step) => {
            total = step.total;
          },
        },
      );
      return total;
    };
    expect(await stepsOf(warm)).toBeLessThan(await stepsOf(undefined));
    expect(bytesOf(await train({ params, seed: 1, warm })) === bytesOf(await train({ params, seed: 2, warm }))).toBe(true);
  });

  test('from the same window stays where it is, once that is the end', async () => {
    const done = await train({ params: paramsOf({ sweeps: 200 }) });
    const again = await train({ params: paramsOf({ sweeps: 1 }), warm: { kept: keptOf(done), itemNow: same } });
    const request = { history: [1, 25, 3], historyWeight: [1, 1, 1], exclude: [], count: itemCount };
    const [before, after] = [done.recommend(request), again.recommend(request)];
    for (const [place, item] of before.items.entries()) expect(after.scores[after.items.indexOf(item)]).toBeCloseTo(before.scores[place] as number, 2);
    // One that begins anew is elsewhere after as many sweeps.
    const fresh = (await train({ params: paramsOf({ sweeps: 1 }) })).recommend(request);
    const distance = before.items.reduce(
      (sum, item, place) => sum + Math.abs((fresh.scores[fresh.items.indexOf(item)] as number) - (before.scores[place] as number)),
      0,
    );
    expect(distance).toBeGreaterThan(0.1);
  });

  test('the order in which items were kept does not matter', async () => {
    const kept = keptOf(await train());
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...same], { minLength: 5 }), fc.integer({ min: 1, max: 1_000 }), async (some, seed) => {
        const shuffled = createRandom(seed);
        const order = some.map((item) => ({ item, key: shuffled.float() })).sort((a, b) => a.key - b.key);
        const subset = (chosen: readonly number[]): WarmStart => ({ kept: chosenRows(kept, chosen), itemNow: Int32Array.from(chosen) });
        const [one, other] = [subset(some), subset(order.map(({ item }) => item))];
        expect(
          bytesOf(await train({ params: paramsOf({ sweeps: 1 }), warm: one })) === bytesOf(await train({ params: paramsOf({ sweeps: 1 }), warm: other })),
        ).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('goes on from any checkpoint to the same bytes, and not from one of another start', async () => {
    const input = {
      interactions: now,
      params: paramsOf({ sweeps: 2 }),
      seed: 3,
      warm: { kept: keptOf(await train()), itemNow: Int32Array.from(same, (item) => (item % 7 === 0 ? -1 : item)) },
    };
    const checkpoints: Uint8Array[] = [];
    const whole = await algorithm.train(input, { onStep: async ({ checkpoint }) => void checkpoints.push(await checkpoint()) });
    for (const resumeFrom of checkpoints) expect(bytesOf(await algorithm.train(input, { resumeFrom })) === bytesOf(whole)).toBe(true);
    const [resumeFrom] = checkpoints;
    await expect(algorithm.train({ ...input, warm: undefined }, { resumeFrom })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(algorithm.train({ ...input, warm: { ...input.warm, itemNow: same } }, { resumeFrom })).rejects.toMatchObject({ code: 'UND-INPUT' });
  });

  test('an item and a user that only the newer window has are placed by what they do there', async () => {
    const isNew = (item: number) => item === 2 || item === 22;
    const earlier = await train({ interactions: interactionsOf(6, isNew) });
    const warm = { kept: keptOf(earlier), itemNow: Int32Array.from(same, (item) => (isNew(item) ? -1 : item)) };
    const model = await train({ params: paramsOf({ sweeps: 1 }), warm });
    for (const [item, other] of [
      [2, 22],
      [22, 2],
    ] as const) {
      // Somebody of whom nothing is known but another item of the taste.
      const answer = model.recommend({ history: [other < 20 ? 30 : 10], historyWeight: [1], exclude: [], count: itemCount });
      expect(answer.items.indexOf(item)).toBeLessThan(answer.items.indexOf(other));
      const near = model.recommend({ history: [item], historyWeight: [1], exclude: [item], count: 5 });
      for (const one of near.items) expect(Math.floor(one / 20)).toBe(Math.floor(item / 20));
    }
  });

  test('keeps nothing whose size tells of people', async () => {
    const few: Interactions = {
      ...now,
      userCount: 10,
      indptr: now.indptr.slice(0, 11),
      items: now.items.slice(0, now.indptr[10]),
      weights: now.weights.slice(0, now.indptr[10]),
      atMs: now.atMs.slice(0, now.indptr[10]),
    };
    expect(keptOf(await train({ interactions: few })).length).toBe(keptOf(await train()).length);
  });

  test('refuses what does not fit or is damaged', async () => {
    const kept = keptOf(await train());
    await expect(train({ params: paramsOf({ factors: 16 }), warm: { kept, itemNow: same } })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(train({ warm: { kept, itemNow: same.slice(1) } })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(train({ warm: { kept: kept.slice(0, -1), itemNow: same } })).rejects.toMatchObject({ code: 'UND-DIGEST' });
  });
});

/** The rows of some items, in this order. */
function chosenRows(kept: Uint8Array, chosen: readonly number[]): Uint8Array {
  const size = new DataView(kept.buffer, kept.byteOffset).getUint32(0, true);
  const { fingerprint } = JSON.parse(Buffer.from(kept.subarray(4, 4 + size)).toString('utf8')) as { fingerprint: string };
  const items = unpackCheckpoint(kept, fingerprint).arrays.items as Float32Array;
  const width = items.length / itemCount;
  const rows = Float32Array.from(chosen.flatMap((item) => [...items.subarray(item * width, (item + 1) * width)]));
  return packCheckpoint({ fingerprint, done: 0, arrays: { items: rows } });
}
