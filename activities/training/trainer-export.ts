import { type GraphFiles, graphFiles } from '../../models/graph/graph-files.ts';
import type { z } from 'zod';
import { type ParityRecord, weightsFile } from '../../models/contracts/artifact.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { factorsManifest, trainAnswer } from '../../models/contracts/train-job.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { modelOverFactors } from '../../models/algorithms/ials/given-factors.ts';
import { makeParityRecord, mixedHistories } from '../../models/graph/parity.ts';
import { checkOutsideWeights } from '../../models/graph/outside-weights.ts';
import { putGraph } from '../../stores/artifacts.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { TrainRequest } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { digestTrain } from '../rerun/digest-parts.ts';
import { readTrain, type TrainData } from '../windows/read-window.ts';
import type { Beat } from '../worker.ts';
import { jobFolder } from './checkpoints.ts';
import { checked, guestManifest, maxGraphBytes, parseJson } from './guest.ts';
import type { Export } from './train-candidate.ts';
import { isThere, outFolder, readOwnFile } from './trainer-files.ts';
import { tryGuest } from './try-guest.ts';

const maxManifestBytes = 64 * 1024;
/** As iALS by itself. */
const foldInSteps = 8;

type Made = { files: GraphFiles; parity: ParityRecord; maxHistory: number };

/**
 * What a worker of somebody else's left in its job's `out/`: a graph, which is tried in a process of its own as a guest's is, or vectors of items, over which the
 * graph of iALS is made here.
 * @throws UND-ARTIFACT naming what is missing or wrong
 */
export async function trainerExport(context: Context, input: TrainRequest, recipe: Recipe, { signal, ...of }: Beat): Promise<Export> {
  const { blobs } = context.state;
  const { name, path } = jobFolder(context.state, input, of);
  const answer = checked(trainAnswer.safeParse(input.answer), 'What the trainer answered');
  if (answer.folder !== name) throw new UnderstudyError('UND-ARTIFACT', `The trainer answered of the folder ${answer.folder}; its job's is ${name}`);
  const window = await getDocument(blobs, input.window, windowManifest);
  const charter = await readCharter(blobs, input.charter);
  // Not as it stands in the folder: there it may be another one by now.
  const train = await readTrain({ window, blobs, charter, recipe, signal });
  const out = await outFolder(path);
  const isGraph = await isThere(out, 'recommend.onnx');
  if (isGraph && (await isThere(out, 'factors.f32')))
    throw new UnderstudyError('UND-ARTIFACT', 'out/ holds recommend.onnx and factors.f32: one of the two is the model');
  const made = isGraph ? await graphOf(context, { out, train }) : await graphOverFactors(context, { out, train, seed: recipe.seed });
  return {
    files: { ...made.files, 'vocabulary.json': Buffer.from(JSON.stringify(train.vocabulary)) },
    maxHistory: made.maxHistory,
    vocabulary: train.vocabulary,
    parity: made.parity,
    trainSeconds: answer.seconds,
    resumedFrom: answer.resumedFrom,
    params: recipe.params,
    matrix: digestTrain(train),
  };
}

type Left = { out: string; train: TrainData };

async function graphOf({ state: { blobs } }: Context, { out, train: { vocabulary } }: Left): Promise<Made> {
  const { maxHistory } = await manifestOf(out, guestManifest);
  const bytes = await readOwnFile(out, 'recommend.onnx', { maxBytes: maxGraphBytes });
  const weights = (await isThere(out, weightsFile)) ? await readOwnFile(out, weightsFile, { maxBytes: maxGraphBytes }) : undefined;
  const files = graphFiles({ bytes, weights: checkOutsideWeights(bytes, weights?.length) ? weights : undefined });
  // What is tried is what is kept, whatever becomes of the files.
  const path = await putGraph(blobs, { ...files });
  return { files, maxHistory, parity: await tryGuest({ path, itemCount: vocabulary.length, maxHistory }) };
}

async function graphOverFactors({ trainingThreads: threads }: Context, { out, train: { interactions }, seed }: Left & { seed: number }): Promise<Made> {
  if (!(await isThere(out, 'factors.f32'))) throw new UnderstudyError('UND-ARTIFACT', 'out/ lacks recommend.onnx or factors.f32');
  const { dimensions, alpha, lambda, frequencyScaling, maxHistory } = await manifestOf(out, factorsManifest);
  const { itemCount } = interactions;
  const bytes = { count: 4 * itemCount * dimensions, why: `${itemCount} items of ${dimensions} float32` };
  const read = await readOwnFile(out, 'factors.f32', { maxBytes: maxGraphBytes, bytes });
  const numbers = new DataView(read.buffer, read.byteOffset, read.byteLength);
  const factors = Float32Array.from({ length: itemCount * dimensions }, (_, place) => numbers.getFloat32(4 * place, true));
  const settings = { alpha, lambda, frequencyScaling, foldInSteps };
  const model = await modelOverFactors({ factors, dimensions, settings, maxHistory, interactions, threads });
  const histories = mixedHistories({ interactions, maxHistory, seed, count: 20 });
  return { files: graphFiles(model.exportGraph()), maxHistory, parity: makeParityRecord({ model, itemCount, maxHistory, seed, histories }) };
}

async function manifestOf<T>(out: string, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readOwnFile(out, 'guest.json', { maxBytes: maxManifestBytes });
  return checked(schema.safeParse(parseJson(bytes.toString('utf8'), 'out/guest.json')), 'out/guest.json');
}
