import { tuneWorkflowId } from '../../models/contracts/messages.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { trialLog, type TrialMeasurement, tuning } from '../../models/contracts/tuning.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { MlflowRun } from '../../stores/mlflow/mlflow-client.ts';
import type { PreparedRetrain, TunedParams } from '../api.ts';
import type { Context } from '../context.ts';

type Parent = { run: MlflowRun; experiment: string; key: string; name: string };

const metricName = (name: string): string => name.replaceAll('@', '_at_');
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
/** As MLflow has a recipe's parameters. */
export const loggedParams = (params: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [`params.${name}`, textOf(value)]));

/** A run in MLflow for a tuning by itself, and one below it for each trial. Done twice it finds its own work. */
export async function recordTrials(context: Context, { retrain, log, ...chosen }: { retrain: PreparedRetrain } & TunedParams): Promise<void> {
  const { mlflow, state } = context;
  const { blobs } = state;
  const experiment = `understudy/${retrain.surface}`;
  const key = tuneWorkflowId(retrain);
  const name = `tune ${retrain.candidate}`;
  const run = await mlflow.findOrCreateRun({ experiment, key, name, tags: { 'understudy.surface': retrain.surface, 'understudy.tuning': chosen.tuning } });
  const recipe = await getDocument(blobs, retrain.recipe, recipeSchema);
  const { trials, metric, chosen: best } = await getDocument(blobs, chosen.tuning, tuning);
  const params = { ...recipe.params, ...trials[best]?.params };
  await mlflow.logParams({
    runId: run.runId,
    params: { algorithm: recipe.algorithm, seed: String(recipe.seed), window: retrain.window, recipe: retrain.recipe, ...loggedParams(params) },
  });
  await mlflow.logMetrics({ runId: run.runId, metrics: { [metricName(metric)]: trials[best]?.value ?? 0 }, atMs: run.startedAtMs });
  await mlflow.uploadArtifact({ runId: run.runId, path: 'tuning.json', bytes: await blobs.get(chosen.tuning) });
  await logTrials(context, { parent: { run, experiment, key, name: retrain.candidate }, log, metric });
  await mlflow.endRun({ runId: run.runId, status: 'FINISHED' });
}

/** Each trial as a run of its own below `parent`: its parameters and, at the step of each rung, its figure, users and seconds. */
export async function logTrials({ mlflow, state }: Context, { parent, log, metric }: { parent: Parent; log: string; metric: string }): Promise<void> {
  const { measurements } = await getDocument(state.blobs, log, trialLog);
  const byTrial = Map.groupBy(measurements, ({ trial }) => trial);
  for (const [trial, rungs] of [...byTrial].sort(([a], [b]) => a - b)) {
    const [first] = rungs;
    const failed = rungs.find((one) => one.failed !== undefined)?.failed;
    const { runId } = await mlflow.findOrCreateRun({
      experiment: parent.experiment,
      key: `${parent.key}/trial/${trial}`,
      name: `${parent.name} trial ${trial + 1}`,
      tags: { 'mlflow.parentRunId': parent.run.runId, 'understudy.trial': String(trial + 1), ...(failed === undefined ? {} : { 'understudy.failed': failed }) },
    });
    await mlflow.logParams({ runId, params: loggedParams(first?.params ?? {}) });
    for (const one of rungs) await mlflow.logMetrics({ runId, metrics: metricsOf(one, metric), atMs: parent.run.startedAtMs, step: one.rung });
    await mlflow.endRun({ runId, status: failed === undefined ? 'FINISHED' : 'FAILED' });
  }
}

function metricsOf({ rung, measured, trainUsers, seconds }: TrialMeasurement, metric: string): Record<string, number> {
  const name = metricName(metric);
  const figures: Record<string, number> = measured === null ? {} : { [name]: measured.value, [`${name}_low`]: measured.low, [`${name}_high`]: measured.high };
  return { ...figures, rung: rung + 1, train_users: trainUsers, seconds };
}
