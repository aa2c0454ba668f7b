import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fairnessPlot } from './fairness-plot.ts';
import { isWellFormed } from './testing.ts';

const at = (value: number, spread = 0) => ({ value, low: value - spread, high: value + spread });

it('draws what is lost to the left and what a group has to the right, what is asked as a broken line, the charter filled', () => {
  const svg = fairnessPlot({
    title: 'home: a <b>',
    fairness: {
      ...{ users: 90, method: 'exposure' as const, depth: 50, asked: [{ name: 'small', share: 0.2 }] },
      points: [0, 0.5, 1].map((scale) => ({ scale, metrics: {}, lift: { 'ndcg@10': at(-0.1 * scale) }, exposure: { small: at(0.2 * scale) } })),
    },
  });
  expect(isWellFormed(svg)).toBe(true);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4" fill="(#[0-9a-f]+)"/g)].map(([, x, y, fill]) => [Number(x), Number(y), fill]);
  expect(circles).toEqual([
    ...[80, 270, 460].map((x, place) => [x, [66, 188, 310][place], place === 2 ? '#1d4ed8' : '#ffffff']),
    ...[560, 750, 940].map((x, place) => [x, [310, 188, 66][place], place === 2 ? '#1d4ed8' : '#ffffff']),
  ]);
  expect(svg).toMatch(/y1="66.0" y2="66.0" stroke="#1d4ed8" stroke-dasharray/);
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
      scale: fc.double({ min: 0, max: 2, noNaN: true }),
      metrics: fc.constant({}),
      lift: fc.dictionary(fc.constantFrom('ndcg@10'), interval),
      exposure: fc.dictionary(fc.constantFrom('a', 'b'), interval),
    }),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(fc.string(), points, (title, drawn) => {
      const asked = [
        { name: 'a', share: 0.1 },
        { name: 'b', share: 0.9 },
      ];
      const svg = fairnessPlot({ title, fairness: { users: 1, method: 'exposure', depth: 50, asked, points: drawn } });
      expect(isWellFormed(svg)).toBe(true);
      expect(svg).not.toMatch(/NaN|Infinity/);
    }),
  );
});
