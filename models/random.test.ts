import { expect, test } from 'vitest';
import { createRandom } from './random.ts';

test('the stream of a seed never changes', () => {
  const random = createRandom(42);
  expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
    [
      660444221,
      3652823732,
      77678286,
    ]
  `);
  expect(createRandom(42).float()).toBe(createRandom(42).float());
  const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 33, Number.MAX_SAFE_INTEGER];
  expect(new Set(seeds.map((seed) => createRandom(seed).uint32())).size).toBe(seeds.length);
  expect(() => createRandom(0.5)).toThrow('whole number');
});

test('floats are uniform', () => {
  const random = createRandom(7);
  const bins = new Array<number>(20).fill(0);
  for (let draw = 0; draw < 100_000; draw += 1) count(bins, Math.floor(20 * random.float()));
  // Chi-square with 19 degrees of freedom: above 43.8 once in a thousand.
  expect(bins.reduce((sum, count) => sum + (count - 5000) ** 2 / 5000, 0)).toBeLessThan(43.8);
});

test('whole numbers below a bound are uniform and stay below it', () => {
  const random = createRandom(8);
  for (const bound of [1, 3, 2 ** 31 + 1, 2 ** 32]) for (let draw = 0; draw < 100; draw += 1) expect(random.below(bound)).toBeLessThan(bound);
  const bins = [0, 0, 0];
  for (let draw = 0; draw < 30_000; draw += 1) count(bins, random.below(3));
  for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(330);
  for (const bound of [0, 1.5, 2 ** 33]) expect(() => random.below(bound)).toThrow('bound');
});

function count(bins: number[], bin: number): void {
  bins[bin] = (bins[bin] ?? 0) + 1;
}
