import { expect, test } from 'vitest';
import { bucketOf, challengersInPlay, registeredOf, shareInForce } from './assign.ts';

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

const alone = { mode: 'canary', artifact: 'a', share: 0 } as const;
const among = {
  ...alone,
  rivals: [
    { artifact: 'b', share: 0.2 },
    { artifact: 'c', share: 0 },
  ],
} satisfies Parameters<typeof challengersInPlay>[0];

test('a challenger without a share is out where others share its release, and where there is traffic to have', () => {
  expect(challengersInPlay(among)).toEqual(['b']);
  expect(challengersInPlay({ ...among, share: 0.1 })).toEqual(['a', 'b']);
  expect(challengersInPlay({ ...among, mode: 'shadow' })).toEqual(['a', 'b', 'c']);
  expect(challengersInPlay(alone)).toEqual(['a']);
});

test('what is registered and has lost is not explored any more', () => {
  const canary = { ...among, releaseId: 'r1', stage: 0, cap: 1, salt: 's' };
  expect(registeredOf({ challenger: 'a', rivals: ['b', 'c'], canary: null })).toEqual(['a', 'b', 'c']);
  expect(registeredOf({ challenger: 'a', rivals: ['b', 'c'], canary })).toEqual(['b']);
  expect(registeredOf({ challenger: 'a', canary: { ...canary, rivals: undefined } })).toEqual(['a']);
  expect(registeredOf({ challenger: null, canary: null })).toEqual([]);
});

test('the share in force is that of all challengers together, or of the segment', () => {
  expect(shareInForce({ ...among, share: 0.1 }, 'gold')).toBeCloseTo(0.3, 12);
  expect(shareInForce({ share: 0.1, segmentShares: { gold: 0.4 } }, 'gold')).toBe(0.4);
  expect(shareInForce({ share: 0.1, segmentShares: { gold: 0.4 } }, 'silver')).toBe(0.1);
});
