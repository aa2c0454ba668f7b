import { expect, test } from 'vitest';
import { bucketOf } from './assign.ts';

test('a bucket is fixed by salt and unit', () => {
  expect(bucketOf({ salt: 'release-1', unit: 'user:17850' })).toBe(bucketOf({ salt: 'release-1', unit: 'user:17850' }));
  expect(bucketOf({ salt: 'release-1', unit: 'user:17850' })).toMatchInlineSnapshot(`0.6325868215715893`);
  expect(bucketOf({ salt: 'ab', unit: 'c' })).not.toBe(bucketOf({ salt: 'a', unit: 'bc' }));
});

test('buckets are uniform, and independent from salt to salt', () => {
  const units = 50_000;
  const bins = new Array<number>(25).fill(0);
  for (let unit = 0; unit < units; unit += 1) {
    const one = bucketOf({ salt: 'one', unit: `user:${unit}` });
    const two = bucketOf({ salt: 'two', unit: `user:${unit}` });
    expect(one >= 0 && one < 1).toBe(true);
    count(bins, 5 * Math.floor(5 * one) + Math.floor(5 * two));
  }
  // Chi-square with 24 degrees of freedom: above 51.2 once in a thousand.
  expect(bins.reduce((sum, count) => sum + (count - units / 25) ** 2 / (units / 25), 0)).toBeLessThan(51.2);
});

function count(bins: number[], bin: number): void {
  bins[bin] = (bins[bin] ?? 0) + 1;
}
