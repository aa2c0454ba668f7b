import type { Client } from '@temporalio/client';
import { statusQuery, workflowNames } from '../models/contracts/messages.ts';

/** What a retraining that goes on is at. */
export type Training = { candidate: string; phase: string; why: string };

export async function trainingOf(client: Client, workflowId: string): Promise<Training> {
  const { candidate, phase, why } = await client.workflow.getHandle(workflowId).query<Training>(statusQuery);
  return { candidate, phase, why };
}

/** Of a surface, by candidate. */
export async function trainingsOf(client: Client, surface: string): Promise<Training[]> {
  const found: Training[] = [];
  const query = `WorkflowType = '${workflowNames.retrain}' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH 'retrain/${surface}/'`;
  // One that ends meanwhile, or that no worker answers for, says nothing.
  for await (const { workflowId } of client.workflow.list({ query }))
    await trainingOf(client, workflowId).then(
      (one) => void found.push(one),
      () => undefined,
    );
  return found.sort((a, b) => (a.candidate < b.candidate ? -1 : 1));
}
