import { type Report, report as reportSchema } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { reportSeries } from '../../stores/reports.ts';
import type { ReportContext } from './change-report.ts';
import { dueAt } from './report-steps.ts';

const answerWithinMs = 10_000;

/**
 * Tells whoever answers reports what is new to them, by the webhook of the environment: that there is one, whose it is, and until when, and nothing that a
 * reporter said. Whoever is told twice, since an answer was lost, can know it by the `Idempotency-Key`.
 * @throws UND-RECEIVER while it is not taken: the caller tries again
 */
export async function tellOwner(
  { state, reportWebhook }: ReportContext,
  { generation, ...of }: { surface: string; id: string; generation: number },
): Promise<{ told: boolean; why: string }> {
  if (reportWebhook === undefined) return { told: false, why: 'the environment names no webhook' };
  const series = reportSeries(of);
  const report = parseGeneration(reportSchema, { series, generation, document: await state.generations.read(series, generation) });
  const answer = await fetch(reportWebhook, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `${series}/${generation}` },
    body: JSON.stringify({ text: messageOf(report) }),
    redirect: 'error',
    signal: AbortSignal.timeout(answerWithinMs),
  }).catch((cause) => {
    // The address is a secret, and errors stand in histories.
    throw new UnderstudyError('UND-RECEIVER', `The webhook of reports does not answer: ${cause instanceof Error ? cause.name : 'no reason'}`);
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new UnderstudyError('UND-RECEIVER', `The webhook of reports answers ${answer.status}`);
  return { told: true, why: `answered ${answer.status}` };
}

/** Ids come from outside: none of them is a link or a mention. */
const plain = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function messageOf(report: Report): string {
  const { id, surface, about, reportKind, severity, owner, block, steps } = report;
  const what = about.of === 'item' ? `item ${about.itemId}` : about.of === 'slate' ? `slate ${about.requestId}` : 'a pattern';
  const dueMs = dueAt(report);
  const until = dueMs === null ? 'no deadline is left' : `due ${new Date(dueMs).toISOString()}`;
  const blocked = block.state === 'none' ? '' : `\nBlock: ${block.state}${block.state === 'not-blocked' ? `, ${block.why}` : ''}`;
  const { what: news, why } = steps.at(-1) as Report['steps'][number];
  return plain(`${surface}: ${severity} report of ${what}, ${reportKind}. ${owner}'s, ${until}.\n${news}: ${why}${blocked}\nunderstudy escalations show ${id}`);
}
