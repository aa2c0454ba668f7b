import { expect, test } from 'vitest';
import type { Interactions } from '../algorithm.ts';
import { itemKnn } from './item-knn.ts';

/** Users {0,1}, {0,1,2}, {2}; item 3 is cold. Column norms: sqrt 2, sqrt 2, sqrt 2. */
const interactions: Interactions = {
  userCount: 3,
  itemCount: 4,
  indptr: Uint32Array.of(0, 2, 5, 6),
  items: Uint32Array.of(0, 1, 0, 1, 2, 2),
  weights: new Float32Array(6).fill(1),
  atMs: new Float64Array(6),
};
const ask = { history: [0], historyWeight: [2], exclude: [], count: 4 };

test('scores by cosine, by hand', async () => {
  const model = await itemKnn.train({ interactions, params: itemKnn.params.parse({ shrink: 0 }), seed: 1 });
  const { items, scores } = model.recommend(ask);
  // cos(0,1) = 2/2, cos(0,2) = 1/2, each times the weight 2; 0 and 3 have the prior alone.
  expect(items).toEqual([1, 2, 0, 3]);
  expect(scores[0]).toBeCloseTo(2, 5);
  expect(scores[1]).toBeCloseTo(1, 5);
  expect(scores[2]).toBeCloseTo(0, 5);
  expect(scores[3]).toBe(0);
});

test('shrinks what few users vouch for', async () => {
  const model = await itemKnn.train({ interactions, params: itemKnn.params.parse({ shrink: 2 }), seed: 1 });
  const { scores } = model.recommend(ask);
  expect(scores[0]).toBeCloseTo((2 * 2) / (2 + 2), 5);
  expect(scores[1]).toBeCloseTo((2 * 1) / (2 + 2), 5);
});

test('keeps the nearest neighbours only', async () => {
  const model = await itemKnn.train({ interactions, params: itemKnn.params.parse({ shrink: 0, neighbours: 1 }), seed: 1 });
  const { items, scores } = model.recommend(ask);
  expect(items[0]).toBe(1);
  expect(scores[1]).toBeLessThan(1e-5);
});

test('recommends a bought item again when it may be similar to itself', async () => {
  const model = await itemKnn.train({ interactions, params: itemKnn.params.parse({ shrink: 0, selfSimilarity: 1.5 }), seed: 1 });
  const { items, scores } = model.recommend(ask);
  expect(items).toEqual([0, 1, 2, 3]);
  expect(scores[0]).toBeCloseTo(3, 5);
});
