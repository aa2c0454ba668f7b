import type { Alert, AlertPoint } from '../../models/contracts/alert.ts';
import { signalText, signalTitle } from '../watch/describe-alert.ts';
import { colours, escaped, svgPage } from './svg.ts';

const [width, height] = [820, 376];
const captionWidth = 112;
const [left, right, top, bottom] = [90, 800, 60, 270];

/**
 * An alert's signal over the days up to it, as SVG: what was, on the band that holds 95 of 100 hours of what was expected; from when it is thought to have begun, in red.
 */
export function alertPlot({ surface, signal, part, sinceMs, says, picture }: Alert): string {
  const [first, last] = [picture[0], picture.at(-1)];
  const values = picture.flatMap(({ value, high }) => [value, high]).filter((one) => one !== null);
  if (first === undefined || last === undefined || values.length === 0) throw new RangeError('alertPlot: no point to draw');
  const span = last.atMs - first.atMs || 1;
  const low = Math.min(0, ...picture.flatMap(({ value, low: lowest }) => [value, lowest]).filter((one) => one !== null));
  const most = Math.max(...values) || 1;
  const x = (atMs: number) => (left + ((right - left) * (atMs - first.atMs)) / span).toFixed(1);
  const y = (value: number) => (bottom - ((bottom - top) * (value - low)) / (most - low || 1)).toFixed(1);
  const line = (points: readonly AlertPoint[], which: 'value' | 'expected', stroke: string) =>
    pathOf(points, which, { x, y }).map((d) => `<path d="${d}" fill="none" stroke="${stroke}" stroke-width="1.6"/>`);
  const bands = runsOf(picture, 'high').map((run) => {
    const over = run.map(({ atMs, high }) => `${x(atMs)},${y(high ?? 0)}`);
    const under = run.toReversed().map((point) => `${x(point.atMs)},${y(point.low ?? 0)}`);
    return `<polygon points="${[...over, ...under].join(' ')}" fill="${colours.open}" fill-opacity="0.22"/>`;
  });
  const label = (at: { x: number | string; y: number | string; anchor?: string }, content: string) =>
    `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor ?? 'start'}" fill="#374151">${escaped(content)}</text>`;
  return svgPage({ title: `${surface}: ${signalTitle(signal, part)}`, width, height }, [
    label({ x: left - 8, y: top + 4, anchor: 'end' }, signalText(signal, most)),
    label({ x: left - 8, y: bottom, anchor: 'end' }, signalText(signal, low)),
    `<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#9ca3af"/>`,
    ...bands,
    ...line(picture, 'expected', colours.open),
    ...line(picture, 'value', '#111827'),
    ...line(
      picture.filter(({ atMs }) => atMs >= sinceMs),
      'value',
      colours.worse,
    ),
    label({ x: left, y: bottom + 20 }, shortTime(first.atMs)),
    label({ x: right, y: bottom + 20, anchor: 'end' }, `${shortTime(last.atMs)} UTC`),
    label({ x: 16, y: bottom + 48 }, 'black: as it was; grey: as expected, and where 95 of 100 hours are; red: since it is thought to have begun'),
    ...wrapped(says).map((line, at) => label({ x: 16, y: bottom + 70 + 18 * at }, line)),
  ]);
}

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length >= captionWidth) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** Stretches in which there is a value. */
function runsOf(points: readonly AlertPoint[], which: 'value' | 'expected' | 'high'): AlertPoint[][] {
  const runs: AlertPoint[][] = [[]];
  for (const point of points) {
    if (point[which] === null) runs.push([]);
    else runs.at(-1)?.push(point);
  }
  return runs.filter((run) => run.length > 0);
}

type Scales = { x: (atMs: number) => string; y: (value: number) => string };

function pathOf(points: readonly AlertPoint[], which: 'value' | 'expected', { x, y }: Scales): string[] {
  return runsOf(points, which).map((run) => run.map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.atMs)},${y(point[which] ?? 0)}`).join(' '));
}

const shortTime = (atMs: number) => new Date(atMs).toISOString().slice(5, 16).replace('T', ' ');
