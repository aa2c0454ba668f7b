import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { simulateCanaries } from '../canary/simulate-canaries.ts';
import { meanOf, quantileLevels, type RatioSums, ratioOf, shareOf } from './ratio.ts';
import { unitsForChange, unitsForSequential } from './units-for-change.ts';

const sumsOf = (clusters: readonly (readonly [a: number, b: number])[]): RatioSums =>
  clusters.reduce(
    (sums, [a, b]) => ({ clusters: sums.clusters + 1, a: sums.a + a, b: sums.b + b, aa: sums.aa + a * a, ab: sums.ab + a * b, bb: sums.bb + b * b }),
    { clusters: 0, a: 0, b: 0, aa: 0, ab: 0, bb: 0 },
  );

describe('shares of what clusters did', () => {
  it('have the interval of Wilson where every cluster is one draw', () => {
    // 10 of 50: Wilson's interval is [.1124, .3304].
    const share = shareOf(sumsOf(Array.from({ length: 50 }, (_, index) => [1, index < 10 ? 1 : 0] as const)));
    expect(share?.value).toBe(0.2);
    expect(share?.low).toBeCloseTo(0.1124, 2);
    expect(share?.high).toBeCloseTo(0.3304, 2);
  });

  it('are as uncertain as their clusters are few, and known when there are none', () => {
    const alike = shareOf(sumsOf(Array.from({ length: 10 }, (_, index) => [100, index < 2 ? 100 : 0] as const)));
    expect(alike?.value).toBe(0.2);
    expect((alike?.high ?? 0) - (alike?.low ?? 0)).toBeGreaterThan(0.4);
    expect(
      shareOf(
        sumsOf([
          [3, 0],
          [4, 0],
          [5, 0],
        ]),
      ),
    ).toMatchObject({ value: 0, low: 0, high: expect.closeTo(0.561, 2) });
    expect(shareOf(sumsOf([]))).toBeUndefined();
    expect(meanOf(sumsOf([[1, 7]]))).toEqual({ value: 7, low: 7, high: 7 });
  });

  it('hold the truth in 95 of 100 samples of clustered people', () => {
    const random = createRandom(11);
    let held = 0;
    for (let run = 0; run < 400; run += 1) {
      // Each of 80 people does one to nine things, each with a probability of their own: .1 or .5.
      const people = Array.from({ length: 80 }, () => {
        const [times, rate] = [1 + random.below(9), random.float() < 0.5 ? 0.1 : 0.5];
        return [times, Array.from({ length: times }, () => random.float() < rate).filter(Boolean).length] as const;
      });
      const share = shareOf(sumsOf(people));
      if (share !== undefined && share.low <= 0.3 && share.high >= 0.3) held += 1;
    }
    expect(held / 400).toBeGreaterThan(0.92);
    expect(held / 400).toBeLessThan(0.985);
  });
});

it('quantiles have the levels of order statistics', () => {
  expect(quantileLevels(0.5, 100)).toMatchObject({ low: expect.closeTo(0.402, 3), high: expect.closeTo(0.598, 3) });
  expect(quantileLevels(0.9, 1)).toMatchObject({ high: 1 });
});

describe('units for a change', () => {
  it('are those of the rule of sixteen variances', () => {
    // A rate of 5 %, a change of 5 %: 2 x 16 x .05 x .95 / .0025^2, the sixteen being 15.7.
    const sums = { clusters: 1e6, a: 1e6, b: 5e4, aa: 1e6, ab: 5e4, bb: 5e4 };
    expect(unitsForChange(sums, { change: 0.05, alpha: 0.05, power: 0.8 })).toBeCloseTo(238_606, -3);
    expect(unitsForChange(sums, { change: 0.1, alpha: 0.05, power: 0.8 })).toBeCloseTo(238_606 / 4, -3);
    expect(unitsForChange({ ...sums, b: 0, ab: 0, bb: 0 }, { change: 0.05, alpha: 0.05, power: 0.8 })).toBeNull();
    expect(ratioOf(sums)?.deviation).toBeCloseTo(Math.sqrt(0.05 * 0.95), 5);
  });

  it("are enough for the canary's own decisions in four runs of five, and not far more", async () => {
    const [rate, change, alpha] = [0.3, 0.2, 0.05];
    const users = unitsForSequential({ rate, change, alpha, power: 0.8 }) ?? 0;
    const canary = { shadowSlates: 0, ladder: [0.5], minUnits: [1], lookEveryMs: 1, maxDurationMs: 1, inconclusive: 'roll-back' as const, alpha };
    const limits = { refreshMargin: 0.1, maxErrorShare: 1, maxFallbackShare: 1, maxP99Ms: 1_000 };
    const within = async (count: number) => {
      const input = {
        canary: { ...canary, ...limits },
        intent: 'replace' as const,
        champion: rate,
        challenger: rate * (1 + change),
        users: count,
        runs: 60,
        seed: 5,
      };
      return ((await simulateCanaries(input)).fixedSplit?.promoted ?? 0) / 60;
    };
    expect(await within(users)).toBeGreaterThan(0.7);
    expect(await within(users / 3)).toBeLessThan(0.6);
    expect(unitsForSequential({ rate: 0, change, alpha, power: 0.8 })).toBeNull();
    expect(unitsForSequential({ rate: 1e-7, change: 0.01, alpha, power: 0.8 })).toBeNull();
  });
});
