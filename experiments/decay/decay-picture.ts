import { colours, escaped, svgPage } from '../pictures/svg.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { percent } from '../percent.ts';
import type { DecayFacts, RefreshAdvice } from './decay-study.ts';

type Picture = Pick<DecayFacts, 'ages' | 'histories'> & { title: string; metric: string; margin: number; recommended: RefreshAdvice };
type Point = { at: number; label: string; change: Interval; isChosen: boolean };

const [width, panelsTo] = [900, 356];
const lineHeight = 17;
/** Characters that a line of the page holds. */
const lineLength = 122;
const [top, bottom] = [92, 320];
const ink = '#374151';
const line = '#1d4ed8';

/**
 * Quality by age and by months of history, as SVG: the change of the metric against a fresh model, and against the best length, with 95 % intervals; the charter's
 * margin dashed. What is recommended is filled.
 */
export function decayPicture({ title, metric, margin, ages, histories, recommended }: Picture): string {
  const fresh: Interval = { value: 0, low: 0, high: 0 };
  const byAge = ages.flatMap(({ weeks, change }): Point[] => {
    const shown = weeks === 0 ? fresh : change;
    return shown === null ? [] : [{ at: weeks, label: String(weeks), change: shown, isChosen: weeks > 0 && weeks === recommended.cadence.choice.weeks }];
  });
  const byMonths = histories.flatMap(({ months, days, change }): Point[] =>
    change === null ? [] : [{ at: months, label: String(months), change, isChosen: days === recommended.window.choice.days }],
  );
  const says = [`refresh: ${recommended.cadence.says}`, `history: ${recommended.window.says}`, recommended.mode.says].flatMap(wrapped);
  return svgPage({ title, width, height: panelsTo + says.length * lineHeight + 8 }, [
    text({ x: 16, y: 50 }, `${metric}, with 95 % intervals; dashed: the margin of the charter, ${percent(margin)}; filled: what is recommended`),
    ...panel({ left: 80, heading: 'against a fresh model, by age in weeks', points: byAge, margin }),
    ...panel({ left: 530, heading: 'against the best length, by months of history', points: byMonths, margin }),
    ...says.map((line, place) => text({ x: 16, y: panelsTo + 12 + place * lineHeight }, line)),
  ]);
}

function panel({ left, heading, points, margin }: { left: number; heading: string; points: readonly Point[]; margin: number }): string[] {
  const right = left + 330;
  const title = text({ x: left, y: 76 }, heading);
  if (points.length < 2) return [title, text({ x: left, y: 200 }, 'not measured')];
  const ends = [...points.flatMap(({ change }) => [change.low, change.high]), 0, -margin];
  const space = 0.08 * (Math.max(...ends) - Math.min(...ends)) || 0.01;
  const [low, high] = [Math.min(...ends) - space, Math.max(...ends) + space];
  const [first, last] = [points[0] as Point, points.at(-1) as Point];
  const x = (at: number) => (left + 16 + ((right - left - 32) * (at - first.at)) / (last.at - first.at)).toFixed(1);
  const y = (change: number) => (bottom - ((bottom - top) * (change - low)) / (high - low)).toFixed(1);
  const across = (change: number, dash: string) => [
    `<line x1="${left}" x2="${right}" y1="${y(change)}" y2="${y(change)}" stroke="${change === 0 ? '#9ca3af' : colours.worse}"${dash}/>`,
    text({ x: left - 8, y: Number(y(change)) + 4, anchor: 'end' }, percent(change)),
  ];
  const lowest = Math.min(...points.map(({ change }) => change.low));
  // Labels that lie on one another cannot be read.
  const isFree = [0, -margin].every((other) => Math.abs(Number(y(lowest)) - Number(y(other))) > 13);
  return [
    title,
    `<line x1="${left}" x2="${left}" y1="${top}" y2="${bottom}" stroke="#9ca3af"/>`,
    ...across(0, ''),
    ...(margin > 0 ? across(-margin, ' stroke-dasharray="4 3"') : []),
    ...(isFree ? [text({ x: left - 8, y: Number(y(lowest)) + 4, anchor: 'end' }, percent(lowest))] : []),
    `<polyline points="${points.map(({ at, change }) => `${x(at)},${y(change.value)}`).join(' ')}" fill="none" stroke="${line}" stroke-width="1.5"/>`,
    ...points.map(({ at, label, change, isChosen }) =>
      [
        `<line x1="${x(at)}" x2="${x(at)}" y1="${y(change.low)}" y2="${y(change.high)}" stroke="${colours.open}" stroke-width="2"/>`,
        `<circle cx="${x(at)}" cy="${y(change.value)}" r="5" fill="${isChosen ? line : '#ffffff'}" stroke="${line}" stroke-width="1.5"/>`,
        text({ x: Number(x(at)), y: bottom + 18, anchor: 'middle' }, label),
      ].join(''),
    ),
  ];
}

function text(at: { x: number; y: number; anchor?: 'middle' | 'end' }, content: string): string {
  return `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor ?? 'start'}" fill="${ink}">${escaped(content)}</text>`;
}

function wrapped(sentence: string): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < lineLength) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `    ${word}`);
  }
  return lines;
}
