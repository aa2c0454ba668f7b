import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CanaryPoint } from '../../models/contracts/canary-record.ts';
import { canaryPlot } from './canary-plot.ts';
import { isWellFormed } from './testing.ts';

const point = (over: Partial<CanaryPoint>): CanaryPoint => ({
  atMs: 0,
  share: 0.05,
  champion: 10,
  challenger: 1,
  lift: { value: 0, low: -1, high: 1 },
  ...over,
});

it('draws what is known in its colour, at its time, and the share in steps', () => {
  const svg = canaryPlot({
    title: 'a canary',
    outcome: 'rolled back: worse for users',
    points: [
      point({ atMs: 0 }),
      point({ atMs: 3_600_000, share: 0.1, lift: { value: -0.1, low: -0.2, high: 0.1 } }),
      point({ atMs: 7_200_000, share: 0.1, lift: { value: -0.1, low: -0.2, high: -0.05 } }),
    ],
  });
  expect(isWellFormed(svg)).toBe(true);
  const bands = [...svg.matchAll(/<polygon points="([^"]+)" fill="(#[0-9a-f]+)"/g)].map(([, corners, colour]) => [
    corners?.split(' ')[0]?.split(',')[0],
    colour,
  ]);
  // From the left edge to the middle it is open; from there on the challenger is known to be worse.
  expect(bands).toEqual([
    ['78.0', '#6b7280'],
    ['439.0', '#c62828'],
  ]);
  expect(svg).toContain('rolled back: worse for users');
  // The share of .05 holds until the second point, at half of the height of the greatest.
  expect(svg).toContain('M78.0,330.0 L439.0,330.0 L439.0,290.0');
});

it('is well formed whatever the figures are', () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
  const anyPoint = fc.record({ atMs: fc.nat(), share: fc.double({ min: 0, max: 1, noNaN: true }), lift: fc.tuple(finite, finite, finite) });
  fc.assert(
    fc.property(fc.array(anyPoint, { minLength: 1, maxLength: 8 }), fc.string(), (all, text) => {
      const points = all.map(({ lift, ...one }) => {
        const [low = 0, value = 0, high = 0] = [...lift].sort((a, b) => a - b);
        return point({ ...one, lift: { low, value, high } });
      });
      const svg = canaryPlot({ title: text, outcome: text, points: points.sort((a, b) => a.atMs - b.atMs) });
      expect(isWellFormed(svg)).toBe(true);
      expect(svg).not.toMatch(/NaN|Infinity/);
    }),
  );
});
