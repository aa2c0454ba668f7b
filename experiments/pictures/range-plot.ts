import type { AuditItem } from '../../models/contracts/audit.ts';
import { colours, escaped, svgPage } from './svg.ts';

export type RangeRow = { label: string; value: number; interval: AuditItem['interval']; bounds: NonNullable<AuditItem['bounds']>; status: AuditItem['status'] };

const [width, rowHeight, labelWidth, noteWidth, top] = [820, 26, 360, 150, 56];
const colourOf = { holds: colours.better, weakened: '#b45309', broken: colours.worse, 'not-measured': colours.open } as const;
const longest = 56;

const figuresOf = ({ value, interval, bounds }: RangeRow): number[] =>
  [value, interval?.low, interval?.high, bounds.min, bounds.max].filter((one): one is number => typeof one === 'number');

/** Values with their intervals, one a row, each on its own scale, or `alike` on one that starts at 0; the grey band is where it holds. */
export function rangePlot({ title, rows, alike = false }: { title: string; rows: readonly RangeRow[]; alike?: boolean }): string {
  const [left, right] = [labelWidth, width - noteWidth];
  const together = alike ? [0, ...rows.flatMap(figuresOf)] : [];
  const drawn = rows.map((row, place) => {
    const { label, value, interval, bounds, status } = row;
    const figures = alike ? together : figuresOf(row);
    const [low, high] = [Math.min(...figures), Math.max(...figures)];
    const reach = high - low || Math.abs(high) || 1;
    const x = (one: number) =>
      left + ((Math.max(low - 0.25 * reach, Math.min(high + 0.25 * reach, one)) - low + 0.25 * reach) / (1.5 * reach)) * (right - left);
    const y = top + place * rowHeight + rowHeight / 2;
    const [from, to] = [x(bounds.min ?? Number.NEGATIVE_INFINITY), x(bounds.max ?? Number.POSITIVE_INFINITY)];
    const text = label.length > longest ? `${label.slice(0, longest - 1)}…` : label;
    const spread = interval ?? { low: value, high: value };
    return [
      `<text x="${left - 10}" y="${y + 4}" text-anchor="end">${escaped(text)}</text>`,
      `<rect x="${from.toFixed(1)}" y="${y - 8}" width="${Math.max(1, to - from).toFixed(1)}" height="16" fill="#e5e7eb"/>`,
      `<line x1="${x(spread.low).toFixed(1)}" x2="${x(spread.high).toFixed(1)}" y1="${y}" y2="${y}" stroke="${colourOf[status]}" stroke-width="3" stroke-linecap="round"/>`,
      `<circle cx="${x(value).toFixed(1)}" cy="${y}" r="5" fill="${colourOf[status]}"/>`,
      `<text x="${right + 10}" y="${y + 4}">${escaped(`${Number.isInteger(value) ? value : value.toPrecision(3)}, ${status}`)}</text>`,
    ].join('');
  });
  return svgPage({ title, width, height: top + rows.length * rowHeight + 16 }, drawn);
}
