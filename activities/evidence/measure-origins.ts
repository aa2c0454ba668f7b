import { poolOrigins } from '../../experiments/ranking/pool-origins.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { type Recipe, recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { readTest } from '../windows/read-test.ts';
import { readTrain } from '../windows/read-window.ts';
import { itemFacts } from './item-facts.ts';
import type { OfflineInput } from './measure-offline.ts';
import { measureSplit, type SplitEvidence } from './measure-split.ts';
import type { Ranker } from './ranker.ts';
import { trainRanker } from './train-ranker.ts';

type Origins = NonNullable<Report['origins']>;
type OriginInput = OfflineInput & { own: SplitEvidence };

/**
 * The same measurement on the earlier splits that the window has: there the candidate's recipe, and the champion's, are trained on what was known
 * then. What cannot be trained as of then, a guest, what a guest trains or what is made over vectors of now, stands on its one split. Undefined where the charter asks for no more than one.
 */
export async function measureOrigins(state: State, input: OriginInput): Promise<Origins | undefined> {
  const { window, charter, own } = input;
  const asked = charter.window.rollingOrigins;
  if (asked === 1) return undefined;
  const [candidate, champion] = [await recipeOf(state, input.candidate), input.champion === null ? null : await recipeOf(state, input.champion)];
  const splits: Origins['splits'] = [splitOf(window, own)];
  const fixed = { fixed: fixedBy(candidate), championFixed: champion === null ? undefined : fixedBy(champion) };
  const recipes = { candidate, champion: fixed.championFixed === undefined ? champion : null };
  const earlier = fixed.fixed === undefined ? (window.earlier ?? []) : [];
  for (const { train, test, trainSlices, testSlices } of earlier) {
    const then: WindowManifest = { ...window, train, test, trainSlices, testSlices };
    splits.push(splitOf(then, await measureThen(state, { ...input, window: then, recipes })));
  }
  const values = (table: Record<string, Interval>) => Object.fromEntries(Object.entries(table).map(([name, { value }]) => [name, value]));
  const lifts = splits.flatMap(({ lift }) => (lift === null ? [] : [values(lift)]));
  const note = noteOn({ asked, splits: splits.length, isTuned: candidate.tune !== undefined || champion?.tune !== undefined, ...fixed });
  return {
    asked,
    ...(note === undefined ? {} : { note }),
    splits,
    pooled: poolOrigins(splits.map(({ metrics }) => values(metrics))),
    pooledLift: lifts.length === splits.length ? poolOrigins(lifts) : null,
  };
}

const splitOf = ({ train, test }: WindowManifest, { users, metrics, lift }: SplitEvidence) => ({ train, test, users, metrics, lift });

/** Why a recipe cannot be trained as of an earlier split. */
const fixedBy = ({ guest, trainer, embeddings }: Recipe): 'guest' | 'trainer' | 'vectors' | undefined =>
  guest !== null ? 'guest' : trainer !== undefined ? 'trainer' : embeddings === undefined ? undefined : 'vectors';

const fixedNotes = {
  guest: ['a guest comes trained', 'the champion is a guest, which comes trained'],
  trainer: ['a worker of its own trains it once', 'a worker of its own trained the champion'],
  vectors: ['the vectors that it is made over know what came after earlier splits', "the champion's vectors know what came after earlier splits"],
} as const;

type Fixed = ReturnType<typeof fixedBy>;

type Noted = { asked: number; splits: number; isTuned: boolean; fixed: Fixed; championFixed: Fixed };

function noteOn({ asked, splits, isTuned, fixed, championFixed }: Noted): string | undefined {
  if (fixed !== undefined) return `${fixedNotes[fixed][0]}: it is measured on its one split`;
  const notes = [
    ...(splits < asked ? [`the data go back for ${splits} of ${asked} splits`] : []),
    ...(isTuned && splits > 1 ? ['parameters were chosen on days that are later than the earlier splits'] : []),
    ...(championFixed !== undefined && splits > 1 ? [`${fixedNotes[championFixed][1]}: earlier splits have no lift`] : []),
  ];
  return notes.length === 0 ? undefined : notes.join('; ');
}

async function recipeOf({ blobs }: State, artifact: string): Promise<Recipe> {
  const { recipe, params } = await getDocument(blobs, artifact, artifactManifest);
  // Where parameters were chosen, the artifact has the choice.
  return { ...(await getDocument(blobs, recipe, recipeSchema)), params };
}

type Then = OfflineInput & { recipes: { candidate: Recipe; champion: Recipe | null } };

async function measureThen(state: State, { window, charter, catalog, recipes, seed, beat, signal }: Then): Promise<SplitEvidence> {
  const source = { window, blobs: state.blobs, charter, signal };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  const inScope = new Set(train.vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const rankers: Ranker[] = [];
  try {
    for (const recipe of [recipes.candidate, recipes.champion]) {
      if (recipe === null) continue;
      const asTrained = await readTrain({ ...source, recipe });
      rankers.push(await trainRanker({ recipe, train: asTrained, beat, allowed: (itemId) => inScope.has(itemId) }));
    }
    const items = itemFacts(train, catalog);
    return await measureSplit({ candidate: rankers[0] as Ranker, champion: rankers[1] ?? null, charter, catalog, train, test, items, seed, beat });
  } finally {
    await Promise.all(rankers.map((ranker) => ranker.close()));
  }
}
