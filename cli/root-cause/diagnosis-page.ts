import { type SignalPoint, signalPlot } from '../../experiments/pictures/signal-plot.ts';
import { escaped } from '../../experiments/pictures/svg.ts';
import type { Diagnosis, RootCauseFacts, Suspect } from '../../models/contracts/root-cause.ts';

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#111827}
table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}td,th{text-align:left;vertical-align:top;padding:.35em .6em;border-bottom:1px solid #e5e7eb}
ul{margin:0;padding-left:1.1em}.for{color:#111827}.against{color:#6b7280}.mend{background:#f3f4f6;padding:.8em 1em;border-left:4px solid #1d4ed8}svg{max-width:100%}`;

/** One page that says what was found, with the signal over time. `decide` says how the mend is decided on, where it waits. */
export function diagnosisPage({ facts, diagnosis, decide }: { facts: RootCauseFacts; diagnosis: Diagnosis; decide: string | null }): string {
  const { surface, layer, suspects, ruledOut, notLookedAt, mend, note } = diagnosis;
  const [first, last] = [facts.units.find((unit) => unit.now), facts.units.at(-1)];
  const time = (ms: number | undefined) => (ms === undefined ? '' : new Date(ms).toISOString().slice(0, 16).replace('T', ' '));
  const rows = (all: readonly { cause: string; why: string }[]) =>
    all.map(({ cause, why }) => `<tr><td>${escaped(cause)}</td><td>${escaped(why)}</td></tr>`).join('\n');
  const part = (title: string, body: string) => (body === '' ? '' : `<h2>${title}</h2>\n<table>${body}</table>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Root cause: ${escaped(surface)}</title><style>${style}</style></head><body>
<h1>${escaped(surface)}: ${layer === null ? 'nothing is wrong that could be seen' : escaped(layer === 'outside' ? 'it is no fault' : `the ${layer} layer`)}</h1>
<p>${time(first?.fromMs)} to ${time(last?.toMs)} UTC, looked at ${time(facts.atMs)}${facts.alert === null ? '' : `, for the alert ${escaped(facts.alert)}`}. ${escaped(note)}</p>
${signalPlot({ title: `${surface}, reward a slate`, figure: 'reward a slate', points: rewardOver(facts), expected: diagnosis.change?.expected ?? null })}
${part('Suspects', suspects.length === 0 ? '' : `<tr><th>suspect</th><th>where</th><th>score</th><th>what speaks for and against it</th></tr>${suspects.map(suspectRow).join('\n')}`)}
<p class="mend"><strong>${mend === null ? 'No mend.' : `Proposed: ${escaped(mend.action)}${mend.target === null ? '' : ` of ${escaped(mend.target)}`}.`}</strong> ${escaped(mend?.why ?? 'Nothing of ours would help.')}${decide === null ? '' : `<br><code>${escaped(decide)}</code>`}</p>
${part('Ruled out', rows(ruledOut))}
${part('Not looked at', rows(notLookedAt))}
${part('Not measured', facts.missing.map((one) => `<tr><td>${escaped(one)}</td></tr>`).join('\n'))}
</body></html>
`;
}

function suspectRow({ cause, layer, where, score, evidence }: Suspect): string {
  const place = Object.entries(where).map(([name, value]) => `${escaped(name)} ${escaped(value)}`);
  const signs = evidence.map(({ speaks, says }) => `<li class="${speaks}">${speaks === 'for' ? '' : 'against: '}${escaped(says)}</li>`);
  return `<tr><td>${escaped(cause)}<br><small>${layer}</small></td><td>${place.join('<br>') || 'everywhere'}</td><td>${score.toFixed(2)}</td><td><ul>${signs.join('')}</ul></td></tr>`;
}

/** Units without a slate have no reward a slate. */
export function rewardOver({ units, traffic }: Pick<RootCauseFacts, 'units' | 'traffic'>): SignalPoint[] {
  const sums = units.map(() => ({ slates: 0, reward: 0 }));
  for (const row of traffic) {
    const sum = sums[row.unit];
    if (sum === undefined) continue;
    sum.slates += row.slates;
    sum.reward += row.reward;
  }
  return units.flatMap(({ fromMs, now }, unit) => {
    const { slates, reward } = sums[unit] as { slates: number; reward: number };
    return slates === 0 ? [] : [{ atMs: fromMs, value: reward / slates, now }];
  });
}
