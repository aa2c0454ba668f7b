import { ActivityFailure, isCancellation, patched, workflowInfo } from '@temporalio/workflow';
import type { AuditResult, FollowUp } from '../models/contracts/audit.ts';
import { control, patient, retrainings } from './proxies.ts';
import { tellAll } from './watch.ts';

/** Tests again what a surface's charter claims and promises. Its schedule starts it. */
export async function audit(input: { surface: string; by: string }): Promise<AuditResult> {
  const { workflowId, runId } = workflowInfo();
  // Audits that began before there were any go on without.
  if (patched('retrainings')) await retrainings.keepRetrainings({ surface: input.surface }).catch(unlessCancelled);
  return patient.runAudit({ ...input, operationId: `${workflowId}/${runId}` });
}

/** Where nobody trains, an audit says that it could not measure what needs trainings. */
function unlessCancelled(error: unknown): void {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
}

/** Once a day: findings that are overdue go up the list, and whoever hears of alerts hears of a missed audit. */
export async function auditFollowUp(input: { surface: string }): Promise<FollowUp> {
  const found = await control.followUpFindings(input);
  if (found.alerts !== undefined) await tellAll(input.surface, found.alerts);
  return found;
}
