import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { createExposureController, exposureShares, fairExposure } from './fair-exposure.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const groupsOf = (item: string): number[] => (item.startsWith('a') ? [0] : item.startsWith('b') ? [1] : item.startsWith('x') ? [0, 1] : []);

describe('fair exposure', () => {
  const ranked = ['o1', 'o2', 'a1', 'o3', 'b1'];
  const made = (deficits: number[], size = 3) => fairExposure({ ranked, size, deficits, strength: 0.1, groupsOf }).join(' ');

  it('golden values, worked out by hand', () => {
    expect(made([0, 0])).toBe('o1 o2 a1 o3 b1');
    // Relevance 1, .8, .6, .4, .2. Three slates behind are worth .3: a1 .9.
    expect(made([3, 0])).toBe('o1 a1 o2 o3 b1');
    expect(made([3, 7])).toBe('o1 a1 b1 o2 o3');
    // No boost is larger than one: however far behind, b1 comes to 1.2 and no further.
    expect(made([0, 1000])).toBe('b1 o1 o2 a1 o3');
    expect(made([2, 0])).toBe('o1 o2 a1 o3 b1');
    const [third, fourth] = [1 / 2, 1 / Math.log2(5)];
    expect(exposureShares(['o1', 'o2', 'x', 'a'], 2, groupsOf)).toEqual([
      (third + fourth) / (1 + 1 / Math.log2(3) + third + fourth),
      third / (1 + 1 / Math.log2(3) + third + fourth),
    ]);
    expect(exposureShares([], 2, groupsOf)).toEqual([0, 0]);
  });

  it('every item once, the order within each kind stays, and nothing moves without a deficit', () => {
    const lists = fc
      .uniqueArray(fc.tuple(fc.constantFrom('o', 'a', 'b', 'x'), fc.nat(200)), { selector: String, maxLength: 60 })
      .map((all) => all.map((one) => one.join('')));
    const deficits = fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 0, max: 50, noNaN: true }));
    fc.assert(
      fc.property(lists, deficits, fc.integer({ min: 1, max: 20 }), (list, behind, size) => {
        const fair = fairExposure({ ranked: list, size, deficits: behind, strength: 0.1, groupsOf });
        expect(fair.toSorted()).toEqual(list.toSorted());
        for (const kind of ['o', 'a', 'b', 'x']) {
          const own = fair.slice(0, size).filter((item) => item.startsWith(kind));
          expect(own).toEqual(list.filter((item) => item.startsWith(kind)).slice(0, own.length));
        }
        expect(fairExposure({ ranked: list, size, deficits: [0, 0], strength: 0.1, groupsOf })).toEqual(list);
      }),
      { seed },
    );
  });

  it('of any run of requests groups have what they are owed, but for what the controller may be behind, and hardly more', () => {
    const random = createRandom(seed);
    const strength = 0.1;
    const groups = [0.2, 0.1].map((minShare, group) => ({ name: `g${group}`, by: 'items' as const, values: ['x'], minShare }));
    const controller = createExposureController({ groups, strength });
    const [requests, sums] = [2_000, [[0], [0]]];
    for (let request = 0; request < requests; request += 1) {
      // Groups a and b are ranked behind all others, in any order.
      const others = Array.from({ length: 60 }, (_, item) => `o${item}`);
      const behind = Array.from({ length: 30 }, (_, item) => `${random.float() < 0.6 ? 'a' : 'b'}${item}`);
      const slate = fairExposure({ ranked: [...others, ...behind], size: 10, deficits: controller.deficits(), strength, groupsOf }).slice(0, 10);
      const shares = exposureShares(slate, 2, groupsOf);
      controller.note(shares);
      for (const [group, run] of sums.entries()) run.push((run.at(-1) as number) + (shares[group] as number));
    }
    for (const [group, { minShare }] of groups.entries()) {
      const run = sums[group] as number[];
      const over = (from: number, to: number): number => (run[to] as number) - (run[from] as number);
      for (let from = 0; from < requests; from += 100)
        for (let to = from + 100; to <= requests; to += 100) expect(over(from, to)).toBeGreaterThanOrEqual(minShare * (to - from) - 1 / strength - 1e-9);
      expect(over(1_000, 2_000) / 1_000).toBeGreaterThan(minShare - 0.002);
      expect(over(1_000, 2_000) / 1_000).toBeLessThan(minShare + 0.03);
    }
  });
});
