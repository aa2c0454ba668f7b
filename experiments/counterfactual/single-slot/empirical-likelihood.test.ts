import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../models/random.ts';
import { empiricalLikelihood } from './empirical-likelihood.ts';
import { clusterScores } from './intervals.ts';
import { studentQuantile } from './student.ts';

const critical = 1.959963984540054 ** 2;
const intervalOf = (values: readonly number[]) => {
  const sample = clusterScores({ scores: Float64Array.from(values), cluster: undefined, clusters: values.length });
  return { ...empiricalLikelihood({ ...sample, critical }), mean: sample.mean, standardError: sample.standardError };
};

describe('the empirical likelihood interval', () => {
  it("is the likelihood ratio's for a share: 10 of 100", () => {
    const { low, high } = intervalOf(Array.from({ length: 100 }, (_, row) => (row < 10 ? 1 : 0)));
    const deviance = (share: number) => 2 * (10 * Math.log(0.1 / share) + 90 * Math.log(0.9 / (1 - share)));
    expect(deviance(low)).toBeCloseTo(critical, 5);
    expect(deviance(high)).toBeCloseTo(critical, 5);
  });

  it('moves and stretches with the scores, mirrors with them, and lies within them', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 3, max: 400 }),
        fc.double({ min: -5, max: 5, noNaN: true }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (seed, count, shift, factor) => {
          const random = createRandom(seed);
          const values = Array.from({ length: count }, () => (random.float() < 0.3 ? random.float() ** -0.4 : 0));
          const own = intervalOf(values);
          if (own.standardError === 0) return;
          const near = (one: number, other: number) => expect(Math.abs(one - other)).toBeLessThan(1e-5 * factor * own.standardError + 1e-9 * Math.abs(shift));
          const moved = intervalOf(values.map((value) => value * factor + shift));
          near(moved.low, own.low * factor + shift);
          near(moved.high, own.high * factor + shift);
          const mirrored = intervalOf(values.map((value) => -value * factor));
          near(mirrored.low, -own.high * factor);
          expect(own.low).toBeGreaterThanOrEqual(Math.min(...values));
          expect(own.high).toBeLessThanOrEqual(Math.max(...values));
          expect(own.low).toBeLessThan(own.mean);
          expect(own.high).toBeGreaterThan(own.mean);
        },
      ),
    );
  });

  it('reaches farther to the side of the tail, and is the normal one in the long run', () => {
    const random = createRandom(2);
    const skewed = intervalOf(Array.from({ length: 300 }, () => (random.float() < 0.05 ? 1 : 0)));
    expect(skewed.high - skewed.mean).toBeGreaterThan(1.15 * (skewed.mean - skewed.low));
    const long = intervalOf(Array.from({ length: 100_000 }, () => random.float()));
    expect((long.high - long.mean) / long.standardError).toBeCloseTo(1.96, 2);
    expect(intervalOf([3, 3, 3])).toMatchObject({ low: 3, high: 3 });
  });
});

it("Student's quantiles are those of the tables", () => {
  // Abramowitz and Stegun, table 26.10.
  for (const [freedom, quantile] of [
    [5, 2.571],
    [10, 2.228],
    [30, 2.042],
    [120, 1.98],
    [Number.POSITIVE_INFINITY, 1.96],
  ] as const)
    expect(studentQuantile(0.975, freedom)).toBeCloseTo(quantile, 2);
  expect(studentQuantile(0.995, 10)).toBeCloseTo(3.169, 2);
});
