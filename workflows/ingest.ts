import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { defineQuery, ParentClosePolicy, setHandler, startChild, WorkflowIdReusePolicy } from '@temporalio/workflow';
import type { IngestRequest, IngestResult, LogIngestRequest, PrepareRequest, ReplayRequest } from '../activities/api.ts';
import { statusQuery, workflowNames } from '../models/contracts/messages.ts';
import { patient } from './proxies.ts';

/**
 * Validates one source, what the serving tier logged, or what comes out of quarantine, into day slices and makes them the surface's data. A stop-level
 * rule fails it and changes nothing.
 */
export async function ingest(input: IngestRequest | LogIngestRequest | ReplayRequest): Promise<IngestResult> {
  let where = 'validating and slicing';
  setHandler(defineQuery<{ phase: string; why: string }>(statusQuery), () => ({ phase: where, why: nameOf(input) }));
  const result = await run(input);
  if (result.retrain) {
    where = 'asking for a retraining';
    const request: PrepareRequest = { surface: input.surface, candidates: null, guest: null, charter: input.charter };
    try {
      await startChild(workflowNames.requestRetrain, {
        workflowId: `request-retrain/${input.surface}/data-${result.generation}`,
        args: [request],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        // Each generation of the data asks once, however often the ingest that made it is run again.
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
  where = 'done';
  return result;
}

function run(input: IngestRequest | LogIngestRequest | ReplayRequest): Promise<IngestResult> {
  if ('log' in input) return patient.ingestEventLog(input);
  return 'replay' in input ? patient.replayQuarantine(input) : patient.ingestSource(input);
}

function nameOf(input: IngestRequest | LogIngestRequest | ReplayRequest): string {
  if ('log' in input) return 'the event log';
  return 'replay' in input ? `quarantine ${input.replay.quarantine.slice(7, 19)}` : input.source.name;
}
