import { retrainWorkflowId } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { type RunRecord, runRecord } from '../../models/contracts/release.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import { latestDeployment, readDeployment } from '../../stores/deployments.ts';
import type { EvaluatedAsOf, Finished, PreparedRetrain, Registered, RerunResult, RetrainResult, RunInputs, Trained } from '../api.ts';
import { type Context, openState, readCharter, type State, readLatest } from '../context.ts';
import { trainerQueue } from '../training/trainer-queue.ts';
import { checkInputs } from '../rerun/check-inputs.ts';
import { recordedMaking } from '../rerun/recorded-code.ts';
import { compareRun } from '../rerun/compare-run.ts';

/** A run's id is its workflow's id, `retrain/<surface>/<window>/<recipe>`; its series is named alike. */
const seriesOf = (runId: string) => {
  const [, surface, window, recipe] = runId.split('/');
  return `run/${surface}/${window}-${recipe}`;
};

export async function findRunRecord(context: Pick<Context, 'state'>, runId: string): Promise<RunRecord | undefined> {
  return (await latestRecord(context, runId))?.document;
}

/** The run's newest evaluation and its number. */
export async function latestRecord(context: Pick<Context, 'state'>, runId: string): Promise<Numbered | undefined> {
  if (!/^retrain\/[a-z][a-z0-9-]*\/[0-9a-f]{12}\/[0-9a-f]{12}$/.test(runId)) return undefined;
  return readLatest(context.state.generations, seriesOf(runId), runRecord);
}

/** All runs of a surface, oldest first. */
export async function listRuns(state: State, surface: string): Promise<RunRecord[]> {
  const runs: RunRecord[] = [];
  for (const series of await state.generations.series(`run/${surface}/`)) {
    const latest = await readLatest(state.generations, series, runRecord);
    if (latest !== undefined) runs.push(latest.document);
  }
  return runs.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.runId < b.runId ? -1 : 1));
}

export function preparedFrom(run: RunRecord): PreparedRetrain {
  return { surface: run.surface, candidate: run.candidate, window: run.window, recipe: run.recipe, charter: run.charter };
}

export function trainedFrom(run: RunRecord): Trained {
  return {
    artifact: run.artifact,
    parityRequests: run.parity.requests,
    parityError: run.parity.error,
    parityPassed: run.parity.passed,
    trainSeconds: run.trainSeconds,
    bytes: run.bytes,
    resumedFrom: 0,
    ...(run.start === undefined ? {} : { start: run.start }),
    ...(typeof run.made?.training === 'string' ? { made: run.made.training } : {}),
  };
}

type Numbered = { generation: number; document: RunRecord };

function resultOf({ generation, document: run }: Numbered): RetrainResult {
  const { runId, candidate, artifact, report, passed, reasons } = run;
  return { runId, candidate, artifact, report, passed, reasons, ...(generation > 1 ? { attempt: generation } : {}) };
}

export async function findRun(context: Context, input: PreparedRetrain): Promise<(RetrainResult & { evaluateAgain?: Trained }) | null> {
  const found = await latestRecord(context, retrainWorkflowId(input.surface, input.window, input.recipe));
  if (found === undefined) return null;
  // An evaluation that is recorded already is not made a second time.
  return found.generation >= (input.attempt ?? 1) ? resultOf(found) : { ...resultOf(found), evaluateAgain: trainedFrom(found.document) };
}

/** The next number of the run's series, once for each evaluation. Two activities that race on one made the same thing; the first record stays. */
export async function recordRun(
  context: Context,
  input: Finished & { registered: Registered },
  recipe: { algorithm: string; seed: number },
): Promise<RetrainResult> {
  const { retrain, trained, evaluated, registered, log } = input;
  const runId = retrainWorkflowId(retrain.surface, retrain.window, retrain.recipe);
  const earlier = await latestRecord(context, runId);
  const generation = retrain.attempt ?? 1;
  if (earlier !== undefined && earlier.generation >= generation) return resultOf(earlier);
  const run = runRecord.parse({
    kind: 'run',
    runId,
    surface: retrain.surface,
    candidate: retrain.candidate,
    algorithm: recipe.algorithm,
    intent: evaluated.intent,
    window: retrain.window,
    recipe: retrain.recipe,
    charter: retrain.charter,
    seed: recipe.seed,
    artifact: trained.artifact,
    metrics: evaluated.metrics,
    report: evaluated.report,
    passed: evaluated.passed,
    reasons: evaluated.reasons,
    trainSeconds: trained.trainSeconds,
    ...(trained.start === undefined ? {} : { start: trained.start }),
    bytes: trained.bytes,
    parity: { requests: trained.parityRequests, error: trained.parityError, passed: trained.parityPassed },
    log,
    ...madeOf(trained.made, evaluated.made),
    mlflowRunId: registered.mlflowRunId,
    modelVersion: registered.modelVersion,
    createdAtMs: context.now(),
  });
  await context.state.generations.create(seriesOf(runId), generation, run);
  return resultOf({ generation, document: run });
}

