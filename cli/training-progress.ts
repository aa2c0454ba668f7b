import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { z } from 'zod';
import { timeLeft } from './output.ts';
import { trainingOf } from './trainings.ts';

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** What a training says of itself with its heartbeats (activities/training/train-candidate.ts). */
const trainingDetails = z.looseObject({ done: z.number(), total: z.number(), note: z.string(), leftMs: z.number().optional() });

/** How far these workflows are, in a line. Where a training says nothing of itself, the step that its workflow is at. */
async function trainingText(client: Client, workflowIds: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    workflowIds.map(async (workflowId) => {
      const { raw, status } = await client.workflow.getHandle(workflowId).describe();
      if (status.name !== 'RUNNING') return [];
      const { phase, why, candidate } = await trainingOf(client, workflowId);
      const details = await detailsOf(client, raw.pendingActivities ?? []);
      // Of trials there are several at a time: what the workflow says of them is more than what one says of itself.
      const step = details === undefined || why !== '' ? [phase, why].filter((text) => text !== '').join(', ') : stepText(details);
      return [`${candidate}: ${step}`];
    }),
  );
  return texts.flat().join('; ');
}

async function detailsOf(client: Client, pending: readonly Pending[]): Promise<z.infer<typeof trainingDetails> | undefined> {
  const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
  for (const { heartbeatDetails } of pending) {
    let payloads = heartbeatDetails?.payloads ?? [];
    for (const codec of payloadCodecs) payloads = await codec.decode(payloads);
    const [payload] = payloads;
    const details = payload === undefined ? undefined : trainingDetails.safeParse(payloadConverter.fromPayload(payload)).data;
    if (details !== undefined) return details;
  }
  return undefined;
}

/** @param total 0 where nobody knows */
function stepText({ done, total, note, leftMs }: z.infer<typeof trainingDetails>): string {
  const left = leftMs === undefined ? '' : `, at most ${timeLeft(leftMs)} left`;
  return `${total > 0 ? `${Math.floor((100 * done) / total)} %` : `${done} steps`} (${note}${left})`;
}

/** Waits for the results, and notes every other second how far the trainings are. */
export async function followTrainings<T>(client: Client, workflowIds: readonly string[], note: (text: string) => void): Promise<T[]> {
  const results = Promise.all(workflowIds.map((id) => client.workflow.getHandle(id).result() as Promise<T>));
  const over = results.then(
    () => true,
    () => true,
  );
  // A server that does not answer a question about progress may yet have the result.
  while (!(await Promise.race([over, delay(2_000, false)]))) note(await trainingText(client, workflowIds).catch(() => ''));
  return results;
}
