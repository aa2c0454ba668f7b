import { escaped } from '../../experiments/pictures/svg.ts';
import type { AuditItem, AuditReport, Finding } from '../../models/contracts/audit.ts';

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #e5e7eb; }
th { font-weight: 600; color: #374151; }
.holds { color: #1a7f37; } .weakened { color: #b45309; } .broken { color: #c62828; } .not-measured { color: #6b7280; }
.status { white-space: nowrap; font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: #374151; } svg { max-width: 100%; height: auto; }
.sum { display: flex; gap: 2rem; font-size: 1.2rem; margin: 1rem 0; }
`;

const day = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);
const rows = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  `<table><thead><tr>${head.map((one) => `<th>${one}</th>`).join('')}</tr></thead><tbody>${lines.map((line) => `<tr>${line.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</tbody></table>`;
const statusCell = (status: AuditItem['status']): string => `<span class="status ${status}">${status.replace('-', ' ')}</span>`;

/** One page, with nothing loaded from elsewhere. */
export function renderAudit(report: AuditReport): string {
  const { surface, atMs, by, counts, sections, changes, findings, data, charter, generation } = report;
  const open = findings.filter(({ state }) => state !== 'closed');
  const closed = findings.filter(({ state, followUp }) => state === 'closed' && followUp.at(-1)?.atMs === atMs);
  const claims = new Map(sections.flatMap(({ items }) => items.map(({ id, claim }) => [id, claim])));
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(`Audit ${generation} of ${surface}`)}</title><style>${style}</style></head><body>
<h1>${escaped(`Audit ${generation} of ${surface}`)}</h1>
<p>${escaped(`${new Date(atMs).toISOString()}, by ${by}; charter ${charter.slice(0, 19)}; ${data === null ? 'no data' : `data generation ${data.generation}, ${data.from} to ${data.to}`}`)}</p>
<p class="sum">${(['broken', 'weakened', 'holds', 'not-measured'] as const).map((status) => `<span>${counts[status]} ${statusCell(status)}</span>`).join('')}</p>
<h2>What changed since the last audit</h2>
${
  changes.length === 0
    ? '<p>Nothing, or it is the first.</p>'
    : rows(
        ['claim', 'was', 'is'],
        changes.map(({ id, was, is }) => [
          escaped(claims.get(id) ?? id),
          was === null ? 'not claimed' : statusCell(was),
          is === null ? 'not claimed' : statusCell(is),
        ]),
      )
}
<h2>Findings</h2>
${
  open.length === 0
    ? '<p>None is open.</p>'
    : rows(
        ['finding', 'status', 'owner', 'due', 'followed up'],
        open.map((one) => findingLine(one, atMs)),
      )
}
${closed.length === 0 ? '' : `<p>Closed by this audit: ${closed.map(({ id, followUp }) => escaped(`${id} (${followUp.at(-1)?.what})`)).join(', ')}.</p>`}
${sections.map(sectionOf).join('\n')}
</body></html>
`;
}

function findingLine({ id, claim, says, status, owner, dueAtMs, state, followUp }: Finding, atMs: number): string[] {
  const due = dueAtMs <= atMs ? `<span class="broken">${day(dueAtMs)}, overdue</span>` : day(dueAtMs);
  const done = followUp.map((one) => escaped(`${day(one.atMs)} ${one.by}: ${one.what}`)).join('<br>');
  return [
    `${escaped(claim)}<br><small>${escaped(id)}: ${escaped(says)}</small>`,
    statusCell(status),
    escaped(owner) + (state === 'escalated' ? ' (escalated)' : ''),
    due,
    done || 'not yet',
  ];
}

function sectionOf({ title, items, pictures }: AuditReport['sections'][number]): string {
  const lines = items.map(({ claim, status, says }) => [escaped(claim), statusCell(status), escaped(says)]);
  const figures = pictures.map((one) => `<figure>${one.svg}<figcaption>${escaped(one.title)}</figcaption></figure>`);
  return `<h2>${escaped(title)}</h2>\n${rows(['claim', 'status', 'what was found'], lines)}\n${figures.join('\n')}`;
}
