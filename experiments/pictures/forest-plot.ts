import type { Interval } from '../../models/contracts/verdict.ts';
import { colours, escaped, svgPage } from './svg.ts';

export type ForestRow = { label: string; interval: Interval /** Shown at the right. */; note?: string };
type Plot = { title: string /** What lies left and right of zero. */; sides: [below: string, above: string]; rows: readonly ForestRow[] };

const width = 820;
const rowHeight = 26;
const labelWidth = 200;
const noteWidth = 240;
const top = 56;

/**
 * Estimates with their intervals, one a row, each on its own scale around the line at zero, as SVG. What lies wholly right of the line is drawn green,
 * wholly left red, and across it grey: there the sign is not known.
 */
export function forestPlot({ title, sides, rows }: Plot): string {
  const height = top + rows.length * rowHeight + 34;
  const left = labelWidth;
  const right = width - noteWidth;
  const middle = (left + right) / 2;
  const drawn = rows.map(({ label, interval, note = '' }, place) => {
    const { value, low, high } = interval;
    const reach = Math.max(Math.abs(low), Math.abs(high), Math.abs(value)) || 1;
    const x = (one: number) => (middle + ((right - left) / 2 - 8) * Math.max(-1, Math.min(1, one / reach))).toFixed(1);
    const y = top + place * rowHeight + rowHeight / 2;
    const colour = low > 0 ? colours.better : high < 0 ? colours.worse : colours.open;
    return [
      `<text x="${left - 10}" y="${y + 4}" text-anchor="end">${escaped(label)}</text>`,
      `<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3" stroke-linecap="round"/>`,
      `<circle cx="${x(value)}" cy="${y}" r="5" fill="${colour}"/>`,
      `<text x="${right + 10}" y="${y + 4}">${escaped(note)}</text>`,
    ].join('');
  });
  const bottom = top + rows.length * rowHeight;
  return svgPage({ title, width, height }, [
    `<line x1="${middle}" x2="${middle}" y1="${top - 6}" y2="${bottom + 4}" stroke="#9ca3af" stroke-dasharray="4 3"/>`,
    ...drawn,
    `<text x="${middle - 8}" y="${bottom + 22}" text-anchor="end" fill="#6b7280">${escaped(sides[0])}</text>`,
    `<text x="${middle + 8}" y="${bottom + 22}" fill="#6b7280">${escaped(sides[1])}</text>`,
  ]);
}
