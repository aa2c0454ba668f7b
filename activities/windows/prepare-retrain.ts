import { drawTrials } from '../../experiments/tuning/draw-trials.ts';
import type { Charter, CandidateRecipe } from '../../models/contracts/charter.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { evaluationWorkflowId, retrainWorkflowId } from '../../models/contracts/messages.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { type Recipe, recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PrepareRequest, PreparedRetrain } from '../api.ts';
import { type Context, readCharter, readLatest } from '../context.ts';
import { ingestEventLog } from '../events/ingest-event-log.ts';
import { currentCharter } from '../registry/charters.ts';
import { latestRecord } from '../registry/runs.ts';
import { recordDecisions } from '../provenance/record-decisions.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { newestSet } from '../embeddings/given-embeddings.ts';
import { storeGuestFolder } from '../training/guest.ts';
import { trainerQueue } from '../training/trainer-queue.ts';
import { earlierRun } from '../training/warm-start.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { Beat } from '../worker.ts';
import { cutWindow } from './cut-window.ts';

/**
 * Takes in what visitors did since, where the charter says so, rotates the window, freezes its manifest and each candidate's recipe, and names
 * the work by their digests.
 */
export async function prepareRetrain(context: Context, request: PrepareRequest, beat: Beat): Promise<PreparedRetrain[]> {
  const { blobs, generations } = context.state;
  const charterDigest = request.charter ?? (await currentCharter(context.state, request.surface));
  const charter = await readCharter(blobs, charterDigest);
  await recordDecisions(context.state, request.surface);
  if (charter.data.log === 'ingest') await ingestEventLog(context, { surface: request.surface, charter: charterDigest }, beat);
  const data = await readLatest(generations, `data/${request.surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${request.surface} has no data yet: run \`understudy ingest\` first`);
  const { rulesDigest } = await getDocument(blobs, data.document.ingest, ingestManifest);
  const cut = cutWindow({ dataState: data.document, charter, rulesDigest });
  const window = await putDocument(blobs, cut);
  const live = (await latestDeployment(generations, request.surface)) !== undefined;
  const prepared: PreparedRetrain[] = [];
  const leftOut: { candidate: string; error: UnderstudyError }[] = [];
  for (const candidate of live ? chosen(charter, request) : first(charter, request)) {
    const frozen = recipeSchema.parse(await freezeRecipe(context, charter, candidate));
    const given = await withEmbeddings(context, { recipe: frozen, candidate, window: cut }).catch((cause) => {
      // The others of the charter need not wait for vectors that one of them may be about to make.
      const error = asUnderstudyError(cause);
      if (request.candidates !== null || error.code !== 'UND-INPUT') throw error;
      leftOut.push({ candidate: candidate.name, error });
    });
    if (given === undefined) continue;
    const recipe = await putDocument(blobs, await withStart(context, { recipe: given, candidate, window: cut }));
    const work = {
      surface: request.surface,
      candidate: candidate.name,
      window,
      recipe,
      charter: charterDigest,
      ...(given.tune === undefined ? {} : { tuned: true }),
      ...trainerQueue(given, candidate),
      ...(candidate.gpu === undefined ? {} : { gpu: candidate.gpu }),
    };
    const attempt = await attemptAt(context, { work, charter, resubmit: request.resubmit ?? false });
    prepared.push(attempt === 1 ? work : { ...work, attempt });
  }
  if (prepared.length === 0 && leftOut[0] !== undefined) throw leftOut[0].error;
  for (const { candidate, error } of leftOut)
    await appendLedger(generations, {
      operationId: `left-out/${window.slice(7, 19)}/${candidate}`,
      atMs: context.now(),
      surface: request.surface,
      action: 'candidate-left-out',
      by: 'retrain',
      releaseId: null,
      detail: { message: error.message, candidate, window },
    });
  if (prepared.length === 1) return prepared;
  const party = prepared.map((one) => evaluationWorkflowId(retrainWorkflowId(one.surface, one.window, one.recipe), one.attempt));
  return prepared.map((one) => ({ ...one, party }));
}

/** A run that was judged by other gates, another reward or another scope is judged anew; any run is, where that is asked for. */
async function attemptAt(context: Context, input: { work: PreparedRetrain; charter: Charter; resubmit: boolean }): Promise<number> {
  const { work, charter } = input;
  const latest = await latestRecord(context, retrainWorkflowId(work.surface, work.window, work.recipe));
  if (latest === undefined) return 1;
  const judgedBy = ({ gates, reward, scope, slate, repeatPolicy, exploration, evaluation }: Charter) =>
    canonicalJson({ gates, reward, scope, slate, repeatPolicy, exploration, evaluation });
  const before = judgedBy(await readCharter(context.state.blobs, latest.document.charter));
  return input.resubmit || before !== judgedBy(charter) ? latest.generation + 1 : latest.generation;
}

