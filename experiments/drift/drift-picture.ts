import type { DriftReport } from '../../models/contracts/drift.ts';
import { signedPercent } from '../percent.ts';
import { colours, escaped, svgPage } from '../pictures/svg.ts';

type Picture = Pick<DriftReport, 'surface' | 'answers' | 'items' | 'segments' | 'alpha'>;

const [width, rowHeight, left, right] = [820, 24, 220, 620];
/** P-values below count as this. */
const least = 1e-4;
const listed = 10;

/** What was asked, by its adjusted p-value on a logarithmic scale, left of the dashed line what is no more than chance; below, the items and segments that moved most, with what became of their reward. */
export function driftPicture({ surface, answers, items, segments, alpha }: Picture): string {
  const lines: string[] = [];
  let y = 52;
  const heading = (text: string) => {
    lines.push(`<text x="16" y="${y}" font-weight="600">${escaped(text)}</text>`);
    y += rowHeight;
  };
  const row = ({ label, part, colour, note }: { label: string; part: number; colour: string; note: string }) => {
    lines.push(
      `<text x="${left - 10}" y="${y}" text-anchor="end">${escaped(label.length > 30 ? `${label.slice(0, 29)}…` : label)}</text>`,
      `<rect x="${left}" y="${y - 12}" width="${Math.max(1, part * (right - left)).toFixed(1)}" height="14" fill="${colour}"/>`,
      `<text x="${right + 12}" y="${y}">${escaped(note)}</text>`,
    );
    y += rowHeight;
  };
  const strength = (p: number) => Math.log(Math.max(least, p)) / Math.log(least);
  heading('what was asked: the longer, the less it is chance');
  const top = y - 14;
  for (const { what, adjusted, moved } of answers)
    row({
      label: what,
      part: strength(adjusted),
      colour: moved ? colours.worse : colours.open,
      note: `p ${adjusted.toPrecision(2)}, ${moved ? 'moved' : 'as before'}`,
    });
  const limit = (left + strength(alpha) * (right - left)).toFixed(1);
  if (answers.length > 0) lines.push(`<line x1="${limit}" x2="${limit}" y1="${top}" y2="${y - rowHeight + 6}" stroke="#111827" stroke-dasharray="4 3"/>`);
  for (const [title, all] of [
    ['items that moved most, by their share of all that moved', items.map(({ itemId, ...one }) => ({ label: itemId, ...one }))],
    ['segments', segments.map(({ segment, ...one }) => ({ label: segment, ...one }))],
  ] as const) {
    if (all.length === 0) continue;
    y += 10;
    heading(title);
    const most = Math.max(...all.map(({ share }) => share)) || 1;
    for (const { label, share, reward } of all.slice(0, listed))
      row({ label, part: share / most, colour: '#1d4ed8', note: reward === null ? 'no reward before' : `reward ${signedPercent(reward.value)}` });
  }
  return svgPage({ title: `Drift of ${surface}`, width, height: y }, lines);
}
