import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { bootstrapLift, bootstrapMean } from './testing.ts';
import { GroupedMeans, quantile } from './grouped-means.ts';

const fill = (values: readonly number[], groups?: number) => {
  const means = new GroupedMeans({ names: ['ndcg@10', 'twice'], ...(groups === undefined ? {} : { groups }) });
  for (const value of values) means.add([value, 2 * value]);
  return means;
};

it('golden values: quantiles as numpy.percentile 2.4 has them, the bootstrap of two users worked out by hand', () => {
  const sorted = Float64Array.of(1, 2, 4, 8, 16);
  expect([0.025, 0.25, 0.4, 0.975].map((probability) => quantile(sorted, probability))).toEqual([1.1, 2, 3.2, 15.2].map((one) => expect.closeTo(one, 12)));
  // Of users with 0 and 1 a resample's mean is 0, 1/2 or 1, with 1/4, 1/2 and 1/4.
  const of = (level: number) => fill([0, 1]).intervals({ seed: 3, replications: 4000, level })['ndcg@10'];
  expect(of(0.95)).toEqual({ value: 0.5, low: 0, high: 1 });
  expect(of(0.4)).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
});

it('is the bootstrap by user where there are no more users than groups', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 30 }),
      fc.nat(),
      (pairs, seed) => {
        const [mine, other] = [pairs.map(([one]) => one), pairs.map(([, two]) => two)];
        const settings = { seed, replications: 50 };
        const expected = bootstrapMean({ values: mine, ...settings });
        const found = fill(mine).intervals(settings);
        const lift = fill(mine).lift(fill(other), settings)['ndcg@10'];
        const expectedLift = bootstrapLift({ candidate: mine, champion: other, ...settings });
        for (const end of ['value', 'low', 'high'] as const) {
          expect(found['ndcg@10']?.[end]).toBeCloseTo(expected[end], 10);
          expect(found.twice?.[end]).toBeCloseTo(2 * expected[end], 10);
          expect(lift?.[end]).toBeCloseTo(expectedLift[end], 10);
        }
      },
    ),
  );
});

it('with more users than groups the interval is as wide as the bootstrap by user makes it', () => {
  const random = createRandom(4);
  const values = Array.from({ length: 20_000 }, () => (random.float() < 0.3 ? random.float() : 0));
  const exact = bootstrapMean({ values, seed: 1, replications: 400 });
  const grouped = fill(values, 500).intervals({ seed: 1, replications: 400 })['ndcg@10'];
  expect(grouped?.value).toBeCloseTo(exact.value, 10);
  expect((grouped?.high ?? 0) - (grouped?.low ?? 0)).toBeGreaterThan(0.85 * (exact.high - exact.low));
  expect((grouped?.high ?? 0) - (grouped?.low ?? 0)).toBeLessThan(1.15 * (exact.high - exact.low));
});

it('refuses what cannot be paired or measured', () => {
  expect(() => fill([]).intervals({ seed: 1 })).toThrow(expect.objectContaining({ code: 'UND-NO-DATA' }));
  expect(() => fill([1]).lift(fill([1, 2]), { seed: 1 })).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
});
