import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { forestPlot } from './forest-plot.ts';
import { pictureOfReport } from './picture-of-report.ts';
import { isWellFormed } from './testing.ts';

const report = reportSchema.parse(JSON.parse(readFileSync(new URL('../../models/contracts/fixtures/v1/report.json', import.meta.url), 'utf8')));

it('draws each estimate on its side of the line, in the colour of what is known', () => {
  const svg = forestPlot({
    title: 'a <b> & "c"',
    sides: ['worse', 'better'],
    rows: [
      { label: 'up', interval: { value: 2, low: 1, high: 3 } },
      { label: 'down', interval: { value: -2, low: -3, high: -1 } },
      { label: 'either', interval: { value: 0.1, low: -1, high: 1 }, note: '±' },
    ],
  });
  expect(isWellFormed(svg)).toBe(true);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)"[^>]*fill="(#[0-9a-f]+)"/g)].map(([, x, colour]) => [Number(x), colour] as const);
  const middle = Number(svg.match(/<line x1="([\d.]+)" x2="\1"/)?.[1]);
  expect(circles.map(([x, colour]) => [Math.sign(x - middle), colour])).toEqual([
    [1, '#1a7f37'],
    [-1, '#c62828'],
    [1, '#6b7280'],
  ]);
});

it('is well formed whatever the numbers and names are', () => {
  const interval = fc
    .tuple(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    )
    .map((three) => {
      const [low = 0, value = 0, high = 0] = three.sort((a, b) => a - b);
      return { low, value, high };
    });
  fc.assert(
    fc.property(fc.string(), fc.array(fc.record({ label: fc.string(), interval, note: fc.string() })), (title, rows) => {
      const svg = forestPlot({ title, sides: ['less', 'more'], rows });
      expect(isWellFormed(svg)).toBe(true);
      expect(svg).not.toMatch(/NaN|Infinity/);
    }),
  );
});

it('a report is drawn by its lifts, or by its metrics where there is no champion', () => {
  const svg = pictureOfReport(report);
  expect(isWellFormed(svg)).toBe(true);
  expect(svg).toContain(report.candidate);
  expect(svg.match(/<circle/g)?.length).toBeGreaterThanOrEqual(1);
  expect(pictureOfReport({ ...report, champion: null, championMetrics: null, lift: null, counterfactual: null })).toContain(', metrics (');
});
