import type { Interval } from '../../models/contracts/verdict.ts';
import { escaped, svgPage } from './svg.ts';

export type Series = { label: string; colour: string /** By place from left to right; null where there is none. */; values: readonly (Interval | null)[] };
export type Panel = { title: string; series: readonly Series[] };

const [panelWidth, panelHeight, perRow] = [260, 130, 3];
const [left, top, between, below] = [60, 84, 60, 62];

/** How figures go on over generations or days: a panel a figure, a line a series, with intervals as bands. */
export function seriesPlot({ title, across, panels }: { title: string; across: string; panels: readonly Panel[] }): string {
  const rows = Math.ceil(panels.length / perRow);
  const legend = [...new Map(panels.flatMap(({ series }) => series.map(({ label, colour }) => [label, colour] as const)))];
  const labels = legend.map(
    ([label, colour], place) =>
      `<rect x="${left + place * 220}" y="42" width="12" height="12" fill="${colour}"/><text x="${left + 18 + place * 220}" y="52">${escaped(label)}</text>`,
  );
  const drawn = panels.map((panel, place) => {
    const at = { x: left + (place % perRow) * (panelWidth + between), y: top + Math.floor(place / perRow) * (panelHeight + below) };
    return panelOf(panel, at, across);
  });
  const width = left + perRow * (panelWidth + between);
  return svgPage({ title, width, height: top + rows * (panelHeight + below) }, [...labels, ...drawn]);
}

function panelOf({ title, series }: Panel, { x, y }: { x: number; y: number }, across: string): string {
  const ends = series.flatMap(({ values }) => values.flatMap((one) => (one === null ? [] : [one.low, one.high])));
  const [from, to] = ends.length === 0 ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  const count = Math.max(2, ...series.map(({ values }) => values.length));
  const up = (value: number) => (y + panelHeight - (to === from ? 0.5 : (value - from) / (to - from)) * panelHeight).toFixed(1);
  const right = (place: number) => (x + (place / (count - 1)) * panelWidth).toFixed(1);
  const lines = series.map(({ colour, values }) => {
    const known = values.flatMap((one, place) => (one === null ? [] : [{ ...one, place }]));
    if (known.length === 0) return '';
    const band = [
      ...known.map(({ place, high }) => `${right(place)},${up(high)}`),
      ...known.toReversed().map(({ place, low }) => `${right(place)},${up(low)}`),
    ];
    const line = known.map(({ place, value }) => `${right(place)},${up(value)}`).join(' ');
    return `<polygon points="${band.join(' ')}" fill="${colour}" fill-opacity="0.15"/><polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  });
  return [
    `<text x="${x}" y="${y - 6}" font-weight="600">${escaped(title)}</text>`,
    `<line x1="${x}" x2="${x + panelWidth}" y1="${y + panelHeight}" y2="${y + panelHeight}" stroke="#9ca3af"/>`,
    `<line x1="${x}" x2="${x}" y1="${y}" y2="${y + panelHeight}" stroke="#9ca3af"/>`,
    `<text x="${x - 6}" y="${y + 10}" text-anchor="end" fill="#6b7280">${Number(to.toPrecision(3))}</text>`,
    `<text x="${x - 6}" y="${y + panelHeight}" text-anchor="end" fill="#6b7280">${Number(from.toPrecision(3))}</text>`,
    `<text x="${x + panelWidth / 2}" y="${y + panelHeight + 18}" text-anchor="middle" fill="#374151">${escaped(across)}</text>`,
    ...lines,
  ].join('');
}
