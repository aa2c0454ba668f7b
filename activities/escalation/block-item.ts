import type { Report, ReportStanding } from '../../models/contracts/escalation.ts';
import { asUnderstudyError, problems, UnderstudyError } from '../../models/contracts/problem.ts';
import { canTell, changeReport, type ReportContext } from './change-report.ts';
import { blockLifted, blockTried, standingOf } from './report-steps.ts';

type Of = { surface: string; id: string };

/**
 * Blocks the item of a report at once. What cannot be done is not tried for ever: the report says that it is not blocked, and why, and its owner is told.
 */
export async function blockItem(context: ReportContext, of: Of): Promise<ReportStanding> {
  const next = await changeReport(context, of, async (report) => {
    if (report.block.state !== 'due') return undefined;
    return blockTried(report, { atMs: context.now(), failure: await tried(() => flag(context, report)) });
  });
  return standingOf(next, canTell(context));
}

/** What was blocked for a report that was rejected is shown again. */
export async function liftBlock(context: ReportContext, of: Of): Promise<ReportStanding> {
  const next = await changeReport(context, of, async (report) => {
    if (report.block.state !== 'blocked') return undefined;
    await unflag(context, report);
    return blockLifted(report, { atMs: context.now() });
  });
  return standingOf(next, { canTell: false });
}

/** Undefined what comes again however often it is tried; anything else is tried again. */
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

/** Nothing says of a single item yet that it is not to be shown. */
async function flag(_context: ReportContext, { about }: Report): Promise<void> {
  throw new UnderstudyError('UND-NOT-FOUND', `There are no flags by which ${about.of === 'item' ? about.itemId : about.of} could be blocked`);
}

async function unflag(_context: ReportContext, _report: Report): Promise<void> {}
