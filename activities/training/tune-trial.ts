import type { TrialParams } from '../../experiments/tuning/draw-trials.ts';
import { sampleUsers } from '../../experiments/tuning/sample-users.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import type { TrialMeasurement } from '../../models/contracts/tuning.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { itemFacts } from '../evidence/item-facts.ts';
import { measureSplit } from '../evidence/measure-split.ts';
import { trainRanker } from '../evidence/train-ranker.ts';
import { readTest } from '../windows/read-test.ts';
import { charterAsOf, readTrain, type TrainData } from '../windows/read-window.ts';

export type Tuned = Recipe & { tune: NonNullable<Recipe['tune']> };

/** @throws UND-INPUT where there is no part of the window to choose on */
export function validationOf({ window, recipe }: { window: WindowManifest; recipe: Tuned }): NonNullable<WindowManifest['validation']> {
  if (window.validation === undefined) throw new UnderstudyError('UND-INPUT', `${recipe.candidate} is tuned, and the window has no validation part`);
  return window.validation;
}

type Opening = { blobs: BlobStore; window: WindowManifest; charter: Charter; recipe: Tuned };
export type Validation = Awaited<ReturnType<typeof openValidation>>;

/**
 * What the trials are trained on and measured on: the days before the window's validation part, and the users of that part. The test part is not read.
 * @throws UND-NO-DATA where nobody in the validation part can be asked for
 */
export async function openValidation({ blobs, window, charter, recipe }: Opening) {
  const split = validationOf({ window, recipe });
  const judging: Charter = { ...charter, ...(recipe.tune.judgedBy as Pick<Charter, 'reward' | 'scope' | 'slate'>) };
  const source = { window: { ...window, ...split }, blobs, charter: charterAsOf(judging, recipe) };
  const train = await readTrain({ ...source, recipe });
  const test = await readTest({ ...source, ...train });
  if (test.users.length === 0)
    throw new UnderstudyError(
      'UND-NO-DATA',
      `Of the validation part, ${split.test.from} to ${split.test.to}, nobody is known from ${split.train.from} to ${split.train.to}: no parameters can be chosen`,
    );
  const catalog = await getDocument(blobs, window.catalog, catalogDocument);
  // Of the whole alone is anything asked.
  const whole: Charter = { ...source.charter, evaluation: { ...charter.evaluation, segments: [] } };
  return { recipe, train, test, catalog, items: itemFacts(train, catalog), charter: whole };
}

type Trial = { trial: number; rung: number; params: TrialParams /** Of the train part's users. */; share: number };
type Running = { beat: () => void; threads?: number | undefined /** Milliseconds. */; now: () => number };

/** What comes of parameters and no machine: other parameters may do. */
const ofTheParams: ReadonlySet<string> = new Set(['UND-TRAINING-DIVERGED', 'UND-TRAINING-MEMORY']);

/**
 * Trains one trial on its share of the users and ranks the catalog for the users of the validation part, those that it was not trained on too, as the
 * report does for those of the test part. Same input, same figures to the bit; the seconds are not.
 */
export async function measureTrial(validation: Validation, { trial, rung, params, share }: Trial, { beat, threads, now }: Running): Promise<TrialMeasurement> {
  const { recipe, train, test, catalog, items, charter } = validation;
  const { userCount } = train.interactions;
  const own = share === 1 ? train : ofUsers(train, sampleUsers({ users: userCount, share, seed: recipe.seed }));
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const startedMs = now();
  const about = () => ({ trial, rung, params, trainUsers: own.interactions.userCount, users: test.users.length, seconds: (now() - startedMs) / 1000 });
  try {
    const ranker = await trainRanker({
      recipe: { ...recipe, params: { ...recipe.params, ...params } },
      train: own,
      beat,
      ...(threads === undefined ? {} : { threads }),
      allowed: (itemId) => inScope.has(itemId),
    });
    try {
      const { metrics } = await measureSplit({ candidate: ranker, champion: null, charter, catalog, train, test, items, seed: recipe.seed, beat });
      const measured = metrics[recipe.tune.metric];
      if (measured === undefined) throw new UnderstudyError('UND-INPUT', `There is no metric ${recipe.tune.metric}`);
      return { ...about(), measured: { value: measured.value, low: measured.low, high: measured.high } };
    } finally {
      await ranker.close();
    }
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    if (!ofTheParams.has(code)) throw error;
    return { ...about(), measured: null, failed: message };
  }
}

type Part = Pick<TrainData, 'interactions' | 'vocabulary' | 'attributes'>;

/** The rows of some users, and the items that are in them; where the catalog describes items, all of them stay, those that are in no row as items that nobody has had. */
export function ofUsers({ interactions, vocabulary, attributes }: Part, taken: Uint8Array): Part {
  const { indptr, items, weights, atMs } = interactions;
  const rows = Array.from(taken.keys()).filter((user) => taken[user] === 1);
  const starts = new Uint32Array(rows.length + 1);
  rows.forEach((user, row) => {
    starts[row + 1] = (starts[row] as number) + (indptr[user + 1] as number) - (indptr[user] as number);
  });
  const entries = starts[rows.length] as number;
  const part = { items: new Uint32Array(entries), weights: new Float32Array(entries), atMs: new Float64Array(entries) };
  rows.forEach((user, row) => {
    const [from, to] = [indptr[user] as number, indptr[user + 1] as number];
    part.items.set(items.subarray(from, to), starts[row]);
    part.weights.set(weights.subarray(from, to), starts[row]);
    part.atMs.set(atMs.subarray(from, to), starts[row]);
  });
  const own = { userCount: rows.length, indptr: starts, ...part };
  if (attributes !== undefined) return { vocabulary, attributes, interactions: { ...own, itemCount: vocabulary.length } };
  const held = new Uint8Array(vocabulary.length);
  for (const item of part.items) held[item] = 1;
  const numbers = new Int32Array(vocabulary.length).fill(-1);
  const kept = vocabulary.filter((_, item) => held[item] === 1);
  let next = 0;
  for (let item = 0; item < numbers.length; item += 1) if (held[item] === 1) numbers[item] = next++;
  return { vocabulary: kept, interactions: { ...own, itemCount: kept.length, items: part.items.map((item) => numbers[item] as number) } };
}
