import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Report } from '../../models/contracts/report.ts';
import { frontierPlot } from './frontier-plot.ts';
import { isWellFormed } from './testing.ts';

const at = (value: number, spread = 0) => ({ value, low: value - spread, high: value + spread });
const point = (weight: number, ndcg: number, other: number): NonNullable<Report['frontier']>['points'][number] => ({
  weight,
  metrics: { 'ndcg@10': at(ndcg), 'novelty@10': at(other), 'serendipity@10': at(other), 'diversity@10': at(other) },
  lift: {},
});

it("draws a point each weight, what is beyond accuracy to the right, accuracy upwards, the charter's weight filled", () => {
  const svg = frontierPlot({
    title: 'home: a <b>',
    frontier: { users: 90, depth: 50, chosen: 0.3, points: [point(0, 0.2, 1), point(0.3, 0.15, 2), point(0.9, 0.1, 3)] },
  });
  expect(isWellFormed(svg)).toBe(true);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="5" fill="(#[0-9a-f]+)"/g)].map(([, x, y, fill]) => [Number(x), Number(y), fill]);
  expect(circles).toEqual(
    [70, 390, 710].flatMap((left) => [
      [left, 66, '#ffffff'],
      [left + 120, 188, '#1d4ed8'],
      [left + 240, 310, '#ffffff'],
    ]),
  );
  expect(svg).toContain('90 users, re-ranked from the best 50');
});

it('is well formed whatever the figures are', () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
  const interval = fc.tuple(finite, finite, finite).map((three) => {
    const [low = 0, value = 0, high = 0] = three.sort((a, b) => a - b);
    return { low, value, high };
  });
  const points = fc.array(
    fc.record({
      weight: fc.double({ min: 0, max: 1, noNaN: true }),
      metrics: fc.dictionary(fc.constantFrom('ndcg@10', 'novelty@10', 'diversity@10'), interval),
      lift: fc.constant({}),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(fc.string(), points, (title, drawn) => {
      const svg = frontierPlot({ title, frontier: { users: 1, depth: 50, chosen: 0, points: drawn } });
      expect(isWellFormed(svg)).toBe(true);
      expect(svg).not.toMatch(/NaN|Infinity/);
    }),
  );
});
