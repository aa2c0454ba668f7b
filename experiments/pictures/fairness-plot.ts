import type { Report } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { colours, escaped, svgPage } from './svg.ts';

type Plot = { title: string; fairness: NonNullable<Report['fairness']> };

const [width, height] = [980, 400];
const [top, bottom] = [66, 310];
const panelWidth = 380;
const [costLeft, shareLeft] = [80, 560];
const lines = ['#1d4ed8', '#b45309', '#047857', '#be185d', '#6d28d9', '#0e7490'];

/**
 * What fairness costs and brings, as SVG: the NDCG@10 that slates lose (left) and the share of the exposure that each group has (right), by how much of the
 * charter's demand is asked, with 95 % intervals. Broken lines: what the charter asks for. The filled points are the charter's.
 */
export function fairnessPlot({ title, fairness: { points, asked, users, depth, method } }: Plot): string {
  const scales = points.map(({ scale }) => scale);
  const [from, to] = [Math.min(...scales, 0), Math.max(...scales, 1)];
  const across = (left: number) => (scale: number) => left + (panelWidth * (scale - from)) / (to - from);
  const losses = points.map(({ lift }) => lift['ndcg@10'] ?? { value: 0, low: 0, high: 0 });
  const loss = scaleOf([...losses, { value: 0, low: 0, high: 0 }]);
  const exposures = points.flatMap(({ exposure }) => Object.values(exposure));
  const share = scaleOf([...exposures, ...asked.map((one) => ({ value: one.share, low: 0, high: one.share }))]);
  const curve = (of: readonly Interval[], y: Scale, left: number, colour: string): string => {
    const x = across(left);
    const places = of.map((one, index) => ({ ...one, scale: scales[index] ?? 0 }));
    const path = places.map(({ scale, value }) => `${x(scale).toFixed(1)},${y.at(value)}`).join(' ');
    const marks = places.map(({ scale, value, low, high }) => {
      const at = x(scale).toFixed(1);
      return `<line x1="${at}" x2="${at}" y1="${y.at(low)}" y2="${y.at(high)}" stroke="${colours.open}" stroke-opacity="0.5"/><circle cx="${at}" cy="${y.at(value)}" r="4" fill="${scale === 1 ? colour : '#ffffff'}" stroke="${colour}" stroke-width="1.5"/>`;
    });
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${marks.join('')}`;
  };
  const colourOf = (index: number): string => lines[index % lines.length] as string;
  return svgPage({ title, width, height }, [
    ...frame({ left: costLeft, label: 'NDCG@10 against slates without it', y: loss, scales, x: across(costLeft) }),
    ...frame({ left: shareLeft, label: 'share of the exposure', y: share, scales, x: across(shareLeft) }),
    curve(losses, loss, costLeft, colourOf(0)),
    ...asked.flatMap(({ name, share: wanted }, index) => {
      const y = share.at(wanted);
      const colour = colourOf(index);
      const own = points.map(({ exposure }) => exposure[name] ?? { value: 0, low: 0, high: 0 });
      return [
        `<line x1="${shareLeft}" x2="${shareLeft + panelWidth}" y1="${y}" y2="${y}" stroke="${colour}" stroke-dasharray="4 4" stroke-opacity="0.6"/>`,
        curve(own, share, shareLeft, colour),
        `<text x="${shareLeft + panelWidth + 6}" y="${share.at(own.at(-1)?.value ?? 0)}" fill="${colour}" text-anchor="end" dy="-8">${escaped(name)}</text>`,
      ];
    }),
    `<text x="16" y="${height - 14}" fill="#374151">${escaped(`${method}, ${users} users, re-ranked from the best ${depth}; to the right, how much of what the charter asks is asked: the filled points are all of it`)}</text>`,
  ]);
}

type Scale = ReturnType<typeof scaleOf>;

function frame({ left, label, y, scales, x }: { left: number; label: string; y: Scale; scales: readonly number[]; x: (scale: number) => number }): string[] {
  return [
    `<text x="${left}" y="50" fill="#374151">${escaped(label)}</text>`,
    `<line x1="${left}" x2="${left + panelWidth}" y1="${bottom}" y2="${bottom}" stroke="#9ca3af"/>`,
    `<line x1="${left}" x2="${left}" y1="${top}" y2="${bottom}" stroke="#9ca3af"/>`,
    `<text x="${left - 8}" y="${top + 8}" text-anchor="end" fill="#6b7280">${Number(y.to.toPrecision(3))}</text>`,
    `<text x="${left - 8}" y="${bottom}" text-anchor="end" fill="#6b7280">${Number(y.from.toPrecision(3))}</text>`,
    ...scales.map((scale) => `<text x="${x(scale).toFixed(1)}" y="${bottom + 16}" text-anchor="middle" fill="#6b7280">${scale}</text>`),
  ];
}

/** From the least to the greatest of all intervals. */
function scaleOf(intervals: readonly Interval[]) {
  const ends = intervals.flatMap(({ low, value, high }) => [low, value, high]);
  const [from, to] = ends.length === 0 ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  return { from, to, at: (value: number) => (bottom + (top - bottom) * (to === from ? 0.5 : (value - from) / (to - from))).toFixed(1) };
}
