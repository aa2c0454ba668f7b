import { expect, it } from 'vitest';
import { framingPicture } from './framing-picture.ts';

const picture = (change: Partial<Parameters<typeof framingPicture>[0]> = {}) =>
  framingPicture({
    title: 'home & basket',
    steps: [
      { step: 'impression', pairs: 1_000, rate: null },
      { step: 'purchase', pairs: 1, rate: { value: 0.001, of: 'impression' } },
    ],
    delays: [
      { quantile: 0.5, ms: 1_000 },
      { quantile: 0.9, ms: 60_000 },
    ],
    attributionMs: 60_000,
    metrics: [
      { metric: 'purchase', days: 29 },
      { metric: 'click', days: 28 },
      { metric: 'revenue', days: null },
    ],
    conclusion: 'conversion',
    ...change,
  });

it('draws the funnel, the time that answers take, and the days that metrics need', () => {
  const svg = picture();
  expect(svg).toContain('home &amp; basket');
  // A thousandth is still seen.
  expect([...svg.matchAll(/<rect x="118"[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width))).toEqual([282, 2]);
  expect(svg).toContain('1 users x items, 0.1 % of impression');
  expect(svg).toContain('window 1 min');
  expect(svg.match(/#1a7f37/g)).toHaveLength(1);
  expect(svg).toContain('not measured');
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

it('says what is not known', () => {
  const svg = picture({ delays: [], steps: [], metrics: [] });
  expect(svg).toContain('not known: there are no impressions');
  expect(svg).not.toMatch(/NaN|Infinity|undefined|polyline/);
  expect(picture({ delays: [{ quantile: 0.5, ms: 0 }], attributionMs: 1 })).not.toMatch(/NaN|Infinity/);
});
