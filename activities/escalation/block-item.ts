import type { Report, ReportStanding } from '../../models/contracts/escalation.ts';
import { byHand } from '../../models/contracts/guardrail.ts';
import { asUnderstudyError, problems, UnderstudyError } from '../../models/contracts/problem.ts';
import { putMarks } from '../../stores/flags.ts';
import { canTell, changeReport, type ReportContext } from './change-report.ts';
import { blockLifted, blockTried, machine, standingOf } from './report-steps.ts';

type Of = { surface: string; id: string };

/**
 * Blocks the item of a report at once. What cannot be done is not tried for ever: the report says that it is not blocked, and why, and its owner is told.
 */
export async function blockItem(context: ReportContext, of: Of): Promise<ReportStanding> {
  const next = await changeReport(context, of, async (report) => {
    if (report.block.state !== 'due') return undefined;
    return blockTried(report, { atMs: context.now(), failure: await tried(() => mark(context, report, 'add')) });
  });
  return standingOf(next, canTell(context));
}

/** What was blocked for a report that was rejected is shown again. */
export async function liftBlock(context: ReportContext, of: Of): Promise<ReportStanding> {
  const next = await changeReport(context, of, async (report) => {
    if (report.block.state !== 'blocked') return undefined;
    await mark(context, report, 'clear');
    return blockLifted(report, { atMs: context.now() });
  });
  return standingOf(next, { canTell: false });
}

/** Why it cannot be done, where that is known and stays so; anything else is tried again. */
async function tried(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    if (code === 'UND-INTERNAL' || problems[code].retryable) throw error;
    return `${code}: ${message}`;
  }
}

/** Of this case alone: what others said of the item stays when it is lifted. */
const flagOf = ({ reportKind, severity }: Report) => `reported-${reportKind}-${severity}`;

/** On every rung of every replica within a second, until it is cleared. */
async function mark({ state, now }: ReportContext, report: Report, mode: 'add' | 'clear'): Promise<void> {
  const { id, surface, about } = report;
  if (about.of !== 'item') throw new UnderstudyError('UND-INPUT', `A ${about.of} is no item`);
  await putMarks(state, {
    ...{ surface, source: byHand, by: machine, mode, operationId: `report/${id}/${mode}`, nowMs: now() },
    why: mode === 'add' ? `the report ${id}, at once as the charter says` : `the report ${id} was rejected`,
    marks: [{ itemId: about.itemId, scores: {}, flags: [flagOf(report)] }],
  });
}
