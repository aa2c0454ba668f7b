import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, sleep, startChild, WorkflowIdReusePolicy, workflowInfo } from '@temporalio/workflow';
import type { AlertMoment, AlertNotice, AlertTurns, OpenedAlert, Told, WatchLook } from '../models/contracts/alert.ts';
import { rootCauseWorkflowId, tellWorkflowId, workflowNames } from '../models/contracts/messages.ts';
import { outward, patient } from './proxies.ts';

/** One look at a surface. Its schedule starts it each hour. Whoever is to be told is told by workflows of their own: one that is not there holds up no look. */
export async function watch({ surface }: { surface: string }): Promise<WatchLook> {
  const look = await patient.watchSurface({ surface, look: workflowInfo().runId });
  const [first] = look.opened;
  if (first !== undefined) await lookForCause(surface, first);
  await tellAll(surface, { ...look, opened: look.opened.map(({ alert }) => alert) });
  return look;
}

/** Every receiver of every alert that opened or closed. */
export async function tellAll(surface: string, { opened, closed, receivers }: AlertTurns): Promise<void> {
  const moments: readonly [AlertMoment, string[]][] = [
    ['opened', opened],
    ['resolved', closed],
  ];
  for (const [moment, alerts] of moments) for (const alert of alerts) for (const receiver of receivers) await tell({ surface, alert, moment, receiver });
}

/** Alerts that open together are looked into together: the first one asks, and all name the workflow. */
async function lookForCause(surface: string, { alert, signal, fromMs, toMs }: OpenedAlert): Promise<void> {
  try {
    await startChild(workflowNames.rootCause, {
      workflowId: rootCauseWorkflowId(surface, alert),
      args: [{ surface, alert, signal, promotion: null, fromMs, toMs, by: 'watch' }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function tell(notice: AlertNotice): Promise<void> {
  try {
    await startChild(tellAlert, {
      workflowId: tellWorkflowId(notice),
      args: [notice],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
    });
  } catch (error) {
    // A look before this one began it.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Tells one receiver of one moment of an alert, for as long as that takes: now, or when its silence ends. */
export async function tellAlert(notice: AlertNotice): Promise<Told> {
  for (let silenced = false; ; silenced = true) {
    const answer = await outward.tellReceiver({ ...notice, silenced });
    if (answer.againAtMs === null) return answer;
    await sleep(Math.max(1_000, answer.againAtMs - Date.now()));
  }
}
