import fc from 'fast-check';
import { expect, it } from 'vitest';
import { beyondAccuracy, ExposureTally, gini, longTail, sliceMetrics } from './catalog.ts';

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
  const found = beyondAccuracy({
    ranked: [[0, 2, 3], [1], []],
    relevant: [new Set([0, 2]), new Set([1]), new Set([0])],
    cutoff: 3,
    usersOfItem: [7, 3, 1, 0],
    userCount: 7,
    tail: Uint8Array.of(0, 0, 1, 1),
    baseline: [[0, 1, 2], [0, 1], [0]],
    distance: (one, other) => Math.abs(one - other) / 3,
  });
  // -log2 of 8/8, 2/8, 1/8; of 4/8.
  expect([...(found['novelty@3'] ?? [])]).toEqual([(0 + 2 + 3) / 3, 1, 0]);
  // 0 and 2 are relevant, but popularity has both.
  expect([...(found['serendipity@3'] ?? [])]).toEqual([0, 0, 0]);
  expect([...(found['long-tail@3'] ?? [])]).toEqual([2 / 3, 0, 0]);
  expect(found['diversity@3']?.[0]).toBeCloseTo((2 / 3 + 1 + 1 / 3) / 3, 12);
  expect(found['diversity@3']?.[1]).toBe(0);
});

it('serendipity counts what is relevant and what popularity would not have shown', () => {
  const found = beyondAccuracy({
    ranked: [[3, 0]],
    relevant: [new Set([3, 0])],
    cutoff: 2,
    usersOfItem: [1, 1, 1, 1],
    userCount: 2,
    tail: new Uint8Array(4),
    baseline: [[0, 1]],
    distance: () => 1,
  });
  expect(found['serendipity@2']?.[0]).toBe(1 / 2);
});

it('a slice has the values of its own users', () => {
  const metrics = { 'ndcg@10': Float64Array.of(0.1, 0.2, 0.3) };
  expect(sliceMetrics(metrics, { cold: [2], both: Int32Array.of(0, 2) })).toEqual({
    cold: { 'ndcg@10': Float64Array.of(0.3) },
    both: { 'ndcg@10': Float64Array.of(0.1, 0.3) },
  });
});
