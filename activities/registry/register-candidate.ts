import { evaluationWorkflowId, retrainWorkflowId } from '../../models/contracts/messages.ts';
import { frontierPlot } from '../../experiments/pictures/frontier-plot.ts';
import { pictureOfReport } from '../../experiments/pictures/picture-of-report.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Finished, Registered } from '../api.ts';
import type { Context } from '../context.ts';
import { cardOfFinished } from '../provenance/card-source.ts';
import { mlBom } from '../provenance/ml-bom.ts';
import { modelCard } from '../provenance/model-card.ts';
import { htmlOf } from '../provenance/page.ts';
import { loggedParams, logTrials } from './record-trials.ts';
import { readRecipe } from '../training/train-candidate.ts';

export const modelName = (surface: string) => `understudy-${surface}`;

/** Run, parameters, metrics, report, graph, model card, ML-BOM and model version in MLflow. Done twice it finds its own work. */
export async function registerCandidate(context: Context, input: Finished): Promise<Registered> {
  const { retrain, trained, evaluated } = input;
  const { mlflow } = context;
  const { blobs } = context.state;
  const runId = retrainWorkflowId(retrain.surface, retrain.window, retrain.recipe);
  const recipe = await readRecipe(context, retrain.recipe);
  const report = await getDocument(blobs, evaluated.report, reportSchema);
  const experiment = `understudy/${retrain.surface}`;
  const key = evaluationWorkflowId(runId, retrain.attempt);
  const run = await mlflow.findOrCreateRun({
    experiment,
    key,
    name: retrain.candidate,
    tags: {
      'understudy.surface': retrain.surface,
      'understudy.artifact': trained.artifact,
      'understudy.evidence': evaluated.report,
      'understudy.intent': evaluated.intent,
    },
  });
  await mlflow.logParams({
    runId: run.runId,
    params: {
      algorithm: recipe.algorithm,
      seed: String(recipe.seed),
      window: retrain.window,
      recipe: retrain.recipe,
      charter: retrain.charter,
      ...loggedParams(recipe.params),
    },
  });
  const metrics: Record<string, number> = { train_seconds: trained.trainSeconds, parity_error: trained.parityError, artifact_bytes: trained.bytes };
  for (const [name, value] of Object.entries(report.metrics)) metrics[name.replaceAll('@', '_at_')] = value.value;
  if (report.counterfactual !== null)
    Object.assign(metrics, {
      counterfactual_snips: report.counterfactual.snips.value,
      counterfactual_ips: report.counterfactual.ips.value,
      effective_sample_size: report.counterfactual.effectiveSampleSize,
    });
  await mlflow.logMetrics({ runId: run.runId, metrics, atMs: run.startedAtMs });
  if (input.trials !== undefined && report.tuning !== undefined)
    await logTrials(context, { parent: { run, experiment, key, name: retrain.candidate }, log: input.trials, metric: report.tuning.metric });
  const manifest = await blobs.get(trained.artifact);
  const { files } = JSON.parse(Buffer.from(manifest).toString('utf8')) as { files: Record<string, string> };
  await mlflow.uploadArtifact({ runId: run.runId, path: 'report.json', bytes: await blobs.get(evaluated.report) });
  await mlflow.uploadArtifact({ runId: run.runId, path: 'report.svg', bytes: Buffer.from(pictureOfReport(report)) });
  if (report.frontier !== undefined) {
    const svg = frontierPlot({ title: `${retrain.surface}: what diversity costs ${retrain.candidate}`, frontier: report.frontier });
    await mlflow.uploadArtifact({ runId: run.runId, path: 'frontier.svg', bytes: Buffer.from(svg) });
  }
  await mlflow.uploadArtifact({ runId: run.runId, path: 'model/artifact.json', bytes: manifest });
  const card = await cardOfFinished(context.state, input);
  await mlflow.uploadArtifact({ runId: run.runId, path: 'model/card.html', bytes: Buffer.from(htmlOf(modelCard(card))) });
  await mlflow.uploadArtifact({ runId: run.runId, path: 'model/bom.cdx.json', bytes: Buffer.from(`${JSON.stringify(mlBom(card), null, 2)}\n`) });
  for (const [name, digest] of Object.entries(files)) await mlflow.uploadArtifact({ runId: run.runId, path: `model/${name}`, bytes: await blobs.get(digest) });
  await mlflow.createRegisteredModel({ model: modelName(retrain.surface) });
  const version = await mlflow.createModelVersion({
    model: modelName(retrain.surface),
    runId: run.runId,
    path: 'model',
    artifact: trained.artifact,
    tags: { 'understudy.candidate': retrain.candidate, 'understudy.passed': String(evaluated.passed) },
  });
  if (evaluated.passed) await mlflow.setAlias({ model: modelName(retrain.surface), alias: 'challenger', version: version.version });
  await mlflow.endRun({ runId: run.runId, status: 'FINISHED' });
  return { mlflowRunId: run.runId, modelVersion: version.version };
}