const madeOf = (training: string | undefined, evaluation: string | undefined): Pick<RunRecord, 'made'> =>
  training === undefined && evaluation === undefined ? {} : { made: { training: training ?? null, evaluation: evaluation ?? null } };

/** @throws UND-NOT-FOUND */
export async function requireRun(context: Pick<Context, 'state'>, runId: string): Promise<RunRecord> {
  const run = await findRunRecord(context, runId);
  if (run === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no run ${runId}. \`understudy runs SURFACE\` lists them.`);
  return run;
}

/** The same of a surface's own. @throws UND-NOT-FOUND */
export async function requireRunOf(state: State, surface: string, runId: string): Promise<RunRecord> {
  const run = (await listRuns(state, surface)).find((one) => one.runId === runId);
  if (run === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no run ${runId}. \`understudy runs ${surface}\` lists them.`);
  return run;
}

/**
 * What is needed to make a run again, once it is known to be what it was.
 * @throws UND-NOT-FOUND; UND-ERASED naming the certificate
 */
export async function readRun({ state }: Pick<Context, 'state'>, runId: string): Promise<RunInputs> {
  const run = await requireRun({ state }, runId);
  const prepared = preparedFrom(run);
  const unusable = await checkInputs(openState(state.root).blobs, prepared);
  const recipe = unusable === undefined ? await getDocument(state.blobs, run.recipe, recipeSchema) : undefined;
  const charter = recipe?.trainer && (await readCharter(state.blobs, run.charter));
  const candidate = charter?.candidates.find(({ name }) => name === run.candidate);
  // By what it was trained on then, whatever the charter asked for.
  const gpu = (await recordedMaking(state, run).catch(() => undefined))?.host.gpu;
  const retrain = {
    ...prepared,
    ...(recipe?.tune === undefined ? {} : { tuned: true }),
    ...(recipe && trainerQueue(recipe, candidate)),
    ...(gpu === undefined ? {} : { gpu: { without: 'fail' as const } }),
  };
  const asOf = await evaluatedAsOf(state, run);
  return { retrain, log: run.log, ...(asOf === undefined ? {} : { asOf }), ...(unusable === undefined ? {} : { unusable }) };
}

/** What was deployed when a run was evaluated: by its report, the newest generation from before its record that had this champion. */
async function evaluatedAsOf({ blobs, generations }: State, run: RunRecord): Promise<EvaluatedAsOf | undefined> {
  const champion = await getDocument(blobs, run.report, reportSchema).then(
    (report) => report.champion,
    () => undefined,
  );
  const atMs = run.createdAtMs;
  if (champion === null) return { deployment: null, atMs };
  if (champion === undefined || !(await blobs.has(champion))) return undefined;
  for (let generation = (await latestDeployment(generations, run.surface))?.generation ?? 0; generation > 0; generation -= 1) {
    // One that cannot be read is none that a rerun could meet.
    const spec = await readDeployment(generations, run.surface, generation).catch(() => undefined);
    if (spec !== undefined && spec.createdAtMs <= atMs && spec.champion === champion) return { deployment: generation, atMs };
  }
  return undefined;
}

/** Equal, or the first difference and its cause. @throws UND-NOT-FOUND */
export async function compareRerun(context: Pick<Context, 'state'>, input: { runId: string } & (Finished | { unusable: string })): Promise<RerunResult> {
  return compareRun(context.state, { run: await requireRun(context, input.runId), again: input });
}
