import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { wilsonInterval } from '../binomial.ts';
import { normals } from '../simulator/normals.ts';
import { studentBelow, studentQuantile } from '../student.ts';
import { trendOf } from './trend.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;

describe('Student', () => {
  it('has the quantiles of the tables', () => {
    for (const [probability, degrees, value] of [
      [0.975, 1, 12.7062],
      [0.975, 2, 4.30265],
      [0.99, 3, 4.5407],
      [0.975, 10, 2.22814],
      [0.95, 30, 1.69726],
      [0.01, 4, -3.74695],
    ] as const)
      expect(studentQuantile(probability, degrees)).toBeCloseTo(value, 4);
    expect(studentBelow(0, 5)).toBe(0.5);
    expect(studentBelow(1.96, 100_000)).toBeCloseTo(0.975, 4);
  });
});

describe('a trend', () => {
  const noise = normals(createRandom(seed));
  /** Noise of first order with this deviation and memory, on a line. */
  const drawn = (count: number, { deviation, memory, change = 0 }: { deviation: number; memory: number; change?: number }) => {
    let rest = deviation * noise();
    return Array.from({ length: count }, (_, place) => {
      rest = memory * rest + Math.sqrt(1 - memory ** 2) * deviation * noise();
      return rest + (change * place) / (count - 1);
    });
  };
  /** What a rate of 1,500 trials is at least, but for once in ten thousand. */
  const atLeast = (rate: number) => wilsonInterval({ count: Math.round(1500 * rate), of: 1500, level: 0.9998 })[0];
  const alarms = (count: number, how: { deviation: number; memory: number; change?: number }, trials = 1500) => {
    const found = Array.from({ length: trials }, () => trendOf({ values: drawn(count, how), level: 0.98 }));
    return found.filter((one) => one !== null && one.low > Math.log1p(0.1)).length / trials;
  };

  it('is the line where there is nothing else, and none is seen in fewer than four values', () => {
    const exact = trendOf({ values: [1, 2, 3, 4, 5], level: 0.98 });
    expect(exact?.value).toBeCloseTo(4, 12);
    expect((exact?.high ?? 0) - (exact?.low ?? 0)).toBeLessThan(1e-9);
    expect(trendOf({ values: [1, 2, 3], level: 0.98 })).toBeNull();
    const level = trendOf({ values: [2, 2, 2, 2], level: 0.98 });
    expect(Math.abs(level?.value ?? 1)).toBeLessThan(1e-12);
  });

  it('raises as few false alarms as is stated, where noise remembers up to .6 of the one before', () => {
    for (const count of [4, 6, 8, 12, 20])
      for (const memory of [0, 0.3, 0.6]) {
        // .02 is stated; of 20,000 trials each the worst rate is .015, and .0023 with half of the noise.
        expect(atLeast(alarms(count, { deviation: 0.1, memory }))).toBeLessThanOrEqual(0.02);
        expect(atLeast(alarms(count, { deviation: 0.05, memory }))).toBeLessThanOrEqual(0.005);
      }
  });

  it('raises more of them where noise is great and remembers nearly all: what is stated has its limits', () => {
    const rate = alarms(20, { deviation: 0.2, memory: 0.8 });
    expect(rate).toBeGreaterThan(0.06);
    expect(rate).toBeLessThan(0.18);
  });

  it('is seen where exposure by demand doubles, at once or bit by bit', () => {
    expect(alarms(8, { deviation: 0.05, memory: 0, change: Math.log(2) }, 400)).toBeGreaterThan(0.85);
    expect(alarms(12, { deviation: 0.05, memory: 0, change: Math.log(2) }, 400)).toBeGreaterThan(0.95);
    const ending = Array.from({ length: 12 }, (_, place) => Math.log(2) * (1 - Math.exp(-place / 3)) + 0.01 * noise());
    expect(trendOf({ values: ending, level: 0.98 })?.low).toBeGreaterThan(Math.log1p(0.1));
  });
});
