import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { signVote } from '../../activities/release/record-vote.ts';
import { rootCauseIdOf, rootCauseMessages, rootCauseWorkflowId, rootCauseWorkflowOf, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Vote, VoteResult } from '../../models/contracts/release.ts';
import type { CauseRequest, RootCauseStatus } from '../../models/contracts/root-cause.ts';

export type CauseOrder = Omit<CauseRequest, 'atMs' | 'exact'> & { by: string };
const lookEveryMs = 200;

/** Starts looking, or finds the look for the same alert or moment that is under way. @returns what this look is known by */
export async function startRootCause(client: Client, order: CauseOrder): Promise<string> {
  const workflowId = rootCauseWorkflowId(order.surface, order.alert ?? order.fromMs);
  const { firstExecutionRunId: runId } = await client.workflow.start(workflowNames.rootCause, {
    ...{ workflowId, taskQueue: taskQueues.control, args: [order] },
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
  return rootCauseIdOf({ workflowId, runId });
}

/** @throws UND-NOT-FOUND */
export async function rootCauseStatus(client: Client, id: string): Promise<RootCauseStatus> {
  try {
    const status = await client.workflow.getHandle(rootCauseWorkflowOf(id)).query<RootCauseStatus>(rootCauseMessages.status);
    if (status.id === id) return status;
    throw new UnderstudyError('UND-NOT-FOUND', `${id} is over: ${status.id} came after it`);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new UnderstudyError('UND-NOT-FOUND', `No look at a root cause has the id ${id}`);
    throw error;
  }
}

/** Until there is a diagnosis: what comes then takes people, or hours. @throws UND-INTERNAL where the workflow ended without one */
export async function untilDiagnosed(client: Client, id: string, note: (text: string) => void): Promise<RootCauseStatus> {
  for (;;) {
    const status = await rootCauseStatus(client, id);
    if (status.phase !== 'gathering') return status;
    note(status.why);
    if ((await client.workflow.getHandle(rootCauseWorkflowOf(id)).describe()).status.name !== 'RUNNING')
      throw new UnderstudyError('UND-INTERNAL', `${id} ended without a diagnosis`);
    await delay(lookEveryMs);
  }
}

type Ballot = { id: string; decision: 'approve' | 'reject'; by: string; why: string; evidence: string | undefined; key: string | undefined };

/** Decides on the mend that waits, as a release is decided on: bound to the digest of the diagnosis, signed where there is a key. */
export async function decideMend(client: Client, { id, decision, by, why, evidence, key }: Ballot): Promise<VoteResult & { evidence: string }> {
  const status = await rootCauseStatus(client, id);
  const seen = evidence ?? status.evidence;
  if (seen === null || status.phase !== 'approval') throw new UnderstudyError('UND-NO-REQUEST', `No mend of ${id} waits for a decision: ${status.why}`);
  const proof: Vote['proof'] =
    key === undefined ? { kind: 'unauthenticated' } : { kind: 'hmac-sha256', signature: signVote(key, { releaseId: id, decision, by, evidence: seen }) };
  const vote: Vote = { decision, by, evidence: seen, why, proof };
  const result = await client.workflow.getHandle(rootCauseWorkflowOf(id)).executeUpdate<VoteResult, [Vote]>(rootCauseMessages.decide, { args: [vote] });
  return { ...result, evidence: seen };
}
