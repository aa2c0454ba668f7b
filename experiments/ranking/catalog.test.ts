import fc from 'fast-check';
import { expect, it } from 'vitest';
import { beyondAccuracy, beyondNames, ExposureTally, gini, longTail } from './catalog.ts';

const tally = (itemCount: number, cutoff: number, lists: number[][]) => {
  const made = new ExposureTally({ itemCount, cutoff });
  for (const list of lists) made.add(list);
  return made.summarize();
};

it('spread over the catalog: golden values, worked out by hand', () => {
  // Exposures 2, 1, 1, 0 at cutoff 2.
  const found = tally(4, 2, [
    [0, 1, 3],
    [0, 2, 3],
  ]);
  expect(found.coverage).toBe(3 / 4);
  expect(found.entropy).toBeCloseTo(1.5, 12);
  // Ascending 0 1 1 2: (-3*0 - 1*1 + 1*1 + 3*2) / (4 * 4).
  expect(found.gini).toBeCloseTo(6 / 16, 12);
  // scipy.stats.entropy 1.17 in bits; half the relative mean difference of all pairs, by numpy 2.4.
  const exposures = [3, 0, 7, 1, 1, 12];
  const lists = exposures.flatMap((times, item) => Array.from({ length: times }, () => [item]));
  expect(tally(6, 1, lists)).toEqual({ coverage: 5 / 6, entropy: expect.closeTo(1.7755490855036324, 12), gini: expect.closeTo(0.5555555555555556, 12) });
  expect(tally(3, 2, [])).toEqual({ coverage: 0, gini: 0, entropy: 0 });
  expect(() => tally(3, 2, [[3]])).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
});

it('Gini is 0 for all alike, (n - 1) / n for all on one, and does not care for scale or order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 30 }), fc.integer({ min: 1, max: 9 }), (values, factor) => {
      const own = gini(Float64Array.from(values));
      expect(own).toBeGreaterThanOrEqual(-1e-12);
      expect(own).toBeLessThan(1);
      expect(gini(Float64Array.from(values.toReversed(), (value) => value * factor))).toBeCloseTo(own, 10);
      expect(gini(new Float64Array(values.length).fill(3))).toBeCloseTo(0, 12);
      expect(gini(Float64Array.from(values, (_, index) => (index === 0 ? 5 : 0)))).toBeCloseTo((values.length - 1) / values.length, 12);
    }),
  );
});

it('the head makes the stated share of interactions, the rest is the tail', () => {
  expect([...longTail([50, 30, 10, 5, 5])]).toEqual([0, 0, 1, 1, 1]);
  expect([...longTail([1, 1, 1, 1], 0.5)]).toEqual([0, 0, 1, 1]);
  expect([...longTail([0, 0])]).toEqual([1, 1]);
});

it('beyond accuracy: golden values, worked out by hand', () => {
  const items = {
    usersOfItem: [7, 3, 1, 0],
    userCount: 7,
    tail: Uint8Array.of(0, 0, 1, 1),
    distance: (one: number, other: number) => Math.abs(one - other) / 3,
  };
  const of = (list: number[], relevant: number[], baseline: number[]) =>
    Object.fromEntries(beyondAccuracy({ list, relevant: new Set(relevant), baseline, cutoff: 3, items }).map((value, index) => [beyondNames(3)[index], value]));
  const first = of([0, 2, 3, 1], [0, 2], [0, 1, 2]);
  // -log2 of 8/8, 2/8, 1/8; 0 and 2 are relevant, but popularity has both.
  expect(first).toMatchObject({ 'novelty@3': 5 / 3, 'serendipity@3': 0, 'long-tail@3': 2 / 3 });
  expect(first['diversity@3']).toBeCloseTo((2 / 3 + 1 + 1 / 3) / 3, 12);
  expect(of([1], [1], [0, 1])).toEqual({ 'novelty@3': 1, 'serendipity@3': 0, 'long-tail@3': 0, 'diversity@3': 0 });
  expect(of([3, 0], [3, 0], [0, 1])).toMatchObject({ 'serendipity@3': 1 / 2 });
  expect(of([], [0], [0])).toEqual({ 'novelty@3': 0, 'serendipity@3': 0, 'long-tail@3': 0, 'diversity@3': 0 });
});
