import { expect, it } from 'vitest';
import { signalPlot } from './signal-plot.ts';

const points = Array.from({ length: 15 }, (_, day) => ({ atMs: Date.UTC(2026, 10, 1 + day), value: day === 14 ? 0.5 : 2, now: day === 14 }));

it('draws each stretch once, the incident otherwise and lower, and where it was expected', () => {
  const svg = signalPlot({ title: 'home <b>', figure: 'reward a slate', points, expected: 2 });
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="\d" fill="(#\w+)"/g)].map(([, x, y, colour]) => ({
    x: Number(x),
    y: Number(y),
    colour,
  }));
  expect(circles).toHaveLength(15);
  expect(circles.filter(({ colour }) => colour === '#c62828')).toEqual([circles.at(-1)]);
  expect(circles.at(-1)?.y).toBeGreaterThan((circles[0]?.y ?? 0) + 100);
  expect(Math.max(...circles.map(({ x }) => x))).toBeLessThan(800);
  const [, expectedY] = /<line [^>]*y1="([\d.]+)"[^>]*stroke-dasharray/.exec(svg) ?? [];
  expect(Number(expectedY)).toBe(circles[0]?.y);
  expect(svg).toContain('home &lt;b&gt;');
});

it('needs no expectation, and stands a surface without any reward', () => {
  const svg = signalPlot({ title: 't', figure: 'f', points: points.slice(0, 1).map((one) => ({ ...one, value: 0 })), expected: null });
  expect(svg).not.toContain('dasharray');
  expect(svg).not.toContain('NaN');
});
