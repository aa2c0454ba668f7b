import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { timeLeft } from './output.ts';

/** What a training says of itself with its heartbeats (activities/training/train-candidate.ts). */
const trainingDetails = z.looseObject({ done: z.number(), total: z.number(), note: z.string(), leftMs: z.number().optional() });

/** How far the trainings of these workflows are, in a line; those that say nothing of themselves are left out. */
async function trainingText(client: Client, workflowIds: readonly string[]): Promise<string> {
  const texts: string[] = [];
  for (const workflowId of workflowIds) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
      const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
      let payloads = heartbeatDetails?.payloads ?? [];
      for (const codec of payloadCodecs) payloads = await codec.decode(payloads);
      const [payload] = payloads;
      const details = payload === undefined ? undefined : trainingDetails.safeParse(payloadConverter.fromPayload(payload)).data;
      if (details === undefined) continue;
      const { done, total, note, leftMs } = details;
      texts.push(`${Math.floor((100 * done) / total)} % (${note}${leftMs === undefined ? '' : `, at most ${timeLeft(leftMs)} left`})`);
    }
  }
  return texts.join('; ');
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
