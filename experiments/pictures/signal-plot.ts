import { colours, escaped, svgPage } from './svg.ts';

export type SignalPoint = { atMs: number; value: number; now: boolean };
/** `figure` names what is drawn, such as reward a slate; `expected` is what the incident's points should have been, where that is known. */
type Plot = { title: string; figure: string; points: readonly SignalPoint[]; expected: number | null };

const [width, height] = [820, 300];
const [left, right, top, bottom] = [78, 800, 56, 240];

/** A figure over stretches of time that can be compared, as SVG: those before grey, those of the incident red, and a line where they were expected. */
export function signalPlot({ title, figure, points, expected }: Plot): string {
  const most = Math.max(...points.map(({ value }) => value), expected ?? 0, Number.MIN_VALUE) * 1.08;
  const step = points.length > 1 ? (right - left - 24) / (points.length - 1) : 0;
  const x = (place: number) => (left + 12 + step * place).toFixed(1);
  const y = (value: number) => (bottom - ((bottom - top) * value) / most).toFixed(1);
  const text = (at: { x: number | string; y: number | string; anchor: 'start' | 'middle' | 'end' }, content: string) =>
    `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor}" fill="#374151">${escaped(content)}</text>`;
  // A day below every few of them: more would run into each other.
  const every = Math.max(1, Math.ceil(points.length / 8));
  const days = points.flatMap(({ atMs }, place) =>
    (points.length - 1 - place) % every === 0 ? [text({ x: x(place), y: bottom + 18, anchor: 'middle' }, new Date(atMs).toISOString().slice(5, 10))] : [],
  );
  const line = points.map(({ value }, place) => `${x(place)},${y(value)}`).join(' ');
  return svgPage({ title, width, height }, [
    text({ x: 16, y: 46, anchor: 'start' }, figure),
    ...(expected === null ? [] : [text({ x: right, y: 46, anchor: 'end' }, `dashed: ${expected.toPrecision(3)}, expected`)]),
    text({ x: left - 8, y: top + 4, anchor: 'end' }, most.toPrecision(2)),
    text({ x: left - 8, y: bottom, anchor: 'end' }, '0'),
    `<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#9ca3af"/>`,
    ...(expected === null ? [] : [`<line x1="${left}" x2="${right}" y1="${y(expected)}" y2="${y(expected)}" stroke="#1d4ed8" stroke-dasharray="4 3"/>`]),
    `<polyline points="${line}" fill="none" stroke="#9ca3af"/>`,
    ...points.map(({ value, now }, place) => `<circle cx="${x(place)}" cy="${y(value)}" r="${now ? 6 : 4}" fill="${now ? colours.worse : colours.open}"/>`),
    ...days,
    text({ x: 16, y: height - 14, anchor: 'start' }, 'Each point is the same hours of a day; red: the incident'),
  ]);
}
