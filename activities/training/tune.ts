import { z } from 'zod';
import type { Charter } from '../../models/contracts/charter.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { combinations, type Recipe, type Tuning, tuning } from '../../models/contracts/recipe.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { itemFacts } from '../evidence/item-facts.ts';
import { measureSplit } from '../evidence/measure-split.ts';
import { trainRanker } from '../evidence/train-ranker.ts';
import { readTest } from '../windows/read-test.ts';
import { charterAsOf, readTrain } from '../windows/read-window.ts';

/** In the artifact; it serves nobody. */
export const tuningFile = 'tuning.json';

type Trial = Tuning['trials'][number];
type Tuned = Recipe & { tune: NonNullable<Recipe['tune']> };
type Input = {
  blobs: BlobStore;
  window: WindowManifest;
  charter: Charter;
  recipe: Recipe;
  /** What an earlier attempt said last. */
  resumeDetails: unknown;
  beat: (details?: unknown) => void;
  threads?: number;
};

/**
 * Trains each combination of the recipe's grid on the days before the window's validation part, ranks the catalog for the users of that part as the
 * report does for those of the test part, and says which was best. The test part is not read. Same input, same trials to the bit, whenever it
 * was cut off. Undefined where the recipe leaves nothing to choose.
 * @throws UND-NO-DATA where nobody in the validation part can be asked for
 */
export async function chooseParams(input: Input): Promise<Tuning | undefined> {
  const { recipe } = input;
  return recipe.tune === undefined ? undefined : tune({ ...input, recipe: { ...recipe, tune: recipe.tune } });
}

async function tune({ threads, blobs, window, charter, recipe, resumeDetails, beat }: Input & { recipe: Tuned }): Promise<Tuning> {
  const { validation } = window;
  const { grid, metric, judgedBy } = recipe.tune;
  if (validation === undefined) throw new UnderstudyError('UND-INPUT', `${recipe.candidate} is tuned, and the window has no validation part`);
  const { train: days, test: validated } = validation;
  const then: WindowManifest = { ...window, ...validation };
  const judging: Charter = { ...charter, ...(judgedBy as Pick<Charter, 'reward' | 'scope' | 'slate'>) };
  const source = { window: then, blobs, charter: charterAsOf(judging, recipe) };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  if (test.users.length === 0)
    throw new UnderstudyError(
      'UND-NO-DATA',
      `Of the validation part, ${validated.from} to ${validated.to}, nobody is known from ${days.from} to ${days.to}: no parameters can be chosen`,
    );
  const catalog = await getDocument(blobs, window.catalog, catalogDocument);
  const items = itemFacts(train, catalog);
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  // Of the whole alone is anything asked.
  const whole: Charter = { ...source.charter, evaluation: { ...charter.evaluation, segments: [] } };
  const all = combinations(grid);
  const trials = trialsIn(resumeDetails, all);
  for (const params of all.slice(trials.length)) {
    const ranker = await trainRanker({
      recipe: { ...recipe, params: { ...recipe.params, ...params } },
      train,
      beat,
      threads,
      allowed: (itemId) => inScope.has(itemId),
    });
    try {
      const { metrics } = await measureSplit({ candidate: ranker, champion: null, charter: whole, catalog, train, test, items, seed: recipe.seed, beat });
      const measured = metrics[metric];
      if (measured === undefined) throw new UnderstudyError('UND-INPUT', `There is no metric ${metric}`);
      trials.push({ params, value: measured.value, low: measured.low, high: measured.high });
    } finally {
      await ranker.close();
    }
    beat({ trials, total: all.length });
  }
  const chosen = trials.reduce((best, { value }, index) => (value > (trials[best]?.value ?? value) ? index : best), 0);
  return tuning.parse({ kind: 'tuning', metric, train: days, validation: validated, users: test.users.length, trials, chosen });
}

const said = z.looseObject({ trials: tuning.shape.trials });

/** Those of an earlier attempt, as far as they are the same. */
function trialsIn(details: unknown, all: readonly Trial['params'][]): Trial[] {
  const trials = said.safeParse(details).data?.trials ?? [];
  const differs = trials.findIndex(({ params }, index) => canonicalJson(params) !== canonicalJson(all[index] ?? null));
  return differs === -1 ? trials : trials.slice(0, differs);
}
