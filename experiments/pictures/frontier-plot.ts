import type { Report } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { colours, escaped, svgPage } from './svg.ts';

type Frontier = NonNullable<Report['frontier']>;
type Plot = { title: string; frontier: Frontier };

const [width, height] = [980, 390];
const [top, bottom] = [66, 310];
const panels = [
  { metric: 'novelty@10', label: 'novelty, bits', left: 70 },
  { metric: 'serendipity@10', label: 'serendipity', left: 390 },
  { metric: 'diversity@10', label: 'intra-list diversity', left: 710 },
] as const;
const panelWidth = 240;
const accuracy = 'ndcg@10';

/**
 * What diversity costs, as SVG: NDCG@10 (upwards) against novelty, serendipity and intra-list diversity (to the right), a point each weight of the re-ranker,
 * with 95 % intervals as crosses. The charter's weight is filled.
 */
export function frontierPlot({ title, frontier }: Plot): string {
  const { points, chosen, users, depth } = frontier;
  const y = scaleOf(
    points.map(({ metrics }) => metrics[accuracy]),
    bottom,
    top,
  );
  const drawn = panels.flatMap(({ metric, label, left }) => {
    const x = scaleOf(
      points.map(({ metrics }) => metrics[metric]),
      left,
      left + panelWidth,
    );
    const places = points.flatMap(({ weight, metrics }) => {
      const [across, up] = [metrics[metric], metrics[accuracy]];
      return across === undefined || up === undefined ? [] : [{ weight, across, up }];
    });
    return [
      `<line x1="${left}" x2="${left + panelWidth}" y1="${bottom}" y2="${bottom}" stroke="#9ca3af"/>`,
      `<line x1="${left}" x2="${left}" y1="${top}" y2="${bottom}" stroke="#9ca3af"/>`,
      tick({ x: left, y: bottom + 16 }, x.from, 'start'),
      tick({ x: left + panelWidth, y: bottom + 16 }, x.to, 'end'),
      `<text x="${left + panelWidth / 2}" y="${bottom + 34}" text-anchor="middle" fill="#374151">${escaped(label)}</text>`,
      `<polyline points="${places.map(({ across, up }) => `${x.at(across.value)},${y.at(up.value)}`).join(' ')}" fill="none" stroke="#1d4ed8" stroke-width="1.5"/>`,
      ...places.map(({ weight, across, up }) => {
        const isChosen = weight === chosen;
        const [cx, cy] = [x.at(across.value), y.at(up.value)];
        return [
          `<line x1="${x.at(across.low)}" x2="${x.at(across.high)}" y1="${cy}" y2="${cy}" stroke="${colours.open}" stroke-opacity="0.5"/>`,
          `<line x1="${cx}" x2="${cx}" y1="${y.at(up.low)}" y2="${y.at(up.high)}" stroke="${colours.open}" stroke-opacity="0.5"/>`,
          `<circle cx="${cx}" cy="${cy}" r="5" fill="${isChosen ? '#1d4ed8' : '#ffffff'}" stroke="#1d4ed8" stroke-width="1.5"/>`,
          `<text x="${Number(cx) + 8}" y="${Number(cy) - 7}" fill="#374151">${weight}</text>`,
        ].join('');
      }),
    ];
  });
  return svgPage({ title, width, height }, [
    `<text x="16" y="50" fill="#374151">NDCG@10 against what is beyond accuracy, by the weight of the re-ranker</text>`,
    tick({ x: 62, y: top + 8 }, y.to, 'end'),
    tick({ x: 62, y: bottom }, y.from, 'end'),
    ...drawn,
    `<text x="16" y="${height - 14}" fill="#374151">${escaped(`${users} users, re-ranked from the best ${depth}; the filled point is the charter's weight, ${chosen}`)}</text>`,
  ]);
}

/** From the least to the greatest of all intervals. */
function scaleOf(intervals: readonly (Interval | undefined)[], low: number, high: number) {
  const ends = intervals.flatMap((one) => (one === undefined ? [] : [one.low, one.value, one.high]));
  const [from, to] = ends.length === 0 ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  return { from, to, at: (value: number) => (low + (high - low) * (to === from ? 0.5 : (value - from) / (to - from))).toFixed(1) };
}

function tick({ x, y }: { x: number; y: number }, value: number, anchor: 'start' | 'end'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#6b7280">${Number(value.toPrecision(3))}</text>`;
}
