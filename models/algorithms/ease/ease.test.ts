import { graphDigest } from '../../graph/graph-files.ts';
import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import type { Interactions } from '../algorithm.ts';
import { ease } from './ease.ts';

const itemCount = 200;
/** More items than are exchanged at once. */
function someInteractions(seed: number): Interactions {
  const random = createRandom(seed);
  const userCount = 150;
  const indptr = new Uint32Array(userCount + 1);
  const items: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    for (const item of new Set(Array.from({ length: 8 }, () => Math.floor(itemCount * random.float() ** 2)))) items.push(item);
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

/** The least squares problem of one item: all others' weights by coordinate descent in double precision, the objective itself and no closed form. */
function weightsInto({ userCount, indptr, items }: Interactions, target: number, lambda: number): Float64Array {
  const rows = Array.from({ length: userCount }, (_, user) => [...items.subarray(indptr[user], indptr[user + 1])]);
  const usersOf = Array.from({ length: itemCount }, (_, item) => rows.flatMap((row, user) => (row.includes(item) ? [user] : [])));
  const weights = new Float64Array(itemCount);
  const residual = Float64Array.from(rows, (row) => (row.includes(target) ? 1 : 0));
  for (let pass = 0; pass < 500; pass += 1) {
    let largest = 0;
    for (let item = 0; item < itemCount; item += 1) {
      if (item === target) continue;
      const users = usersOf[item] as number[];
      const gradient = users.reduce((sum, user) => sum + (residual[user] as number), 0) - lambda * (weights[item] as number);
      const step = gradient / (users.length + lambda);
      weights[item] = (weights[item] as number) + step;
      for (const user of users) residual[user] = (residual[user] as number) - step;
      largest = Math.max(largest, Math.abs(step));
    }
    if (largest < 1e-12) break;
  }
  return weights;
}

test('its weights solve the least squares problem of each item', async () => {
  const interactions = someInteractions(2);
  const lambda = 3;
  const model = await ease.train({ interactions, params: ease.params.parse({ lambda, neighbours: itemCount }), seed: 1 });
  for (const target of [0, 7, 130]) {
    const expected = weightsInto(interactions, target, lambda);
    for (let item = 0; item < itemCount; item += 1) {
      if (item === target) continue;
      const { items, scores } = model.recommend({ history: [item], historyWeight: [1], exclude: [], count: itemCount });
      // The prior is up to 1e-6.
      expect(Math.abs((scores[items.indexOf(target)] as number) - (expected[item] as number))).toBeLessThan(3e-6);
    }
  }
});

test('is the same to the bit for any number of threads', async () => {
  const random = createRandom(3);
  const userCount = 400;
  const items = Uint32Array.from({ length: userCount * 10 }, () => random.below(900));
  const interactions: Interactions = {
    ...{ userCount, itemCount: 900, items, indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * 10) },
    ...{ weights: new Float32Array(items.length).fill(1), atMs: new Float64Array(items.length) },
  };
  const params = ease.params.parse({ lambda: 10 });
  const [one, three] = await Promise.all(
    [1, 3].map(async (threads) => graphDigest((await ease.train({ interactions, params, seed: 1 }, { threads })).exportGraph())),
  );
  expect(three).toBe(one);
});
