import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeedbackMeasures } from '../../models/contracts/audit-measures.ts';
import { judgeRatios, judgeTrend } from './judge-measures.ts';

const own = { id: 'a/b', claim: 'c' };
const one = (label: string, low: number, value: number, high: number) => ({ label, ratio: { low, value, high } });
const judged = (...compared: ReturnType<typeof one>[]) => judgeRatios(own, { compared, of: 'it' });

describe('ratios of groups', () => {
  it('break where one is below for sure, weaken where one has less for sure, hold where all do', () => {
    expect(judged(one('x', 0.9, 1, 1), one('y', 0.3, 0.5, 0.7), one('z', 0.5, 0.6, 0.79))).toMatchObject({
      ...{ status: 'broken', value: 0.5, interval: { low: 0.3, high: 0.7 }, bounds: { min: 0.8, max: null } },
      says: 'y has 50 % (30 % to 70 %) of it; z has 60 % (50 % to 79 %) of it',
    });
    expect(judged(one('x', 0.9, 1, 1), one('y', 0.6, 0.7, 0.95))).toMatchObject({ status: 'weakened', value: 0.7 });
    expect(judged(one('x', 0.9, 1, 1), one('y', 0.6, 0.7, 1))).toMatchObject({ status: 'not-measured', value: null });
    expect(judged(one('x', 0.9, 1, 1), one('y', 0.85, 0.9, 0.95))).toMatchObject({ status: 'holds', value: 0.9 });
  });

  it('are worse with a worse group, whatever the others have', () => {
    const figure = fc.double({ min: 0, max: 1, noNaN: true });
    const rank = { broken: 3, weakened: 2, 'not-measured': 1, holds: 0 };
    fc.assert(
      fc.property(fc.array(fc.tuple(figure, figure, figure), { minLength: 1, maxLength: 6 }), (rows) => {
        const compared = rows.map((row, place) => {
          const [low, value, high] = row.toSorted((a, b) => a - b) as [number, number, number];
          return one(`g${place}`, low, value, high);
        });
        const all = rank[judged(...compared).status];
        expect(all).toBe(Math.max(...compared.map((each) => rank[judged(each).status])));
      }),
    );
  });
});

describe('trends of figures', () => {
  const of = (values: readonly number[], change: { value: number; low: number; high: number } | null, worse: 'up' | 'down' = 'up') =>
    judgeTrend(own, {
      feedback: {
        generations: values.map((value) => ({ figures: { gini: { value, low: value, high: value } } })),
        trends: change === null ? [] : [{ figure: 'gini', generations: values.length, change }],
      } as unknown as FeedbackMeasures,
      ...{ figure: 'gini', worse, allowed: (first) => 0.1 * first, found: 'weakened' },
    });

  it('are held against a part of where they began, in the direction that is trouble', () => {
    const values = [0.5, 0.6, 0.7, 0.8];
    expect(of(values, { value: 0.3, low: 0.2, high: 0.4 })).toMatchObject({ status: 'weakened', bounds: { min: null, max: 0.05 } });
    expect(of(values, { value: 0.3, low: 0.2, high: 0.4 }, 'down')).toMatchObject({ status: 'holds' });
    expect(of(values, { value: 0.3, low: 0.01, high: 0.6 })).toMatchObject({ status: 'not-measured', says: expect.stringContaining('not enough evidence') });
    expect(of([0.5, 0.5, 0.5, 0.5], { value: 0, low: -0.01, high: 0.01 })).toMatchObject({ status: 'holds' });
    expect(of([0.5, 0.6], null)).toMatchObject({ status: 'not-measured', says: expect.stringContaining('2 generations') });
  });
});
