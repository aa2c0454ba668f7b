import { defineQuery, setHandler } from '@temporalio/workflow';
import type { IngestRequest, IngestResult } from '../activities/api.ts';
import { statusQuery } from '../models/contracts/messages.ts';
import { patient } from './proxies.ts';

/** Validates one source into day slices and makes them the surface's data. A stop-level rule fails it and changes nothing. */
export async function ingest(input: IngestRequest): Promise<IngestResult> {
  let where = 'validating and slicing';
  setHandler(defineQuery<{ phase: string; why: string }>(statusQuery), () => ({ phase: where, why: input.source.name }));
  const result = await patient.ingestSource(input);
  where = 'done';
  return result;
}
