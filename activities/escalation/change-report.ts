import { type Report, report as reportSchema } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { latestReport, reportSeries } from '../../stores/reports.ts';
import type { Context } from '../context.ts';
import { oneAtATime } from './one-at-a-time.ts';

type Of = { surface: string; id: string };
export type ReportContext = Pick<Context, 'state' | 'now' | 'log' | 'approverKeys' | 'reportWebhook'>;

export const canTell = ({ reportWebhook }: ReportContext): { canTell: boolean } => ({ canTell: reportWebhook !== undefined });

/** @throws UND-NOT-FOUND before it is opened */
export async function openedOf({ state }: ReportContext, of: Of): Promise<Report> {
  const found = await latestReport(state.generations, of);
  if (found === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${of.surface} has no report ${of.id}`);
  return found;
}

/**
 * Writes a report's next generation, and the ledger's word on it; none where nothing changes, as for whoever tries again what was done and not answered. The
 * ledger's word is made up for then.
 */
export async function changeReport(context: ReportContext, of: Of, change: (before: Report) => Promise<Report | undefined>): Promise<Report> {
  for (;;) {
    const before = await openedOf(context, of);
    const next = await change(before);
    if (next === undefined) return recorded(context, before);
    try {
      await context.state.generations.create(reportSeries(of), next.generation, reportSchema.parse(next));
    } catch (error) {
      if (error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN') continue;
      throw error;
    }
    return recorded(context, next);
  }
}

/** Says the last step in the ledger and in the log: ids, names and times, and nothing that a reporter said. */
export async function recorded(context: ReportContext, report: Report): Promise<Report> {
  const { id, surface, generation, about, reportKind, severity, owner, state, duplicateOf, block, steps, count } = report;
  const { atMs, by, what, why } = steps.at(-1) as Report['steps'][number];
  await oneAtATime(`${context.state.root}/${surface}`, () =>
    appendLedger(context.state.generations, {
      operationId: `report/${id}/${generation}`,
      atMs,
      surface,
      action: `report-${what}`,
      by,
      releaseId: null,
      detail: { message: `${id}: ${why}`, report: id, about, reportKind, severity, owner, state, block: block.state, duplicateOf, count },
    }),
  );
  context.log(`${surface} report ${id} (${severity}, ${reportKind}) ${what}, ${owner}'s: ${why}`);
  return report;
}
