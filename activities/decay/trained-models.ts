import type { GraphBytes } from '../../models/graph/onnx-builder.ts';
import type { Model } from '../../models/algorithms/algorithm.ts';
import { giveWay } from '../../models/algorithms/checkpoint.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { type DataState, type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { placesNow } from '../training/warm-start.ts';
import { addDays } from '../windows/days.ts';
import { readTrain } from '../windows/read-window.ts';

/** A train part by its last day and its length; begun from the one of a week before, so many weeks in a row. */
export type Ending = { to: string; days: number; warmSteps: number };
export type TrainedModel = { graph: GraphBytes; kept: Uint8Array | undefined; vocabulary: string[]; maxHistory: number; rows: number; seconds: number };

type DayRange = WindowManifest['train'];
type About = { data: DataState; charter: Pick<Charter, 'timeZone' | 'seed' | 'window'>; rulesDigest: string };

/** A window over any days of the data. */
export function windowOver(
  { data, charter, rulesDigest }: About,
  { train, test, testSlices }: Pick<WindowManifest, 'train' | 'test' | 'testSlices'>,
): WindowManifest {
  const trainSlices = slicesWithin(data, train);
  const rowsOf = (slices: WindowManifest['trainSlices']) => slices.reduce((rows, slice) => rows + slice.rows, 0);
  return windowManifest.parse({
    ...{ kind: 'window', surface: data.surface, timeZone: charter.timeZone, train, gapDays: charter.window.gapDays, test, trainSlices, testSlices },
    ...(data.changes === undefined ? {} : { changes: data.changes }),
    ...{ catalog: data.catalog, inStockDays: data.inStockDays ?? null, rulesDigest, seed: charter.seed },
    rows: { train: rowsOf(trainSlices), test: rowsOf(testSlices) },
  });
}

export function slicesWithin({ slices }: DataState, { from, to }: DayRange): WindowManifest['trainSlices'] {
  return slices.filter(({ day, rows }) => rows > 0 && day >= from && day <= to);
}

/** So many models are at hand at a time: an old one at one test part is a fresh one at an earlier. */
const atHand = 12;

type Input = About & { blobs: BlobStore; charter: Charter; recipe: Recipe; now: () => number; signal: AbortSignal | undefined };

/** Models of the recipe, trained when they are asked for. */
export function trainedModels({ blobs, recipe, now, signal, ...about }: Input) {
  const algorithm = algorithmNamed(recipe.algorithm);
  const params = parseParams(algorithm, recipe.params);
  const models = new Map<string, TrainedModel>();
  const { charter } = about;

  function windowOf({ to, days }: Ending): WindowManifest {
    const test = { from: addDays(to, 1), to: about.data.slices.at(-1)?.day ?? to };
    // Whatever comes later: what stands on both sides, from a source that came twice, is the later part's.
    return windowOver(about, { train: { from: addDays(to, 1 - days), to }, test, testSlices: slicesWithin(about.data, test) });
  }

  async function train(end: Ending): Promise<TrainedModel> {
    const before = end.warmSteps > 0 ? await at({ ...end, to: addDays(end.to, -7), warmSteps: end.warmSteps - 1 }) : undefined;
    const { interactions, vocabulary, attributes } = await readTrain({ window: windowOf(end), blobs, charter, recipe, signal });
    const warm = before?.kept === undefined ? undefined : { kept: before.kept, itemNow: placesNow(before.vocabulary, vocabulary) };
    const own = warm === undefined ? params : parseParams(algorithm, { ...(algorithm.warmParams?.(params) as object), ...recipe.warmStart?.params });
    const startedMs = now();
    const onStep = async () => {
      await giveWay();
      signal?.throwIfAborted();
    };
    const model: Model = await algorithm.train({ interactions, params: own, seed: recipe.seed, warm, attributes }, { onStep });
    const seconds = (now() - startedMs) / 1000;
    return { graph: model.exportGraph(), kept: model.keep?.(), vocabulary, maxHistory: model.maxHistory, rows: interactions.items.length, seconds };
  }

  async function at(end: Ending): Promise<TrainedModel> {
    const name = `${end.to} ${end.days} ${end.warmSteps}`;
    const known = models.get(name);
    const model = known ?? (await train(end));
    models.delete(name);
    models.set(name, model);
    for (const oldest of models.keys()) if (models.size > atHand) models.delete(oldest);
    return model;
  }

  return { at, windowOf };
}
