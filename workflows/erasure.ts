import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ApplicationFailure, defineQuery, ParentClosePolicy, setHandler, sleep, startChild, WorkflowIdReusePolicy } from '@temporalio/workflow';
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
  for (let round = 1; round <= roundsAtMost; round += 1) {
    where.phase = 'finding what is theirs';
    const survey = await patient.surveyErasure({ id });
    if (survey.over) return finish({ id, ...survey });
    where.phase = 'erasing logs, data and profiles';
    where.why = round === 1 ? '' : 'something came in meanwhile';
    await patient.eraseEverywhere({ id });
    where.phase = 'sweeping what is stored';
    await patient.sweepErased({ id });
    where.phase = 'looking everywhere';
    const certified = await patient.certifyErasure({ id });
    if (certified.done) {
      where.phase = 'done';
      return finish({ id, ...certified });
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

async function finish({ id, surfaces, retrain }: { id: string; surfaces: string[]; retrain: boolean }): Promise<{ id: string; surfaces: string[] }> {
  if (retrain) await askForRetraining(id, surfaces);
  return { id, surfaces };
}

async function askForRetraining(id: string, surfaces: readonly string[]): Promise<void> {
  for (const surface of surfaces) {
    const request: PrepareRequest = { surface, candidates: null, guest: null, charter: null };
    try {
      await startChild(workflowNames.requestRetrain, {
        workflowId: `request-retrain/${surface}/${id}`,
        args: [request],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        // Once, however often the erasure is resumed.
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}
