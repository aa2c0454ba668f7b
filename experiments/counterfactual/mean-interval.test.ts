import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { meanInterval } from './mean-interval.ts';

it('holds the mean in at least the stated share of samples, rare large values included', () => {
  const rounds = 400;
  const missed = (draw: (random: ReturnType<typeof createRandom>) => number, bounds: { low: number; high: number; mean: number; size: number }) => {
    let [under, over] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const random = createRandom(900 + round);
      const found = meanInterval({ values: Float64Array.from({ length: bounds.size }, () => draw(random)), low: bounds.low, high: bounds.high, level: 0.95 });
      if (found.high < bounds.mean) under += 1;
      if (found.low > bounds.mean) over += 1;
    }
    return { under, over };
  };
  const rare = missed((random) => (random.float() < 0.002 ? 50 : 0), { low: 0, high: 50, mean: 0.1, size: 500 });
  const even = missed((random) => random.float() - 0.5, { low: -0.5, high: 0.5, mean: 0, size: 300 });
  console.log(`of ${rounds} intervals at 95 %: rare values ${JSON.stringify(rare)}, even values ${JSON.stringify(even)} missed`);
  // 2.5 % on either side: 10 of 400, and more than 20 with probability 0.002.
  for (const count of [rare.under, rare.over, even.under, even.over]) expect(count).toBeLessThanOrEqual(20);
});

it('lies within the bounds, holds the sample mean, and shrinks as values come in', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1, max: 3, noNaN: true }), { minLength: 1, maxLength: 60 }), (sample) => {
      const values = Float64Array.from(sample);
      const found = meanInterval({ values, low: -1, high: 3, level: 0.9 });
      expect(found.low).toBeGreaterThanOrEqual(-1);
      expect(found.high).toBeLessThanOrEqual(3);
      expect(found.low).toBeLessThanOrEqual(found.value + 1e-5);
      expect(found.high).toBeGreaterThanOrEqual(found.value - 1e-5);
      const more = meanInterval({ values: Float64Array.from([...sample, ...sample, ...sample, ...sample]), low: -1, high: 3, level: 0.9 });
      expect(more.high - more.low).toBeLessThanOrEqual(found.high - found.low + 1e-5);
    }),
    { numRuns: 50 },
  );
});

it('ends however small the numbers are', () => {
  const values = Float64Array.of(0, 5e-324, 5e-324);
  const found = meanInterval({ values, low: 0, high: 5e-324, level: 0.95 });
  expect(found.low).toBeGreaterThanOrEqual(0);
  expect(found.high).toBeLessThanOrEqual(5e-324);
});

it('knows nothing without values', () => {
  expect(meanInterval({ values: new Float64Array(), low: -2, high: 5, level: 0.95 })).toEqual({ value: 0, low: -2, high: 5 });
});