/** The bootstrap rule: while nothing is live, its candidate alone may come, without approval and canary; the others are compared with it later. */
function first(charter: Charter, { candidates, guest }: PrepareRequest): CandidateRecipe[] {
  const others = [...(candidates ?? []), ...(guest === null ? [] : [guest.name])].filter((name) => name !== charter.bootstrap);
  if (others.length > 0)
    throw new UnderstudyError(
      'UND-INPUT',
      `Nothing is live on ${charter.surface} yet: ${charter.bootstrap} comes first by the bootstrap rule, then ${others.join(', ')}`,
    );
  return charter.candidates.filter(({ name }) => name === charter.bootstrap);
}

function chosen(charter: Charter, { candidates, guest }: PrepareRequest): CandidateRecipe[] {
  const guests: CandidateRecipe[] = guest === null ? [] : [{ name: guest.name, algorithm: 'guest', params: { folder: guest.folder } }];
  if (candidates === null) return guest === null ? charter.candidates : guests;
  const named = [...new Set(candidates)].map((name) => {
    const found = charter.candidates.find((one) => one.name === name);
    if (found === undefined)
      throw new UnderstudyError('UND-INPUT', `The charter has no candidate ${name}; it has ${charter.candidates.map((one) => one.name).join(', ')}`);
    return found;
  });
  return [...named, ...guests];
}

/** What of a charter decides how good a trial is. */
const judgingOf = ({ reward, scope, slate }: Charter): NonNullable<Recipe['tune']>['judgedBy'] => JSON.parse(canonicalJson({ reward, scope, slate }));

/** Whose an event is, and whether it may be learned from. */
const peopleOf = ({ identity, consent }: Charter): Pick<Recipe, 'people'> =>
  identity === undefined && consent === undefined ? {} : { people: JSON.parse(canonicalJson({ identity: identity ?? null, consent: consent ?? null })) };

/**
 * All that decides what training a candidate gives, besides the window.
 * @throws UND-INPUT where some values to choose from are none for the algorithm
 */
export async function freezeRecipe(context: Pick<Context, 'state'>, charter: Charter, candidate: CandidateRecipe): Promise<Recipe> {
  const { tune, search } = candidate;
  if (tune !== undefined) {
    const algorithm = algorithmNamed(candidate.algorithm);
    for (const params of drawTrials({ space: tune, trials: search?.trials, seed: charter.seed })) parseParams(algorithm, { ...candidate.params, ...params });
  }
  return {
    kind: 'recipe',
    surface: charter.surface,
    candidate: candidate.name,
    algorithm: candidate.algorithm,
    params: candidate.params,
    seed: charter.seed,
    confidence: charter.confidence,
    repeatPolicy: charter.repeatPolicy,
    ...(charter.coldItems === undefined ? {} : { coldItems: charter.coldItems }),
    guest: candidate.algorithm === 'guest' ? await storeGuestFolder(context.state.blobs, candidate.params) : null,
    ...(tune === undefined
      ? {}
      : { tune: { grid: tune, ...(search === undefined ? {} : { search }), metric: charter.gates.primaryMetric, judgedBy: judgingOf(charter) } }),
    ...(candidate.taskQueue === undefined ? {} : { trainer: { taskQueue: candidate.taskQueue } }),
    ...peopleOf(charter),
    ...(candidate.gpu === undefined ? {} : { device: 'gpu' }),
    ...(candidate.index === undefined ? {} : { index: candidate.index }),
    ...(candidate.weights === '8-bit' ? { weights: candidate.weights } : {}),
  };
}

/**
 * The recipe with the artifact that training begins from, where the charter asks for that.
 * @throws UND-INPUT where the algorithm cannot, or not with these parameters
 */
async function withStart(context: Context, input: { recipe: Recipe; candidate: CandidateRecipe; window: WindowManifest }): Promise<Recipe> {
  const { recipe, candidate, window } = input;
  const params = candidate.warmStart;
  if (params === undefined) return recipe;
  const algorithm = recipe.guest === null ? algorithmNamed(recipe.algorithm) : undefined;
  if (algorithm?.warmParams === undefined)
    throw new UnderstudyError('UND-INPUT', `${candidate.name}: ${recipe.algorithm} cannot begin from an earlier run; take its warmStart out of the charter`);
  parseParams(algorithm, { ...recipe.params, ...params });
  return { ...recipe, warmStart: { from: await earlierRun(context, { recipe, window }), params } };
}

/**
 * The recipe with the version of the vectors that the model is made over, where the charter asks for that.
 * @throws UND-INPUT where there are none yet
 */
async function withEmbeddings({ state }: Context, { recipe, candidate, window }: Parameters<typeof withStart>[1]): Promise<Recipe> {
  const of = candidate.embeddings?.of;
  if (of === undefined) return recipe;
  return { ...recipe, embeddings: { of, set: await newestSet(state, { surface: recipe.surface, of, candidate: candidate.name, window }) } };
}
