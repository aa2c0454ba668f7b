import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { RunRecord } from '../../models/contracts/release.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Evaluated, RerunResult, RerunStage, Trained } from '../api.ts';
import type { State } from '../context.ts';
import { artifactStage, matrixStage, recipeStage, type Sides, type Stage, startStage, windowStage } from './stages-of-training.ts';
import { evidenceStage, metricsStage, testStage, verdictStage } from './stages-of-evaluation.ts';
import { type Changes, changesBetween, few, findCause } from './find-cause.ts';
import { making } from './making.ts';

/** What a rerun made; `unusable`: nothing, since that is not any more what the run was made of. */
export type Again = { trained: Trained; evaluated: Evaluated } | { unusable: string };

/**
 * Compares a run with what a rerun of it made, stage by stage in the order in which they follow from each other. The first that differs is the
 * difference; its cause is what else is not as it was.
 */
export async function compareRun(state: State, { run, again }: { run: RunRecord; again: Again }): Promise<RerunResult> {
  if ('unusable' in again) return withoutData(run, again.unusable);
  const { blobs } = state;
  const readable = <T>(digest: string | null | undefined, schema: { parse(input: unknown): T }): Promise<T | null> =>
    typeof digest === 'string' ? getDocument(blobs, digest, schema).catch(() => null) : Promise.resolve(null);
  const { trained, evaluated } = again;
  const training = [await readable(run.made?.training, making), await readable(trained.made, making)] as const;
  const evaluation = [await readable(run.made?.evaluation, making), await readable(evaluated.made, making)] as const;
  const artifacts = [await readable(run.artifact, artifactManifest), await readable(trained.artifact, artifactManifest)] as const;
  const sides: Sides = { state, run, again, readable, training, evaluation, artifacts };

  const stages: Stage[] = [];
  for (const compare of [windowStage, slicesStage, matrixStage, startStage, recipeStage, artifactStage]) stages.push(...(await compare(sides)));
  const trainStages = stages.length;
  for (const compare of [testStage, metricsStage, evidenceStage, verdictStage]) stages.push(...(await compare(sides)));

  const changes = { training: await changesBetween(blobs, ...training), evaluation: await changesBetween(blobs, ...evaluation) };
  const place = stages.findIndex(({ status }) => status === 'differs');
  const different = stages[place];
  return {
    runId: run.runId,
    equal: different === undefined,
    artifact: { first: run.artifact, again: trained.artifact },
    metrics: { first: run.metrics, again: evaluated.metrics },
    firstDifference: different === undefined ? null : `${different.stage}${different.at ?? `: ${different.detail}`}`,
    stages: stages.map(shown),
    difference: different === undefined ? null : differenceOf(different, place < trainStages ? changes.training : changes.evaluation, run.runId),
    changed: changedOf(changes),
  };
}

/** `readRun` has read every byte of them by now. */
async function slicesStage({ run }: Sides): Promise<Stage[]> {
  return [{ stage: 'slices', status: 'equal', detail: `all that ${run.window.slice(7, 19)} names is there, byte for byte` }];
}

function differenceOf(stage: Stage, changes: Changes | null, runId: string): NonNullable<RerunResult['difference']> {
  const { cause, why, remedy, also } = findCause({ data: stage.data, parameter: stage.parameter, changes, stage: stage.stage });
  return { stage: stage.stage, cause, why, remedy: remedy.replace('{RUN}', runId), also, largest: stage.largest ?? null };
}

const shown = ({ stage, status, detail }: Stage): RerunStage => ({ stage, status, detail });

/** What is not as it was, whether or not it made a difference; null where the run does not say how it was made. */
function changedOf({ training, evaluation }: { training: Changes | null; evaluation: Changes | null }): RerunResult['changed'] {
  if (training === null && evaluation === null) return null;
  const of = (cause: keyof Changes) => few([...new Set([...(training?.[cause] ?? []), ...(evaluation?.[cause] ?? [])])]);
  return { code: of('code'), library: of('library'), hardware: of('hardware') };
}

function withoutData(run: RunRecord, unusable: string): RerunResult {
  const different: Stage = { stage: 'slices', status: 'differs', detail: unusable, data: unusable };
  const rest = ['train-matrix', 'recipe', 'artifact', 'test-part', 'metrics', 'evidence', 'verdict'];
  return {
    runId: run.runId,
    equal: false,
    artifact: { first: run.artifact, again: null },
    metrics: { first: run.metrics, again: null },
    firstDifference: `slices: ${unusable}`,
    stages: [shown(different), ...rest.map((stage): RerunStage => ({ stage, status: 'not-compared', detail: 'nothing was trained' }))],
    difference: differenceOf(different, null, run.runId),
    changed: null,
  };
}
