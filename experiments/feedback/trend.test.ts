import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { normals } from '../simulator/normals.ts';
import { studentBelow, studentQuantile } from './student.ts';
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
  const alarms = (count: number, how: { deviation: number; memory: number; change?: number }, trials = 1500) => {
    const found = Array.from({ length: trials }, () => trendOf({ values: drawn(count, how), level: 0.98 }));
    return found.filter((one) => one !== null && one.low > Math.log1p(0.1)).length / trials;
  };

  it('is the line where there is nothing else, and none is seen in fewer than four values', () => {
    const exact = trendOf({ values: [1, 2, 3, 4, 5], level: 0.98 });
    expect(exact?.value).toBeCloseTo(4, 12);
    expect((exact?.high ?? 0) - (exact?.low ?? 0)).toBeLessThan(1e-9);
    expect(trendOf({ values: [1, 2, 3], level: 0.98 })).toBeNull();
    expect(trendOf({ values: [2, 2, 2, 2], level: 0.98 })).toEqual({ value: 0, low: 0, high: 0 });
  });

  it('raises as few false alarms as is stated, whatever noise remembers', () => {
    for (const count of [4, 6, 8, 12, 20])
      for (const memory of [0, 0.3, 0.6, 0.8]) {
        // .04 is stated: 1,500 trials of a rate of .037 come to .053 and more once in a thousand.
        expect(alarms(count, { deviation: 0.2, memory })).toBeLessThan(0.055);
        expect(alarms(count, { deviation: 0.1, memory })).toBeLessThan(0.035);
      }
    for (const count of [4, 8, 20]) expect(alarms(count, { deviation: 0.05, memory: 0 })).toBeLessThan(0.01);
  });

  it('is seen where exposure by demand grows by half', () => {
    expect(alarms(12, { deviation: 0.04, memory: 0, change: Math.log(1.5) }, 400)).toBeGreaterThan(0.9);
    expect(alarms(8, { deviation: 0.03, memory: 0, change: Math.log(1.5) }, 400)).toBeGreaterThan(0.8);
  });
});
