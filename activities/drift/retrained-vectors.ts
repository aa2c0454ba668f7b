import { z } from 'zod';
import { giveWay } from '../../models/algorithms/checkpoint.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { digestString } from '../../models/contracts/ids.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { type Recipe, recipe as recipeSchema, withoutStart } from '../../models/contracts/recipe.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { putEmbeddingSet, readEmbeddingSet } from '../../stores/embedding-sets.ts';
import { readLatest, type State } from '../context.ts';
import { readTrain } from '../windows/read-window.ts';
import type { ItemVectors } from './compare-models.ts';

/** In the series `retrained/<surface>/<24 hex digits of its key>`: the vectors of one retraining. It is of items only. */
const retrained = z.strictObject({ kind: z.literal('retrained'), key: digestString, set: digestString });

export type Origin = { artifact: string; window: WindowManifest; recipe: Recipe; seed: number };

/** What an artifact was made of. @throws UND-NOT-FOUND, UND-ERASED */
export async function originOf({ blobs }: Pick<State, 'blobs'>, artifact: string): Promise<Origin> {
  const manifest = await getDocument(blobs, artifact, artifactManifest);
  const recipe = await getDocument(blobs, manifest.recipe, recipeSchema);
  // What was chosen, where it was.
  return { artifact, window: await getDocument(blobs, manifest.window, windowManifest), recipe: { ...recipe, params: manifest.params }, seed: manifest.seed };
}

/** The item vectors of an artifact; undefined where its model has none of its own. */
export async function vectorsOfArtifact({ blobs }: Pick<State, 'blobs'>, artifact: string): Promise<ItemVectors | undefined> {
  const { embeddings, algorithm } = await getDocument(blobs, artifact, artifactManifest);
  if (embeddings === undefined || algorithmNamed(algorithm).embeddings !== 'made') return undefined;
  const { ids, vectors, set } = await readEmbeddingSet(blobs, embeddings);
  return { itemIds: ids, vectors, dimensions: set.dimensions };
}

type Input = {
  origin: Origin;
  charter: Charter;
  count: number /** Those that were made before, and none else. */;
  onlyKept: boolean;
  onTraining: (number: number) => void;
  signal?: AbortSignal | undefined;
};

/**
 * Item vectors of trainings of the same recipe on the same window with seeds + 1, + 2, …: those that are kept, and where it is asked for those that are missing. A recipe
 * that begins from an earlier run is trained from nothing.
 */
export async function retrainedVectors(state: State, { origin, charter, count, onlyKept, onTraining, signal }: Input): Promise<ItemVectors[]> {
  const { recipe, window } = origin;
  const found: ItemVectors[] = [];
  for (let number = 1; number <= count; number += 1) {
    const seed = origin.seed + number;
    const key = digestJson({ version: 1, recipe: { ...withoutStart(recipe), params: recipe.params }, window, seed });
    const series = `retrained/${window.surface}/${key.slice(7, 31)}`;
    const kept = await readKept(state, series, key);
    if (kept === undefined && onlyKept) break;
    if (kept === undefined) onTraining(number);
    found.push(kept ?? (await train(state, { origin, charter, seed, series, key, signal })));
  }
  return found;
}

async function readKept(state: State, series: string, key: string): Promise<ItemVectors | undefined> {
  const document = (await readLatest(state.generations, series, retrained))?.document;
  if (document?.key !== key) return undefined;
  try {
    const { ids, vectors, set } = await readEmbeddingSet(state.blobs, document.set);
    return { itemIds: ids, vectors, dimensions: set.dimensions };
  } catch (error) {
    // Gone by an erasure, or damaged: made again.
    if (asUnderstudyError(error).code === 'UND-INTERNAL') throw error;
    return undefined;
  }
}

type One = { origin: Origin; charter: Charter; seed: number; series: string; key: string; signal?: AbortSignal | undefined };

async function train(state: State, { origin, charter, seed, series, key, signal }: One): Promise<ItemVectors> {
  const { recipe, window } = origin;
  const algorithm = algorithmNamed(recipe.algorithm);
  const { interactions, vocabulary, attributes } = await readTrain({ window, blobs: state.blobs, charter, recipe, signal });
  const onStep = async () => {
    await giveWay();
    signal?.throwIfAborted();
  };
  const model = await algorithm.train({ interactions, params: parseParams(algorithm, recipe.params), seed, attributes }, { onStep });
  const made = model.embeddings?.();
  if (made === undefined) throw new UnderstudyError('UND-INPUT', `${recipe.candidate} has no item vectors to compare`);
  const { window: windowDigest, recipe: recipeDigest } = await getDocument(state.blobs, origin.artifact, artifactManifest);
  const set = await putEmbeddingSet(state.blobs, {
    ...{ surface: window.surface, dimensions: made.dimensions, measure: made.measure, vectors: made.vectors },
    ids: new TextEncoder().encode(JSON.stringify(vocabulary)),
    madeBy: { window: windowDigest, recipe: recipeDigest, seed },
  });
  const generation = ((await state.generations.latest(series))?.generation ?? 0) + 1;
  await state.generations.create(series, generation, { kind: 'retrained', key, set }).catch((error: unknown) => {
    // Two that train at once make the same.
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
  });
  return { itemIds: vocabulary, vectors: made.vectors, dimensions: made.dimensions };
}
