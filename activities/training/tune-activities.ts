import { UnderstudyError } from '../../models/contracts/problem.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { trialLog, trialMeasurement, type TrialMeasurement } from '../../models/contracts/tuning.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain, TrialRequest, TrialsRequest, TrialsStep } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import type { Beat } from '../worker.ts';
import { decideNext, planTuning, tunedRecipe, tuningOf } from './tune.ts';
import { measureTrial, openValidation, type Tuned } from './tune-trial.ts';

/*
 * Tuning as Temporal runs it: each trial is an activity, whose result, a digest, stands in the history when it has finished. Which trials come next is computed
 * here from what was measured, so that a workflow passes digests on and decides nothing.
 */

async function readTuned({ state }: Pick<Context, 'state'>, { recipe, candidate }: PreparedRetrain): Promise<Tuned> {
  const tuned = tunedRecipe(await getDocument(state.blobs, recipe, recipeSchema));
  if (tuned === undefined) throw new UnderstudyError('UND-INPUT', `${candidate} leaves nothing to choose`);
  return tuned;
}

/** What to try next by all results so far; in the end the digest of the choice (`tuning.json`). @throws UND-TRAINING-DIVERGED where no trial could be trained */
export async function decideTrials(context: Pick<Context, 'state'>, { retrain, log, results }: TrialsRequest): Promise<TrialsStep> {
  const { blobs } = context.state;
  const recipe = await readTuned(context, retrain);
  const plan = planTuning(recipe);
  const before: TrialMeasurement[] = log === null ? [] : (await getDocument(blobs, log, trialLog)).measurements;
  const measurements = [...before, ...(await Promise.all(results.map((result) => getDocument(blobs, result, trialMeasurement))))];
  const next = decideNext(plan, measurements);
  const now = await putDocument(blobs, trialLog.parse({ kind: 'trials', window: retrain.window, recipe: retrain.recipe, measurements }));
  if ('rung' in next) return { kind: 'trials', log: now, rungs: plan.rungs, ...next };
  const window = await getDocument(blobs, retrain.window, windowManifest);
  return { kind: 'chosen', log: now, tuning: await putDocument(blobs, tuningOf({ window, recipe, plan, measurements, chosen: next.chosen })) };
}

/** Trains and measures one trial. @returns the digest of its measurement @throws UND-NO-DATA where nobody in the validation part can be asked for */
export async function runTrial(context: Context, { retrain, rung, trial }: TrialRequest, { beat }: Pick<Beat, 'beat'>): Promise<string> {
  const { blobs } = context.state;
  const recipe = await readTuned(context, retrain);
  const { trials, rungs } = planTuning(recipe);
  const [params, share] = [trials[trial], rungs[rung]?.share];
  if (params === undefined || share === undefined) throw new UnderstudyError('UND-INPUT', `${retrain.candidate} has no trial ${trial} on a rung ${rung}`);
  const [window, charter] = await Promise.all([getDocument(blobs, retrain.window, windowManifest), readCharter(blobs, retrain.charter)]);
  const validation = await openValidation({ blobs, window, charter, recipe });
  const running = { beat: () => beat(), now: context.now, threads: context.trainingThreads };
  return putDocument(blobs, trialMeasurement.parse(await measureTrial(validation, { trial, rung, params, share }, running)));
}
