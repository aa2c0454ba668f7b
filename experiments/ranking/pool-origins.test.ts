import { expect, it } from 'vitest';
import { poolOrigins } from './pool-origins.ts';

it('golden values, worked out by hand', () => {
  expect(
    poolOrigins([
      { a: 1, b: 5, c: 1 },
      { a: 2, b: 5 },
      { a: 6, b: 5, c: 1 },
    ]),
  ).toEqual({
    // Deviations -2, -1, 3: (4 + 1 + 9) / 2.
    a: { mean: 3, deviation: Math.sqrt(7), lowest: 1, highest: 6 },
    b: { mean: 5, deviation: 0, lowest: 5, highest: 5 },
  });
  expect(poolOrigins([{ a: 4 }])).toEqual({ a: { mean: 4, deviation: null, lowest: 4, highest: 4 } });
  expect(poolOrigins([])).toEqual({});
});
