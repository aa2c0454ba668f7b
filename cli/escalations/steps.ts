import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { signStep } from '../../activities/escalation/take-step.ts';
import type { ReportStep, StepResult } from '../../models/contracts/escalation.ts';
import { escalationWorkflowId, reportStepUpdate } from '../../models/contracts/messages.ts';
import { type ProblemCode, UnderstudyError } from '../../models/contracts/problem.ts';

type Cast = { surface: string; id: string; step: Omit<ReportStep, 'proof'>; key: string | undefined };

/**
 * Does something about a report, as a Temporal Update; signed where a key is given.
 * @throws the code of the refusal; UND-NO-REQUEST where it is over
 */
export async function castStep(client: Client, { surface, id, step, key }: Cast): Promise<StepResult> {
  const proof: ReportStep['proof'] =
    key === undefined ? { kind: 'unauthenticated' } : { kind: 'hmac-sha256', signature: signStep(key, { surface, id, ...step }) };
  const handle = client.workflow.getHandle(escalationWorkflowId(surface, id));
  const result = await handle.executeUpdate<StepResult, [ReportStep]>(reportStepUpdate, { args: [{ ...step, proof }] }).catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) throw new UnderstudyError('UND-NO-REQUEST', `The report ${id} is over`, { cause: error });
    throw error;
  });
  if (!result.accepted) throw new UnderstudyError((result.code ?? 'UND-INTERNAL') as ProblemCode, result.message);
  return result;
}
