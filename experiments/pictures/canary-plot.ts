import { percent } from '../percent.ts';
import type { CanaryPoint } from '../../models/contracts/canary-record.ts';
import { colours, escaped, svgPage } from './svg.ts';

type Plot = {
  title: string;
  /** By time, at least one. */
  points: readonly CanaryPoint[];
  /** How it ended, as a sentence. */
  outcome: string;
};

const [width, height] = [820, 430];
const [left, right] = [78, 800];
const lift = { top: 50, bottom: 250 };
const share = { top: 290, bottom: 370 };

/**
 * A canary over time, as SVG: above, the lift with the interval that held at every look at once; below, the challenger's share of new users. The
 * interval is drawn green where it lies wholly above zero, red wholly below, grey across.
 */
export function canaryPlot({ title, points, outcome }: Plot): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('canaryPlot: no point to draw');
  const x = scale({ from: first.atMs, to: last.atMs, low: left, high: right });
  const reach = Math.max(...settled(points).flatMap((one) => [Math.abs(one.lift.low), Math.abs(one.lift.high)]), Number.MIN_VALUE);
  const y = scale({ from: -reach, to: reach, low: lift.bottom, high: lift.top });
  const mostShare = Math.max(...points.map((one) => one.share), 0.01);
  const shareY = scale({ from: 0, to: mostShare, low: share.bottom, high: share.top });
  const segments = points.slice(1).map((one, index) => {
    const before = points[index] as CanaryPoint;
    const colour = one.lift.low > 0 ? colours.better : one.lift.high < 0 ? colours.worse : colours.open;
    const corners = [
      [x(before.atMs), y(before.lift.low)],
      [x(before.atMs), y(before.lift.high)],
      [x(one.atMs), y(one.lift.high)],
      [x(one.atMs), y(one.lift.low)],
    ];
    return `<polygon points="${corners.map((corner) => corner.join(',')).join(' ')}" fill="${colour}" fill-opacity="0.25"/>`;
  });
  const steps = points.flatMap((one, index) => {
    const before = points[index - 1];
    return before === undefined
      ? [`M${x(one.atMs)},${shareY(one.share)}`]
      : [`L${x(one.atMs)},${shareY(before.share)}`, `L${x(one.atMs)},${shareY(one.share)}`];
  });
  const text = (at: { x: number | string; y: number | string; anchor?: string }, content: string) =>
    `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor ?? 'start'}" fill="#374151">${escaped(content)}</text>`;
  return svgPage({ title, width, height }, [
    text({ x: 16, y: 44 }, 'lift, reward a user'),
    text({ x: left - 8, y: lift.top + 10, anchor: 'end' }, signed(reach)),
    text({ x: left - 8, y: y(0), anchor: 'end' }, '0'),
    text({ x: left - 8, y: lift.bottom, anchor: 'end' }, signed(-reach)),
    ...segments,
    `<line x1="${left}" x2="${right}" y1="${y(0)}" y2="${y(0)}" stroke="#9ca3af" stroke-dasharray="4 3"/>`,
    `<polyline points="${points.map((one) => `${x(one.atMs)},${y(one.lift.value)}`).join(' ')}" fill="none" stroke="#111827" stroke-width="1.5"/>`,
    text({ x: 16, y: share.top - 12 }, "challenger's share of new users"),
    text({ x: left - 8, y: share.top + 10, anchor: 'end' }, percent(mostShare, 0)),
    text({ x: left - 8, y: share.bottom, anchor: 'end' }, '0'),
    `<path d="${steps.join(' ')}" fill="none" stroke="#1d4ed8" stroke-width="2"/>`,
    `<line x1="${left}" x2="${right}" y1="${share.bottom}" y2="${share.bottom}" stroke="#9ca3af"/>`,
    text({ x: left, y: share.bottom + 18 }, '0'),
    text(
      { x: right, y: share.bottom + 18, anchor: 'end' },
      `${duration(last.atMs - first.atMs)}, ${last.challenger} and ${last.champion} users with an outcome`,
    ),
    text({ x: 16, y: height - 14 }, outcome),
  ]);
}

/** What lies beyond is cut: before the first users the interval is all there is, and would make the rest a line. */
function settled(points: readonly CanaryPoint[]): readonly CanaryPoint[] {
  const half = points.slice(points.length >> 1);
  return half.length === 0 ? points : half;
}

function scale({ from, to, low, high }: { from: number; to: number; low: number; high: number }): (value: number) => string {
  const span = to - from || 1;
  return (value) => (low + (high - low) * Math.max(0, Math.min(1, (value - from) / span))).toFixed(1);
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(2)}`;
}

function duration(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${(ms / 3_600_000).toFixed(0)} h` : `${(ms / 86_400_000).toFixed(1)} days`;
}
