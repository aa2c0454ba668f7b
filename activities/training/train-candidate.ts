import { graphFiles } from '../../models/graph/graph-files.ts';
import { z } from 'zod';
import type { Embeddings } from '../../models/algorithms/algorithm.ts';
import { giveWay } from '../../models/algorithms/checkpoint.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import {
  type ArtifactFiles,
  type ArtifactManifest,
  indexChoice,
  type ParityRecord,
  recommendGraphInterface,
  type RetrievalWay,
} from '../../models/contracts/artifact.ts';
import type { Gpu } from '../../models/gpu/gpu.ts';
import { canonicalJson, digestBytes } from '../../models/contracts/digest.ts';
import { type Recipe, recipe as recipeSchema, type TrainingStart } from '../../models/contracts/recipe.ts';
import { tuning } from '../../models/contracts/tuning.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import type { Choice } from '../../models/graph/retrieval/choose-way.ts';
import { checkParity, makeParityRecord, mixedHistories } from '../../models/graph/parity.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import { putArtifact, putGraph } from '../../stores/artifacts.ts';
import { getDocument } from '../../stores/blobs.ts';
import { putEmbeddingSet } from '../../stores/embedding-sets.ts';
import type { PreparedRetrain, Trained, TrainRequest } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import type { Beat } from '../worker.ts';
import { givenEmbeddings } from '../embeddings/given-embeddings.ts';
import { readTrain } from '../windows/read-window.ts';
import { digestTrain } from '../rerun/digest-parts.ts';
import { ownCodeDigest, putMaking } from '../rerun/making.ts';
import { type Checkpoints, withCheckpoints } from './checkpoints.ts';
import { chooseIndex, indexFile, listedParity } from './choose-index.ts';
import { loadGuest } from './guest.ts';
import { type LearningCurve, withCurve } from './learning-curve.ts';
import { distillationFile, stateDistillation } from './state-distillation.ts';
import { withGpu } from './with-gpu.ts';
import { trainerExport } from './trainer-export.ts';
import { tryGuest } from './try-guest.ts';
import { chooseParams, tuningFile } from './tune.ts';
import { beginning, trainFrom, warmFile } from './warm-start.ts';

export async function readRecipe(context: Context, digest: string): Promise<Recipe> {
  return getDocument(context.state.blobs, digest, recipeSchema);
}

export type Export = {
  files: ArtifactFiles;
  maxHistory: number;
  vocabulary: string[];
  parity: ParityRecord;
  trainSeconds: number;
  resumedFrom: number;
  /** The recipe's, and those that were chosen. */
  params: Recipe['params'];
  start?: TrainingStart | undefined;
  /** What the model knows its items by, where it made that itself. */
  embeddings?: Embeddings | undefined;
  /** How the graph finds its best items, where that was chosen. */
  retrieval?: RetrievalWay | undefined;
  /** Digest of the train part; a guest has none. */
  matrix?: string;
  /** On which it was trained; absent: on the CPU. */
  gpu?: string | undefined;
};

/** A checkpoint at most this often: each is a file, and losing a few seconds of training costs less than writing many. */
const checkpointEveryMs = 5_000;

/** Trains the recipe on the window, exports the graph, checks it against the trainer and stores the artifact. */
export async function trainCandidate(context: Context, input: TrainRequest, beat: Beat): Promise<Trained & { start?: TrainingStart }> {
  const { blobs, generations } = context.state;
  const recipe = await readRecipe(context, input.recipe);
  const exported = await exportOf(context, input, recipe, beat);
  // What a replica holds for slates: not what is kept for a later training, nor vectors, which are loaded where they are asked for.
  const idle: readonly string[] = [warmFile, tuningFile, indexFile, distillationFile];
  const bytes = Object.entries(exported.files).reduce((sum, [name, file]) => (idle.includes(name) ? sum : sum + file.byteLength), 0);
  const path = await putGraph(blobs, exported.files);
  const graph = await openRecommendGraph({ path, itemCount: exported.vocabulary.length, maxHistory: exported.maxHistory });
  try {
    const parity = await parityOf(graph, exported);
    const checked = await checkParity({ graph, record: parity });
    const manifest: ArtifactManifest = {
      kind: 'artifact',
      interface: recommendGraphInterface,
      surface: input.surface,
      candidate: input.candidate,
      algorithm: recipe.algorithm,
      params: exported.params,
      window: input.window,
      recipe: input.recipe,
      seed: recipe.seed,
      itemCount: exported.vocabulary.length,
      maxHistory: exported.maxHistory,
      files: Object.fromEntries(Object.entries(exported.files).map(([name, file]) => [name, digestBytes(file)])),
      ...(await embeddingsOf(context, { input, recipe, exported })),
    };
    const artifact = await putArtifact({ blobs, generations, manifest, files: exported.files, parity });
    return {
      artifact,
      parityRequests: checked.requests,
      parityError: checked.largestError,
      parityPassed: checked.passed,
      trainSeconds: exported.trainSeconds,
      bytes,
      resumedFrom: exported.resumedFrom,
      ...(exported.start === undefined ? {} : { start: exported.start }),
      made: await putMaking(blobs, { train: exported.matrix, start: exported.start && canonicalJson(exported.start) }, exported.gpu),
    };
  } finally {
    await graph.close();
  }
}

