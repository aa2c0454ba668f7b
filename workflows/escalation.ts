import { allHandlersFinished, CancellationScope, condition, defineQuery, defineUpdate, setHandler, workflowInfo } from '@temporalio/workflow';
import type { ReportStanding, ReportStep, StepResult } from '../models/contracts/escalation.ts';
import { reportStepUpdate, statusQuery } from '../models/contracts/messages.ts';
import { atOnce, control, outward } from './proxies.ts';

/**
 * One report, from when it is taken up until somebody has answered it. Its history says which report it is and how it went, and nothing of what it says: a handful of
 * events for each deadline and each step, however long it stays open.
 */
export async function escalation(of: { surface: string; id: string }): Promise<ReportStanding> {
  let standing: ReportStanding | undefined;
  let steps = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const telling = new CancellationScope();

  /** One thing at a time happens to a report. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const own = turn.then(work);
    turn = own.catch(() => undefined);
    return own;
  }

  /** Whoever is to be told may not be there for hours: nothing waits for that. */
  function stands(now: ReportStanding): ReportStanding {
    standing = now;
    if (now.tell) void telling.run(() => outward.tellOwner({ ...of, generation: now.generation })).catch(() => undefined);
    return now;
  }

  const opening = inTurn(async () => {
    const now = stands(await atOnce.openReport(of).catch(() => control.openReport(of)));
    return now.block ? stands(await control.blockItem(of)) : now;
  });
  setHandler(defineQuery<ReportStanding | undefined>(statusQuery), () => standing);
  setHandler(defineUpdate<StepResult, [ReportStep]>(reportStepUpdate), (step) =>
    inTurn(async () => {
      steps += 1;
      const result = await control.takeReportStep({ ...of, step, operation: `${workflowInfo().runId}/${steps}` });
      if (result.accepted) stands(result.standing);
      return result;
    }),
  );

  let now = await opening;
  while (now.state === 'open' || now.state === 'acknowledged') {
    const { generation, dueAtMs } = now;
    const changed = () => standing?.generation !== generation;
    const isChanged = dueAtMs === null ? await condition(changed).then(() => true) : await condition(changed, Math.max(1, dueAtMs - Date.now()));
    // Somebody may be doing something about it in this moment: then that was in time.
    if (!isChanged) await inTurn(async () => changed() || stands(await control.missDeadline({ ...of, generation })));
    now = standing as ReportStanding;
  }
  if (now.lift) now = await inTurn(async () => stands(await control.liftBlock(of)));
  telling.cancel();
  await condition(allHandlersFinished);
  return now;
}
