import { retrainWorkflowId } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type RunRecord, runRecord } from '../../models/contracts/release.ts';
import type { Finished, PreparedRetrain, Registered, RerunResult, RetrainResult, SealedLog, Trained } from '../api.ts';
import { type Context, type State, readLatest } from '../context.ts';

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
  return runs.sort((a, b) => a.createdAtMs - b.createdAtMs || a.runId.localeCompare(b.runId));
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
    bytes: trained.bytes,
    parity: { requests: trained.parityRequests, error: trained.parityError, passed: trained.parityPassed },
    log,
    mlflowRunId: registered.mlflowRunId,
    modelVersion: registered.modelVersion,
    createdAtMs: context.now(),
  });
  await context.state.generations.create(seriesOf(runId), generation, run);
  return resultOf({ generation, document: run });
}

async function requireRun(context: Context, runId: string): Promise<RunRecord> {
  const run = await findRunRecord(context, runId);
  if (run === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no run ${runId}. \`understudy runs SURFACE\` lists them.`);
  return run;
}

export async function readRun(context: Context, runId: string): Promise<{ retrain: PreparedRetrain; log: SealedLog }> {
  const run = await requireRun(context, runId);
  return { retrain: preparedFrom(run), log: run.log };
}

/** Equal, or the first difference: artifact file by file, then metric by metric. */
export async function compareRerun(context: Context, input: Finished & { runId: string }): Promise<RerunResult> {
  const run = await requireRun(context, input.runId);
  const pairs = [
    { what: 'artifact', first: run.artifact, again: input.trained.artifact },
    { what: 'metrics', first: run.metrics, again: input.evaluated.metrics },
  ];
  const different = pairs.find((pair) => pair.first !== pair.again);
  const firstDifference = different === undefined ? null : `${different.what}${await firstDifferenceOf(context, different.first, different.again)}`;
  return {
    runId: run.runId,
    equal: different === undefined,
    artifact: { first: run.artifact, again: input.trained.artifact },
    metrics: { first: run.metrics, again: input.evaluated.metrics },
    firstDifference,
  };
}

async function firstDifferenceOf(context: Context, first: string, again: string): Promise<string> {
  const [before, after] = await Promise.all(
    [first, again].map(async (digest) => JSON.parse(Buffer.from(await context.state.blobs.get(digest)).toString('utf8')) as unknown),
  );
  return describe(before, after) ?? ' (same document, other bytes)';
}

function describe(before: unknown, after: unknown): string | undefined {
  if (typeof before !== 'object' || before === null || typeof after !== 'object' || after === null)
    return Object.is(before, after) ? undefined : `: ${JSON.stringify(before)} became ${JSON.stringify(after)}`;
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const inside = describe((before as Record<string, unknown>)[key], (after as Record<string, unknown>)[key]);
    if (inside !== undefined) return `/${key}${inside}`;
  }
  return undefined;
}