function exportOf(context: Context, input: TrainRequest, recipe: Recipe, beat: Beat): Promise<Export> {
  if (recipe.trainer !== undefined) return trainerExport(context, input, recipe, beat);
  if (recipe.guest !== null) return guest(context, recipe);
  return withGpu(context, input, (gpu) =>
    withCheckpoints(context, input, beat, (checkpoints) =>
      withCurve(context, { work: input, beat }, (curve) => train(context, input, recipe, { ...beat, checkpoints, curve, gpu })),
    ),
  );
}

type Made = { input: PreparedRetrain; recipe: Recipe; exported: Export };

/** The set that the model made, stored; or the one that it was given, which the two share. */
async function embeddingsOf(context: Context, { input, recipe, exported }: Made): Promise<Pick<ArtifactManifest, 'embeddings'>> {
  const { embeddings, files } = exported;
  if (recipe.embeddings !== undefined) return { embeddings: recipe.embeddings.set };
  if (embeddings === undefined) return {};
  const madeBy = { window: input.window, recipe: input.recipe, seed: recipe.seed };
  return { embeddings: await putEmbeddingSet(context.state.blobs, { surface: input.surface, madeBy, ids: files['vocabulary.json'], ...embeddings }) };
}

/** Lists alone may leave something out. */
const parityOf = async (graph: RecommendGraph, { retrieval, parity }: Export): Promise<ParityRecord> =>
  retrieval?.way === 'inverted-lists' ? listedParity(graph, parity) : parity;

type Training = Beat & { checkpoints: Checkpoints; curve: LearningCurve; gpu: Gpu | undefined };

