import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { adjustedSignificance, failProbability, fairTable, fairTopK, isFair } from './fair-top-k.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const isProtected = (item: string): boolean => item.startsWith('p');

describe('the table', () => {
  it('published values: 20 places, a quarter, a level of .1', () => {
    const asked = { size: 20, share: 0.25, significance: 0.1 };
    const plain = fairTable(asked);
    expect(plain).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]);
    expect(failProbability(plain, 0.25)).toBeCloseTo(0.146887188699111, 14);
    const adjusted = adjustedSignificance(asked);
    expect(adjusted.significance).toBe(0.078125);
    expect(adjusted.failProbability).toBeCloseTo(0.10515247355215251, 14);
    expect(adjusted.table).toEqual(fairTable({ ...asked, significance: 0.078125 }));
  });

  it('the adjusted level is the step that comes nearest, whatever is asked', () => {
    const asked = fc.record({
      size: fc.integer({ min: 1, max: 30 }),
      share: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      significance: fc.double({ min: 0.01, max: 0.4, noNaN: true }),
    });
    fc.assert(
      fc.property(asked, fc.double({ min: 0, max: 1, noNaN: true }), (one, part) => {
        const { table, significance, failProbability: fails } = adjustedSignificance(one);
        expect(table).toEqual(fairTable({ ...one, significance }));
        expect(fails).toBeCloseTo(failProbability(table, one.share), 12);
        expect(significance).toBeLessThanOrEqual(one.significance);
        const other = failProbability(fairTable({ ...one, significance: part * one.significance }), one.share);
        expect(Math.abs(fails - one.significance)).toBeLessThanOrEqual(Math.abs(other - one.significance) + 1e-12);
      }),
      { seed, numRuns: 200 },
    );
  });

  it('fails fair draws as often as it says', () => {
    const { table, failProbability: fails } = adjustedSignificance({ size: 20, share: 0.4, significance: 0.1 });
    const random = createRandom(seed);
    const draws = 20_000;
    let failed = 0;
    for (let draw = 0; draw < draws; draw += 1) {
      const slate = Array.from({ length: 20 }, () => (random.float() < 0.4 ? 'p' : 'o'));
      if (!isFair(slate, table, isProtected)) failed += 1;
    }
    // Five standard errors: one run of three million is beyond them.
    expect(Math.abs(failed / draws - fails)).toBeLessThan(5 * Math.sqrt((fails * (1 - fails)) / draws));
  });
});

describe('FA*IR', () => {
  const ranked = ['o1', 'o2', 'o3', 'p1', 'o4', 'p2', 'o5'];
  const made = (size: number, table: number[], list = ranked) => fairTopK({ ranked: list, size, table, isProtected }).join(' ');

  it('golden values, worked out by hand', () => {
    expect(made(4, [0, 0, 0, 0])).toBe('o1 o2 o3 p1 o4 p2 o5');
    expect(made(4, [0, 1, 1, 2])).toBe('o1 p1 o2 p2 o3 o4 o5');
    expect(made(3, [1, 2, 3])).toBe('p1 p2 o1 o2 o3 o4 o5');
    expect(made(9, [0, 0, 0, 0, 1, 1, 1, 1, 1])).toBe('o1 o2 o3 p1 o4 p2 o5');
    expect(made(2, [1, 1], ['o1', 'o2'])).toBe('o1 o2');
    expect(made(2, [0, 0], [])).toBe('');
  });

  it('every item once, each prefix fair as far as there are items, and the order within each group stays', () => {
    const lists = fc
      .uniqueArray(fc.tuple(fc.boolean(), fc.nat(200)), { selector: String, maxLength: 60 })
      .map((all) => all.map(([own, id]) => `${own ? 'p' : 'o'}${id}`));
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 30 }), fc.double({ min: 0.05, max: 0.95, noNaN: true }), (list, size, share) => {
        const { table } = adjustedSignificance({ size, share, significance: 0.1 });
        const fair = fairTopK({ ranked: list, size, table, isProtected });
        expect(fair.toSorted()).toEqual(list.toSorted());
        const slate = fair.slice(0, size);
        for (const group of [true, false]) {
          const own = slate.filter((item) => isProtected(item) === group);
          expect(own).toEqual(list.filter((item) => isProtected(item) === group).slice(0, own.length));
        }
        const there = list.filter(isProtected).length;
        for (let length = 1; length <= slate.length; length += 1)
          expect(slate.slice(0, length).filter(isProtected).length).toBeGreaterThanOrEqual(Math.min(table[length - 1] as number, there));
        if (isFair(list.slice(0, size), table, isProtected)) expect(fair).toEqual(list);
      }),
      { seed },
    );
  });
});
