import { fileURLToPath } from 'node:url';
import { ApplicationFailure, Context as ActivityContext, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { NativeConnection, type NativeConnectionOptions, Worker, type WorkerOptions } from '@temporalio/worker';
import { taskQueues } from '../models/contracts/messages.ts';
import { asUnderstudyError, problems, UnderstudyError } from '../models/contracts/problem.ts';
import type { GpuActivities } from '../models/contracts/gpu-job.ts';
import type { ControlActivities, TrainingActivities } from './api.ts';
import type { Context } from './context.ts';
import { followUpFindings } from './audit/follow-up.ts';
import { runAudit } from './audit/run-audit.ts';
import { keepRetrainings } from './drift/keep-retrainings.ts';
import { blockItem, liftBlock } from './escalation/block-item.ts';
import { openReport } from './escalation/open-report.ts';
import { missDeadline, takeReportStep } from './escalation/take-step.ts';
import { tellOwner } from './escalation/tell-owner.ts';
import { watchInbox } from './escalation/watch-inbox.ts';
import { watchOrders } from './orders/watch-orders.ts';
import { ingestEventLog } from './events/ingest-event-log.ts';
import { ingestSource } from './events/ingest-source.ts';
import { replayQuarantine } from './events/replay-quarantine.ts';
import { evaluateCandidate } from './evidence/evaluate-candidate.ts';
import { registerCandidate } from './registry/register-candidate.ts';
import { enforceRetention } from './privacy/enforce-retention.ts';
import { certifyErasure, eraseEverywhere, surveyErasure, sweepErased } from './privacy/erase-people.ts';
import { recordTrials } from './registry/record-trials.ts';
import { compareRerun, findRun, readRun, recordRun } from './registry/runs.ts';
import { ownCode } from './rerun/making.ts';
import type { RootCauseActivities } from './root-cause/api.ts';
import { doMend, recordCause } from './root-cause/do-mend.ts';
import { findCause, lookForRecovery } from './root-cause/find-cause.ts';
import { awaitParty } from './release/await-party.ts';
import { awaitReplicas } from './release/await-replicas.ts';
import { closeRelease, reconcile } from './release/close-release.ts';
import { chooseContenders, lineUp } from './release/contenders.ts';
import { createCanaryWatch } from './release/look-at-canary.ts';
import { notify } from './release/notify.ts';
import { openRelease } from './release/open-release.ts';
import { publishSpec } from './release/publish-spec.ts';
import { recordVote } from './release/record-vote.ts';
import { sealLog } from './release/seal-log.ts';
import { closeTraining, openTraining } from './training/open-training.ts';
import { placeTraining } from './training/place-training.ts';
import { readRecipe, trainCandidate } from './training/train-candidate.ts';
import { decideTrials, runTrial } from './training/tune-activities.ts';
import { watchSurface } from './watch/record-look.ts';
import { tellReceiver } from './watch/tell-receiver.ts';
import { prepareRetrain } from './windows/prepare-retrain.ts';

/** How an activity reports that it lives. `details` comes back to its next attempt; `workflowId` is for whom it works, where it works for one. */
export type Beat = { beat: (details?: unknown) => void; signal: AbortSignal; resumeDetails: unknown; workflowId?: string };

export function controlActivities(context: Context): ControlActivities {
  const { canaryOverTime, ...canaries } = createCanaryWatch(context);
  return hosted<ControlActivities>({
    ingestSource: (input, beat) => ingestSource(context, input, beat),
    ingestEventLog: (input, beat) => ingestEventLog(context, input, beat),
    replayQuarantine: (input, beat) => replayQuarantine(context, input, beat),
    surveyErasure: (input, beat) => surveyErasure(context, input, beat),
    eraseEverywhere: (input, beat) => eraseEverywhere(context, input, beat),
    sweepErased: (input, beat) => sweepErased(context, input, beat),
    certifyErasure: (input, beat) => certifyErasure(context, input, beat),
    runAudit: (input, { signal, beat }) => runAudit(context, input, { signal, onSection: beat }),
    followUpFindings: (input) => followUpFindings(context, input),
    enforceRetention: (input, beat) => enforceRetention(context, input, beat),
    prepareRetrain: (input, beat) => prepareRetrain(context, input, beat),
    findRun: (input) => findRun(context, input),
    decideTrials: (input) => decideTrials(context, input),
    recordTrials: (input) => recordTrials(context, input),
    closeTraining: (input, beat) => closeTraining(context, input, beat),
    placeTraining: async (input) => placeTraining(input),
    sealLog: (input) => sealLog(context, input),
    registerCandidate: (input) => registerCandidate(context, input),
    recordRun: async (input) => recordRun(context, input, await readRecipe(context, input.retrain.recipe)),
    submitCandidate: (input) => context.submit(input),
    awaitParty: (input, beat) => awaitParty(context, input, beat),
    openRelease: (input) => openRelease(context, input),
    chooseContenders: (input) => chooseContenders(context, input),
    lineUp: (input) => lineUp(context, input),
    recordVote: (input) => recordVote(context, input),
    notify: (input) => notify(context, input),
    publishSpec: (input) => publishSpec(context, input),
    awaitReplicas: (input, beat) => awaitReplicas(context, input, beat),
    ...canaries,
    reconcile: (input) => reconcile(context, input),
    closeRelease: (input) => closeRelease(context, input, canaryOverTime),
    readRun: ({ runId }) => readRun(context, runId),
    compareRerun: (input) => compareRerun(context, input),
    watchSurface: (input, beat) => watchSurface(context, input, beat),
    tellReceiver: (input) => tellReceiver(context, input),
    openReport: (input) => openReport(context, input),
    blockItem: (input) => blockItem(context, input),
    liftBlock: (input) => liftBlock(context, input),
    missDeadline: (input) => missDeadline(context, input),
    takeReportStep: (input) => takeReportStep(context, input),
    tellOwner: (input) => tellOwner(context, input),
  });
}

export function rootCauseActivities(context: Context): RootCauseActivities {
  return hosted<RootCauseActivities>({
    findCause: (input, beat) => findCause(context, input, beat),
    doMend: (input, beat) => doMend(context, input, beat),
    lookForRecovery: (input, beat) => lookForRecovery(context, input, beat),
    recordCause: (input) => recordCause(context, input),
  });
}

export function trainingActivities(context: Context): TrainingActivities {
  // As it is now, not as it may lie there by the first training.
  void ownCode();
  return hosted<TrainingActivities>({
    runTrial: (input, beat) => runTrial(context, input, beat),
    openTraining: (input, beat) => openTraining(context, input, beat),
    trainCandidate: (input, beat) => trainCandidate(context, input, beat),
    evaluateCandidate: (input, beat) => evaluateCandidate(context, input, beat),
    keepRetrainings: (input, beat) => keepRetrainings(context, input, beat),
  });
}

/** What a worker says of its GPU. It says so on a queue of its own, so that one that trains is known to be there. */
function gpuActivities({ gpu }: Context): GpuActivities {
  if (gpu === undefined) throw new UnderstudyError('UND-GPU-MISSING', 'A worker of the role training-gpu has no GPU');
  return hosted<GpuActivities>({ describeGpu: async () => ({ name: gpu.name }) });
}

/** Beats every second for as long as the work goes on and the event loop turns. */
async function alive<T>(work: (beat: Beat) => Promise<T>): Promise<T> {
  const activity = ActivityContext.current();
  let details: unknown = activity.info.heartbeatDetails;
  const resumeDetails = details;
  const beat = (next?: unknown) => {
    if (next !== undefined && typeof next !== 'string') details = next;
    activity.heartbeat(details);
    activity.cancellationSignal.throwIfAborted();
  };
  const timer = setInterval(() => activity.heartbeat(details), 1_000);
  try {
    return await work({ beat, signal: activity.cancellationSignal, resumeDetails, ...workflowOf(activity.info) });
  } finally {
    clearInterval(timer);
  }
}

const workflowOf = ({ workflowExecution }: { workflowExecution?: { workflowId: string } | undefined }) =>
  workflowExecution === undefined ? {} : { workflowId: workflowExecution.workflowId };

type Verbs<T> = { [K in keyof T]: T[K] extends (input: infer I) => Promise<infer O> ? (input: I, beat: Beat) => Promise<O> : never };

/** As Temporal runs them: alive while they work, so that a dead worker is noticed in seconds, and with typed failures. */
function hosted<T>(verbs: Verbs<T>): T {
  const wrapped: Record<string, (input: unknown) => Promise<unknown>> = {};
  for (const [name, run] of Object.entries<(input: never, beat: Beat) => Promise<unknown>>(verbs)) {
    wrapped[name] = async (input) => {
      try {
        return await alive((beat) => run(input as never, beat));
      } catch (error) {
        throw typed(error);
      }
    };
  }
  return wrapped as T;
}

/** Mistakes in code, or in what code was given: they come again however often the work is tried. */
const ofTheCode: ReadonlySet<string> = new Set(['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'ZodError']);

/** Fetch calls a network that fails a TypeError; it says so by a cause. */
const comesAgain = (error: unknown): boolean => error instanceof Error && ofTheCode.has(error.name) && error.cause === undefined;

/** Coded errors become typed failures. What the table calls not retryable is not retried, nor what is wrong in the code; what nobody knows is. */
function typed(error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError) return error;
  if (ActivityContext.current().cancellationSignal.aborted) return new CancelledFailure('cancelled');
  const known = asUnderstudyError(error);
  return ApplicationFailure.create({
    type: known.code,
    message: known.message,
    nonRetryable: known.code === 'UND-INTERNAL' ? comesAgain(error) : !problems[known.code].retryable,
    details: [{ mistakes: known.mistakes, ...known.details }],
    cause: known,
  });
}

export const roles = ['control', 'training', 'training-gpu'] as const;
export type Role = (typeof roles)[number];

/** One Temporal worker a role, and for one with a GPU another that says so. `run` resolves when all have stopped. */
export async function createWorkers(input: {
  context: Context;
  roles: readonly Role[];
  connection: NativeConnectionOptions;
  namespace: string;
  workflowBundle?: WorkerOptions['workflowBundle'];
  dataConverter?: WorkerOptions['dataConverter'];
}): Promise<{ run: () => Promise<void>; shutdown: () => void }> {
  const connection = await NativeConnection.connect(input.connection);
  const { dataConverter } = input;
  const converter = dataConverter === undefined ? {} : { dataConverter };
  const shared = { connection, namespace: input.namespace, ...converter, shutdownGraceTime: '2 s', shutdownForceTime: '5 s' } as const;
  const bundle =
    input.workflowBundle === undefined
      ? { workflowsPath: fileURLToPath(new URL('../workflows/bundle.ts', import.meta.url)) }
      : { workflowBundle: input.workflowBundle };
  const alone = { ...shared, maxConcurrentActivityTaskExecutions: 1 };
  const optionsOf: Record<Role, () => WorkerOptions[]> = {
    control: () => [
      { ...shared, ...bundle, taskQueue: taskQueues.control, activities: { ...controlActivities(input.context), ...rootCauseActivities(input.context) } },
    ],
    training: () => [{ ...alone, taskQueue: taskQueues.training, activities: trainingActivities(input.context) }],
    'training-gpu': () => [
      { ...alone, taskQueue: taskQueues.trainingGpu, activities: trainingActivities(input.context) },
      { ...shared, taskQueue: taskQueues.gpu, activities: gpuActivities(input.context) },
    ],
  };
  const workers: Worker[] = [];
  for (const role of input.roles) for (const options of optionsOf[role]()) workers.push(await Worker.create(options));
  return {
    run: async () => {
      const watching = input.roles.includes('control') ? [watchInbox(input.context), watchOrders(input.context)] : [];
      try {
        await Promise.all(workers.map((worker) => worker.run()));
      } finally {
        for (const one of watching) await one.close();
        await connection.close();
      }
    },
    shutdown: () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}