async function train(context: Context, input: TrainRequest, asked: Recipe, { beat, resumeDetails, checkpoints, curve, gpu }: Training): Promise<Export> {
  const { blobs } = context.state;
  const algorithm = algorithmNamed(asked.algorithm);
  const window = await getDocument(blobs, input.window, windowManifest);
  const charter = await readCharter(blobs, input.charter);
  const { now, trainingThreads: threads } = context;
  const chosen = input.tuning === undefined ? await chooseParams({ threads, now, blobs, window, charter, recipe: asked, resumeDetails, beat }) : undefined;
  const tuned = input.tuning === undefined ? chosen?.tuning : await getDocument(blobs, input.tuning, tuning);
  const recipe = tuned === undefined ? asked : { ...asked, params: { ...asked.params, ...tuned.trials[tuned.chosen]?.params } };
  const { interactions, vocabulary, attributes } = await readTrain({ window, blobs, charter, recipe });
  const embeddings = recipe.embeddings && (await givenEmbeddings(context.state, { ...recipe.embeddings, vocabulary }));
  const begun = await beginning(context.state, { algorithm, recipe, interactions, vocabulary });
  const from = begun.warm === undefined ? null : (recipe.warmStart?.from ?? null);
  // Nor is one of another GPU, or of the CPU.
  const code = [await ownCodeDigest(), gpu?.name].join(' ').trim();
  const { resume, checkpoint } = await usableCheckpoint({ context, checkpoints, details: resumeDetails, from, code });
  const startedMs = context.now();
  let savedMs = startedMs;
  const { model, start } = await trainFrom({
    begun,
    otherwise: parseParams(algorithm, recipe.params),
    train: ({ params, warm }) =>
      algorithm.train(
        { interactions, params, seed: recipe.seed, warm, embeddings, attributes },
        {
          threads,
          gpu,
          resumeFrom: begun.warm === warm ? checkpoint : undefined,
          onStep: async (step) => {
            // The event loop gets its turn here: heartbeats leave, a cancellation arrives.
            await giveWay();
            curve.add(step);
            if (context.now() - savedMs < checkpointEveryMs) return beat();
            savedMs = context.now();
            const { done, total, note } = step;
            const leftMs = Math.round(((savedMs - startedMs) * (total - done)) / (done - (resume?.done ?? 0)));
            beat({ checkpoint: await checkpoints.put(await step.checkpoint()), done, total, note, leftMs, from, code, measurements: chosen?.measurements });
          },
        },
      ),
  });
  const trainSeconds = (context.now() - startedMs) / 1000;
  const asking = { state: context.state, work: input, model, interactions, seed: recipe.seed, beat: () => giveWay().then(() => beat()) };
  const { index: constraint, weights } = recipe;
  const choice = (constraint ?? weights) && (await chooseIndex({ ...asking, constraint, weights }));
  const served = choice?.model ?? model;
  const parity = makeParityRecord({
    model: served,
    itemCount: vocabulary.length,
    maxHistory: model.maxHistory,
    seed: recipe.seed,
    histories: mixedHistories({ interactions, maxHistory: model.maxHistory, seed: recipe.seed, count: 20 }),
  });
  const kept = recipe.warmStart === undefined ? undefined : model.keep?.();
  const distilled = model.distillation?.();
  return {
    files: {
      ...graphFiles(served.exportGraph({ retrieval: choice?.retrieval })),
      'vocabulary.json': Buffer.from(JSON.stringify(vocabulary)),
      ...(kept === undefined ? {} : { [warmFile]: kept }),
      ...(choice === undefined ? {} : { [indexFile]: indexBytes(choice) }),
      ...(distilled === undefined ? {} : { [distillationFile]: Buffer.from(canonicalJson(stateDistillation(distilled, recipe.seed))) }),
      ...(tuned === undefined ? {} : { [tuningFile]: Buffer.from(canonicalJson(tuned)) }),
    },
    maxHistory: model.maxHistory,
    vocabulary,
    parity,
    trainSeconds,
    resumedFrom: resume?.done ?? 0,
    params: recipe.params,
    start,
    embeddings: model.embeddings?.(),
    retrieval: choice?.retrieval,
    matrix: digestTrain({ interactions, vocabulary, attributes }),
    gpu: gpu?.name,
  };
}

const indexBytes = ({ retrieval, weights }: Choice): Buffer => Buffer.from(canonicalJson(indexChoice.parse({ kind: 'index', retrieval, weights })));

/** A checkpoint that cannot be read, of a training that began elsewhere, or made by other code, costs time, not the training: it begins anew. */
async function usableCheckpoint({
  context,
  checkpoints,
  details,
  from,
  code,
}: {
  context: Context;
  checkpoints: Checkpoints;
  details: unknown;
  from: string | null;
  code: string;
}): Promise<{ resume?: { done: number }; checkpoint?: Uint8Array | undefined }> {
  const resume = checkpointOf(details);
  if (resume === undefined || resume.from !== from) return {};
  if (resume.code !== code) {
    context.log(`the checkpoint at step ${resume.done} was made by other code, training begins anew`);
    return {};
  }
  try {
    return { resume, checkpoint: await checkpoints.get(resume.checkpoint) };
  } catch (error) {
    context.log(`the checkpoint at step ${resume.done} cannot be read, training begins anew: ${error instanceof Error ? error.message : error}`);
    return {};
  }
}

const saidBefore = z.looseObject({
  checkpoint: z.string(),
  done: z.number().default(0),
  from: z.string().nullable().default(null),
  code: z.string().optional(),
});

const checkpointOf = (details: unknown): z.infer<typeof saidBefore> | undefined => saidBefore.safeParse(details).data;

async function guest(context: Context, recipe: Recipe): Promise<Export> {
  const { files, vocabulary, graphPath, manifest } = await loadGuest(context.state.blobs, recipe.guest ?? '');
  const { maxHistory } = manifest;
  return {
    files,
    maxHistory,
    vocabulary,
    // A guest has no trainer here: what its graph answers now is what every replica must answer.
    parity: await tryGuest({ path: graphPath, itemCount: vocabulary.length, maxHistory }),
    trainSeconds: 0,
    resumedFrom: 0,
    params: recipe.params,
  };
}
