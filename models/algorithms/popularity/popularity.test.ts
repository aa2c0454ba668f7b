import { expect, test } from 'vitest';
import type { Interactions } from '../algorithm.ts';
import { popularity } from './popularity.ts';

const day = 86_400_000;
const interactions: Interactions = {
  userCount: 1,
  itemCount: 4,
  indptr: Uint32Array.of(0, 4),
  items: Uint32Array.of(0, 0, 0, 1),
  weights: Float32Array.of(1, 1, 0.5, 2),
  atMs: Float64Array.of(100 * day, 100 * day, 107 * day, 114 * day),
};

test('counts weights', async () => {
  const model = await popularity.train({ interactions, params: {}, seed: 1 });
  // 2.5 and 2 of at most 2.5; ties of the rest by index.
  expect(model.recommend({ history: [1], historyWeight: [1], exclude: [], count: 4 })).toEqual({ items: [0, 1, 2, 3], scores: [1, Math.fround(0.8), 0, 0] });
});

test('lets old events fade', async () => {
  const model = await popularity.train({ interactions, params: { halfLifeDays: 7 }, seed: 1 });
  // Item 0: 2 * 1/4 + .5 * 1/2 = .75; item 1: 2.
  expect(model.recommend({ history: [], historyWeight: [], exclude: [], count: 2 })).toEqual({ items: [1, 0], scores: [1, 0.375] });
});
