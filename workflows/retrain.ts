import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, WorkflowIdReusePolicy, defineQuery, setHandler, startChild } from '@temporalio/workflow';
import type { PrepareRequest, PreparedRetrain, RerunResult, RetrainResult, TrainRequest, TunedParams } from '../activities/api.ts';
import { evaluationWorkflowId, retrainWorkflowId, statusQuery, workflowNames } from '../models/contracts/messages.ts';
import { control, patient, training } from './proxies.ts';
import { train, type Where } from './train.ts';
import { chooseParams } from './tune.ts';

const whereQuery = defineQuery<Where>(statusQuery);

/** Window and recipe are in the workflow's id, so the same work never runs twice. Ends with a candidate; waits for nobody. */
export async function retrain(input: PreparedRetrain): Promise<RetrainResult> {
  const where: Where = { phase: 'looking for an earlier run', why: '', candidate: input.candidate };
  setHandler(whereQuery, () => where);
  const earlier = await control.findRun(input);
  if (earlier !== null && earlier.evaluateAgain === undefined) return earlier;

  const chosen = input.tuned === true && earlier === null ? await tuned(input, where) : undefined;
  Object.assign(where, { phase: 'training', why: '' });
  const trained = earlier?.evaluateAgain ?? (await train(trainRequest(input, chosen), where));
  where.phase = 'evaluating';
  const log = await control.sealLog({ surface: input.surface });
  const evaluated = await training.evaluateCandidate({ retrain: input, trained, log, sinceGeneration: 0 });
  const finished = { retrain: input, trained, log, evaluated, ...(chosen === undefined ? {} : { trials: chosen.log }) };
  where.phase = 'registering';
  where.why = evaluated.reasons.join('; ');
  const registered = await patient.registerCandidate(finished);
  const result = await control.recordRun({ ...finished, registered });
  // A refused candidate goes on too: the release workflow is where refusals are recorded.
  const { runId, artifact, report, attempt = 1 } = result;
  await control.submitCandidate({
    surface: input.surface,
    runId,
    candidate: input.candidate,
    artifact,
    report,
    ...(attempt > 1 ? { attempt } : {}),
    ...(input.party === undefined ? {} : { party: input.party }),
  });
  where.phase = 'done';
  return result;
}

function tuned(input: PreparedRetrain, where: Where): Promise<TunedParams> {
  where.phase = 'choosing parameters';
  return chooseParams(input, ({ rungs, rung, done }) => {
    where.why = `rung ${rung + 1} of ${rungs.length}: ${done} of ${rungs[rung]?.trials} trials`;
  });
}

const trainRequest = (input: PreparedRetrain, chosen: TunedParams | undefined): TrainRequest =>
  chosen === undefined ? input : { ...input, tuning: chosen.tuning };

/**
 * Cuts the window and starts one `retrain` a candidate. Schedules start this one, because they add a timestamp to the ids of
 * what they start; starting the same work twice finds it running or done.
 */
export async function requestRetrain(input: PrepareRequest): Promise<string[]> {
  const where: Where = { phase: 'cutting the window', why: '', candidate: '' };
  setHandler(whereQuery, () => where);
  const prepared = await patient.prepareRetrain(input);
  const ids: string[] = [];
  for (const one of prepared) {
    const run = retrainWorkflowId(one.surface, one.window, one.recipe);
    const workflowId = evaluationWorkflowId(run, one.attempt);
    try {
      await startChild(workflowNames.retrain, {
        workflowId,
        args: [one],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    ids.push(workflowId);
  }
  where.phase = 'done';
  return ids;
}

/** Same manifest, seed and parameters again; says equal or the first difference and its cause. Registers nothing. */
export async function rerun(input: { runId: string }): Promise<RerunResult> {
  const where: Where = { phase: 'reading the run', why: input.runId, candidate: '' };
  setHandler(whereQuery, () => where);
  // Every byte of the data is read again.
  const first = await patient.readRun(input);
  if (first.unusable !== undefined) return control.compareRerun({ runId: input.runId, unusable: first.unusable });
  const chosen = first.retrain.tuned === true ? await tuned(first.retrain, where) : undefined;
  where.phase = 'training again';
  const trained = await train(trainRequest(first.retrain, chosen), where);
  where.phase = 'evaluating again';
  const asOf = first.asOf === undefined ? {} : { asOf: first.asOf };
  const evaluated = await training.evaluateCandidate({ retrain: first.retrain, trained, log: first.log, sinceGeneration: 0, ...asOf });
  where.phase = 'comparing';
  const result = await control.compareRerun({ ...first, runId: input.runId, trained, evaluated });
  where.phase = 'done';
  return result;
}
