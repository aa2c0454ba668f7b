import { expect, it } from 'vitest';
import { rangePlot, type RangeRow } from './range-plot.ts';
import { isWellFormed } from './testing.ts';

const row = (value: number): RangeRow => ({ label: `is ${value}`, value, interval: null, bounds: { min: 0.8, max: null }, status: 'holds' });
const placesOf = (svg: string) => [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));

it('shares of the same stand on one scale, and what is unlike on its own', () => {
  const alike = rangePlot({ title: 'x', rows: [row(0.2), row(0.4), row(0.6), row(1)], alike: true });
  expect(isWellFormed(alike)).toBe(true);
  const [a = 0, b = 0, c = 0, d = 0] = placesOf(alike);
  expect(b - a).toBeCloseTo(c - b, 0);
  expect(d - b).toBeCloseTo(3 * (b - a), 0);
  const [low, high] = placesOf(rangePlot({ title: 'x', rows: [row(0.2), row(0.4)] }));
  expect(low).toBe(high);
});
