import { expect, it } from 'vitest';
import { seriesPlot } from './series-plot.ts';
import { isWellFormed } from './testing.ts';

const flat = (value: number) => ({ value, low: value - 0.1, high: value + 0.1 });

it('draws a line and a band a series, passes over what is not known, and names each series once', () => {
  const panels = ['one', 'two', 'three', 'four'].map((title) => ({
    title,
    series: [
      { label: 'a <b>', colour: '#111111', values: [flat(1), null, flat(3)] },
      { label: 'none', colour: '#222222', values: [null, null, null] },
    ],
  }));
  const svg = seriesPlot({ title: 'all & more', across: 'generation', panels });
  expect(isWellFormed(svg)).toBe(true);
  expect(svg.match(/<polyline/g)).toHaveLength(4);
  expect(svg.match(/<polygon/g)).toHaveLength(4);
  expect(svg.match(/a &lt;b&gt;/g)).toHaveLength(1);
  expect(isWellFormed(seriesPlot({ title: 'empty', across: 'day', panels: [{ title: 'one', series: [] }] }))).toBe(true);
});
