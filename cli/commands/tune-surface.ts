import { setTimeout as delay } from 'node:timers/promises';
import { resolve } from 'node:path';
import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import type { PreparedRetrain, TunedParams, TuningProgress } from '../../activities/api.ts';
import { openState, readCharter, type State } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { planTuning } from '../../activities/training/tune.ts';
import { prepareTuning, tunedCandidates } from '../../activities/training/tune-prepare.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { statusQuery, taskQueues, tuneWorkflowId, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { trialLog, tuning } from '../../models/contracts/tuning.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { CommandContext } from '../environment.ts';
import { progress } from '../output.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { withTemporal } from '../temporal.ts';
import { type Planned, progressText, type Tuned } from './tune-output.ts';

type Input = { stateDir: string; surface: string; candidates: string[] | null; config: string | undefined };

/** The surface's charter, or that of a file, which does not become the surface's by this. */
async function charterOf(context: CommandContext, state: State, { surface, config }: Input): Promise<Charter> {
  if (config === undefined) return readCharter(state.blobs, await currentCharter(state, surface));
  const { charter, path } = await loadSurfaceConfig(resolve(context.cwd, config));
  if (charter.surface !== surface) throw new UnderstudyError('UND-INPUT', `${path} is the charter of ${charter.surface}, not of ${surface}`);
  return charter;
}

/** What a tuning would do; nothing is read but the charter. */
export async function planSurface(context: CommandContext, input: Input): Promise<Planned[]> {
  const { candidates, gates, seed } = await charterOf(context, openState(input.stateDir), input);
  return tunedCandidates(candidates, input.candidates).map(({ name, tune, search }) => ({
    candidate: name,
    metric: gates.primaryMetric,
    ...planTuning({ tune: { grid: tune, search }, seed }),
  }));
}

/** Tunes one candidate after another; the trials of each run on as many workers as there are. Asked for again while it runs, or after, it is the same work. */
export async function tuneSurface(context: CommandContext, input: Input): Promise<Tuned[]> {
  const state = openState(input.stateDir);
  const charter = await putDocument(state.blobs, await charterOf(context, state, input));
  const prepared = await prepareTuning({ state }, { surface: input.surface, charter, candidates: input.candidates });
  return withTemporal(context, input.stateDir, async (client) => {
    const all: Tuned[] = [];
    for (const work of prepared) all.push(await tunedBy(state, work, await follow(client, { work, now: context.now })));
    return all;
  });
}

async function follow(client: Client, { work, now }: { work: PreparedRetrain; now: () => number }): Promise<TunedParams> {
  const step = progress(`tuning ${work.candidate}`);
  const handle = await start(client, work);
  const startedMs = (await handle.describe()).startTime.getTime();
  const result = handle.result();
  // Awaited below; a failure is not to be nobody's meanwhile.
  result.catch(() => undefined);
  for (let over = false; !over; ) {
    over = await Promise.race([result.then(yes, yes), delay(500, false)]);
    const at = over ? null : await handle.query<TuningProgress | null>(statusQuery).catch(() => null);
    if (at !== null) step.note(progressText({ ...at, elapsedMs: now() - startedMs }));
  }
  const chosen = await result;
  step.done();
  return chosen;
}

const yes = () => true;

async function start(client: Client, work: PreparedRetrain): Promise<WorkflowHandle<() => Promise<TunedParams>>> {
  const workflowId = tuneWorkflowId(work);
  try {
    return await client.workflow.start<() => Promise<TunedParams>>(workflowNames.tune, {
      workflowId,
      taskQueue: taskQueues.control,
      args: [work] as never,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return client.workflow.getHandle(workflowId);
  }
}

async function tunedBy({ blobs }: State, { candidate, recipe }: PreparedRetrain, chosen: TunedParams): Promise<Tuned> {
  const { algorithm, params, tune, seed } = await getDocument(blobs, recipe, recipeSchema);
  const { metric, chosen: best } = await getDocument(blobs, chosen.tuning, tuning);
  const { measurements } = await getDocument(blobs, chosen.log, trialLog);
  const { rungs } = planTuning({ tune: tune ?? { grid: {} }, seed });
  return { candidate, algorithm, metric, fixed: params, rungs, measurements, chosen: best };
}
