import { colours, escaped, svgPage } from '../pictures/svg.ts';
import { percent } from '../percent.ts';
import { maxDaysForChange, sensitivity } from './thresholds.ts';

type Picture = {
  title: string;
  /** Steps with events, in order; `rate`: of those that took another step, named `of`. */
  steps: readonly { step: string; pairs: number; rate: { value: number; of: string } | null }[];
  /** Quantiles of the time from impression to answer, rising; empty where it is not known. */
  delays: readonly { quantile: number; ms: number }[];
  attributionMs: number;
  metrics: readonly { metric: string; days: number | null }[];
  conclusion: string;
};

const [width, height] = [860, 480];
const ink = '#374151';
const bar = '#1d4ed8';

/** What was framed, as SVG: the funnel, the time that answers take with the attribution window, and the days that metrics need. */
export function framingPicture({ title, conclusion, ...facts }: Picture): string {
  return svgPage({ title, width, height }, [
    ...funnel(facts),
    ...delayCurve(facts),
    ...metricBars(facts),
    text({ x: 16, y: height - 14 }, clipped(conclusion, 120)),
  ]);
}

function funnel({ steps }: Pick<Picture, 'steps'>): string[] {
  const [left, right, top, pitch] = [118, 400, 72, 70];
  const most = Math.max(1, ...steps.map(({ pairs }) => pairs));
  const bars = steps.flatMap(({ step, pairs, rate }, index) => {
    const y = top + index * pitch;
    // A step that is there is seen, however small.
    const long = Math.max(2, ((right - left) * pairs) / most);
    return [
      text({ x: left - 8, y: y + 20, anchor: 'end' }, step),
      `<rect x="${left}" y="${y}" width="${long.toFixed(1)}" height="30" fill="${bar}" fill-opacity="0.75"/>`,
      text({ x: left, y: y + 46 }, `${pairs} users x items${rate === null ? '' : `, ${percent(rate.value)} of ${rate.of}`}`),
    ];
  });
  return [text({ x: 16, y: 54 }, 'funnel'), ...bars];
}

function delayCurve({ delays, attributionMs }: Pick<Picture, 'delays' | 'attributionMs'>): string[] {
  const [left, right, top, bottom] = [500, 830, 72, 210];
  const heading = text({ x: 440, y: 54 }, 'answers that have come by this time after the impression');
  const [first, last] = [delays[0], delays.at(-1)];
  if (first === undefined || last === undefined) return [heading, text({ x: 440, y: 120 }, 'not known: there are no impressions, or no answers to them')];
  const log = (ms: number) => Math.log10(Math.max(1, ms));
  const [from, to] = [log(Math.min(first.ms, attributionMs)), Math.max(log(Math.max(last.ms, attributionMs)), log(first.ms) + 1)];
  const x = (ms: number) => (left + ((log(ms) - from) / (to - from)) * (right - left)).toFixed(1);
  const y = (share: number) => (bottom - share * (bottom - top)).toFixed(1);
  const points = delays.map(({ quantile, ms }) => `${x(ms)},${y(quantile)}`);
  const late = Number(x(attributionMs)) > (left + right) / 2;
  return [
    heading,
    ...[0, 0.5, 0.9, 1].flatMap((share) => [
      `<line x1="${left}" x2="${right}" y1="${y(share)}" y2="${y(share)}" stroke="#e5e7eb"/>`,
      text({ x: left - 8, y: Number(y(share)) + 4, anchor: 'end' }, percent(share, 0)),
    ]),
    `<polyline points="${points.join(' ')}" fill="none" stroke="${bar}" stroke-width="2"/>`,
    ...delays.map(({ quantile, ms }) => `<circle cx="${x(ms)}" cy="${y(quantile)}" r="3" fill="${bar}"/>`),
    `<line x1="${x(attributionMs)}" x2="${x(attributionMs)}" y1="${top}" y2="${bottom}" stroke="${colours.worse}" stroke-dasharray="4 3"/>`,
    text({ x: Number(x(attributionMs)) + (late ? -6 : 6), y: bottom - 8, anchor: late ? 'end' : 'start' }, `window ${short(attributionMs)}`),
    text({ x: left, y: bottom + 18 }, short(10 ** from)),
    text({ x: right, y: bottom + 18, anchor: 'end' }, short(10 ** to)),
  ];
}

function metricBars({ metrics }: Pick<Picture, 'metrics'>): string[] {
  const [left, right, top, pitch] = [540, 790, 282, 27];
  const x = (days: number) => left + (right - left) * Math.min(1, Math.log1p(days) / Math.log1p(200 * maxDaysForChange));
  const limit = x(maxDaysForChange).toFixed(1);
  const bars = metrics.flatMap(({ metric, days }, index) => {
    const y = top + index * pitch;
    const label = text({ x: left - 8, y: y + 14, anchor: 'end' }, metric);
    if (days === null) return [label, text({ x: left + 4, y: y + 14 }, 'not measured')];
    const end = Math.max(x(days), left + 2);
    const colour = days <= maxDaysForChange ? colours.better : colours.worse;
    return [
      label,
      `<rect x="${left}" y="${y}" width="${(end - left).toFixed(1)}" height="18" fill="${colour}" fill-opacity="0.75"/>`,
      text({ x: Number(end.toFixed(1)) + 6, y: y + 14 }, days < 10 ? days.toFixed(1) : days.toFixed(0)),
    ];
  });
  const bottom = top + metrics.length * pitch;
  return [
    text({ x: 440, y: 264 }, `days until a change of ${percent(sensitivity.change, 0)} is seen (log scale)`),
    ...bars,
    `<line x1="${limit}" x2="${limit}" y1="${top - 6}" y2="${bottom}" stroke="${ink}" stroke-dasharray="4 3"/>`,
    text({ x: Number(limit), y: bottom + 14, anchor: 'middle' }, `${maxDaysForChange} days`),
  ];
}

function text(at: { x: number; y: number; anchor?: 'start' | 'middle' | 'end' }, content: string): string {
  return `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor ?? 'start'}" fill="${ink}">${escaped(content)}</text>`;
}

const clipped = (content: string, most: number): string => (content.length <= most ? content : `${content.slice(0, most - 1)}…`);

function short(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 86_400_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}
