import { expect, it } from 'vitest';
import { normalBelow, normalQuantile, twoSided } from './normal.ts';

it('the normal distribution at known points', () => {
  expect(normalBelow(0)).toBeCloseTo(0.5, 7);
  expect(normalBelow(1.959964)).toBeCloseTo(0.975, 6);
  expect(normalBelow(-2.575829)).toBeCloseTo(0.005, 6);
  expect(twoSided(1.959964)).toBeCloseTo(0.05, 6);
  expect([twoSided(0), twoSided(Number.NaN), twoSided(1e9)]).toEqual([expect.closeTo(1, 6), 1, 0]);
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963985, 8);
  expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306, 8);
});

it('quantile and distribution undo each other', () => {
  for (let probability = 0.001; probability < 1; probability += 0.007) expect(normalBelow(normalQuantile(probability))).toBeCloseTo(probability, 6);
});
