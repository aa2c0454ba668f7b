import { dueAt } from '../../activities/escalation/report-steps.ts';
import { type Report, type ReportText, reportText } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { table, timeLeft } from '../output.ts';

/** By the report that they are attached to, how many say the same of the same. */
export function countsOf(reports: readonly Report[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id, duplicateOf } of reports) counts.set(duplicateOf ?? id, (counts.get(duplicateOf ?? id) ?? 0) + 1);
  return counts;
}

/** What its reporter said; where people were erased with it, that it was. */
export async function readText(blobs: BlobStore, { text }: Report): Promise<ReportText | { erased: string }> {
  return getDocument(blobs, text, reportText).catch((error: unknown) => {
    if (error instanceof UnderstudyError && error.code === 'UND-ERASED') return { erased: error.message };
    throw error;
  });
}

const aboutText = ({ about }: Pick<Report, 'about'>) =>
  about.of === 'item' ? `item ${about.itemId}` : about.of === 'slate' ? `slate ${about.requestId}` : 'pattern';

function dueText(report: Report, nowMs: number): string {
  const dueMs = dueAt(report);
  if (dueMs !== null) return dueMs > nowMs ? timeLeft(dueMs - nowMs) : 'now';
  return report.state === 'open' || report.state === 'acknowledged' ? 'OVERDUE' : '-';
}

export function describeList(reports: readonly (Report & { reports: number })[], { waiting, nowMs }: { waiting: number; nowMs: number }): string {
  const wait = waiting === 0 ? '' : `\n${waiting} more ${waiting === 1 ? 'is' : 'are'} filed and ${waiting === 1 ? 'waits' : 'wait'} for a worker.`;
  if (reports.length === 0) return `No report waits for an answer.${wait}`;
  const rows = reports.map((one) => [
    one.id,
    one.surface,
    aboutText(one),
    one.reportKind,
    one.severity,
    String(one.reports),
    one.owner,
    dueText(one, nowMs),
    one.block.state === 'none' ? one.state : `${one.state}, ${one.block.state}`,
  ]);
  return table(['report', 'surface', 'about', 'kind', 'severity', 'reports', 'owner', 'due in', 'state'], rows) + wait;
}

const minute = (atMs: number) => new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');

export function describeReport(report: Report, { said, nowMs }: { said: ReportText | { erased: string }; nowMs: number }): string {
  const { id, surface, reportKind, severity, owner, state, duplicateOf, block, missed, outcome, steps } = report;
  const spoken = 'erased' in said ? [`  ${said.erased}`] : [said.pattern, said.words].filter((one) => one !== null && one !== '').map((one) => `  "${one}"`);
  const whom = 'erased' in said ? [] : [said.userId, said.contact].filter((one) => one !== undefined);
  return [
    `${id} on ${surface}: ${aboutText(report)}, ${reportKind}, ${severity}`,
    ...spoken,
    ...(whom.length === 0 ? [] : [`  said by ${whom.join(', ')}`]),
    `${state}${duplicateOf === null ? '' : ` of ${duplicateOf}`}, ${owner}'s, due in ${dueText(report, nowMs)}, ${missed} deadlines missed`,
    ...(block.state === 'none' ? [] : [`${block.state}${block.state === 'not-blocked' ? `: ${block.why}` : ''}`]),
    ...(outcome === null ? [] : [`the reporter is told: ${outcome}`]),
    '',
    table(
      ['when (UTC)', 'by', 'what', 'why'],
      steps.map(({ atMs, by, what, why }) => [minute(atMs), by, what, why]),
    ),
  ].join('\n');
}
