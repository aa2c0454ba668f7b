import { escaped } from '../../experiments/pictures/svg.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { LogSample } from '../../models/contracts/audit-measures.ts';
import { percent } from '../../experiments/percent.ts';

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #e5e7eb; }
figure { margin: 1rem 0; } figcaption { color: #374151; } svg { max-width: 100%; height: auto; }
`;

export type Page = {
  title: string;
  /** Sentences that stand above everything. */
  says: readonly string[];
  figures: readonly { svg: string; caption: string }[];
  head: readonly string[];
  rows: readonly (readonly string[])[];
};

/** One page, with nothing loaded from elsewhere. */
export function renderPage({ title, says, figures, head, rows }: Page): string {
  const line = (cells: readonly string[], cell: 'td' | 'th') => `<tr>${cells.map((one) => `<${cell}>${escaped(one)}</${cell}>`).join('')}</tr>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title><style>${style}</style></head><body>
<h1>${escaped(title)}</h1>
${says.map((one) => `<p>${escaped(one)}</p>`).join('\n')}
${figures.map(({ svg, caption }) => `<figure>${svg}<figcaption>${escaped(caption)}</figcaption></figure>`).join('\n')}
<table><thead>${line(head, 'th')}</thead><tbody>${rows.map((row) => line(row, 'td')).join('\n')}</tbody></table>
</body></html>
`;
}

/** @throws UND-NO-DATA where nothing was shown in these days */
export function refuseEmpty({ surface, sample }: { surface: string; sample: LogSample }): void {
  if (sample.slates === 0) throw new UnderstudyError('UND-NO-DATA', `The log of ${surface} has no slate from ${day(sample.fromMs)} to ${day(sample.toMs)}`);
}

const day = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

/** What was looked at, in a sentence. */
export function describeSample({ fromMs, toMs, slates, units, unitShare, damaged }: LogSample): string {
  const part = unitShare < 1 ? `, a sample of ${percent(unitShare)} of the units` : '';
  const broken = damaged > 0 ? `; ${damaged} segments of the log are damaged, and could be read in part` : '';
  return `${slates} slates of ${units} units from ${day(fromMs)} to ${day(toMs)}${part}${broken}`;
}
