import { ApplicationFailure, defineQuery, ParentClosePolicy, setHandler, sleep, startChild, workflowInfo } from '@temporalio/workflow';
import type { PrepareRequest } from '../activities/api.ts';
import { statusQuery, workflowNames } from '../models/contracts/messages.ts';
import { patient } from './proxies.ts';

/** What comes in while people are erased is erased again, so often. */
const roundsAtMost = 20;

/**
 * Takes people out of everything, and ends with a signed certificate. Its history says nothing of anybody: only the request's own file, which goes at the
 * end, knows whom it is about.
 */
export async function erasure({ id }: { id: string }): Promise<{ id: string; surfaces: string[] }> {
  const where = { phase: 'finding what is theirs', why: '', found: [] as string[] };
  setHandler(defineQuery<typeof where>(statusQuery), () => where);
  const { over } = await patient.surveyErasure({ id });
  if (over) return { id, surfaces: [] };
  for (let round = 1; round <= roundsAtMost; round += 1) {
    where.phase = 'erasing logs, data and profiles';
    where.why = round === 1 ? '' : 'something came in meanwhile';
    await patient.eraseEverywhere({ id });
    where.phase = 'sweeping what is stored';
    await patient.sweepErased({ id });
    where.phase = 'looking everywhere';
    const certified = await patient.certifyErasure({ id });
    if (certified.done) {
      if (certified.retrain) await askForRetraining(certified.surfaces);
      where.phase = 'done';
      return { id, surfaces: certified.surfaces };
    }
    where.found = certified.found;
    await sleep('2 s');
  }
  throw ApplicationFailure.create({
    type: 'UND-CONSERVATION',
    nonRetryable: true,
    message: `After ${roundsAtMost} rounds something of them is still in ${where.found.join(', ')}`,
  });
}

async function askForRetraining(surfaces: readonly string[]): Promise<void> {
  for (const surface of surfaces) {
    const request: PrepareRequest = { surface, candidates: null, guest: null, charter: null };
    await startChild(workflowNames.requestRetrain, {
      workflowId: `request-retrain/${surface}/${workflowInfo().workflowId}`,
      args: [request],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  }
}
