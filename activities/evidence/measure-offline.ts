import { beyondAccuracy, beyondNames, ExposureTally, type ItemFacts, longTail } from '../../experiments/ranking/catalog.ts';
import { GroupedMeans } from '../../experiments/ranking/grouped-means.ts';
import { measureUser, metricNames } from '../../experiments/ranking/metrics.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { State } from '../context.ts';
import { readTest, type TestData, type TestUser } from '../windows/read-test.ts';
import { readTrain, type TrainData } from '../windows/read-window.ts';
import { openRanker, type Ranker } from './ranker.ts';

export type OfflineEvidence = Pick<Report, 'users' | 'metrics' | 'championMetrics' | 'lift' | 'slices'>;

const cutoffs = [10, 20];
const beyondCutoff = 10;
/** Users and items with fewer training events than this are cold. */
const coldBelow = 5;
const sliceNames = ['cold-users', 'cold-items'] as const;
type Slices = Record<(typeof sliceNames)[number], GroupedMeans>;

type Input = {
  window: WindowManifest;
  charter: Charter;
  catalog: readonly CatalogItem[];
  candidate: string;
  champion: string | null;
  seed: number;
  beat: () => void;
  signal: AbortSignal;
};

/** Ranks the full catalog for the test part's users, with candidate and champion, and compares them user by user. */
export async function measureOffline(state: State, input: Input): Promise<OfflineEvidence> {
  const { window, charter, catalog, seed, beat, signal } = input;
  const source = { window, blobs: state.blobs, charter, signal };
  const train = await readTrain(source);
  const test = await readTest({ ...source, ...train });
  const items = itemFacts(train, catalog);
  const candidate = await openArm(state, { artifact: input.candidate, train, test });
  const champion = input.champion === null ? null : await openArm(state, { artifact: input.champion, train, test });
  try {
    for (const [number, user] of test.users.entries()) {
      const baseline = mostPopular(items.popular, user, test.scopeBias);
      await candidate.add(user, { baseline, items });
      await champion?.add(user, { baseline, items });
      if (number % 200 === 0) beat();
    }
  } finally {
    await Promise.all([candidate.close(), champion?.close()]);
  }
  const settings = { seed, replications: 500 };
  const none = test.users.length === 0;
  return {
    users: test.users.length,
    metrics: none ? {} : candidate.summarize(settings),
    championMetrics: champion === null || none ? null : champion.summarize(settings),
    lift: champion === null || none ? null : candidate.means.lift(champion.means, settings),
    slices: Object.fromEntries(sliceNames.map((name) => [name, sliceOf({ mine: candidate.slices[name], theirs: champion?.slices[name], settings })])),
  };
}

function sliceOf({ mine, theirs, settings }: { mine: GroupedMeans; theirs: GroupedMeans | undefined; settings: { seed: number; replications: number } }) {
  if (mine.users === 0) return { users: 0, metrics: {}, lift: null };
  return { users: mine.users, metrics: mine.intervals(settings), lift: theirs === undefined ? null : mine.lift(theirs, settings) };
}

type Facts = ItemFacts & { popular: number[]; isCold: (item: number) => boolean };

function itemFacts({ interactions, vocabulary }: TrainData, catalog: readonly CatalogItem[]): Facts {
  const events = new Float64Array(vocabulary.length);
  const usersOfItem = new Float64Array(vocabulary.length);
  for (let user = 0; user < interactions.userCount; user += 1) {
    const row = interactions.items.subarray(interactions.indptr[user], interactions.indptr[user + 1]);
    for (const item of row) events[item] = (events[item] as number) + 1;
    for (const item of new Set(row)) usersOfItem[item] = (usersOfItem[item] as number) + 1;
  }
  const words = new Map(catalog.map(({ itemId, title, category, brand }) => [itemId, wordsOf(title, category, brand)]));
  const wordsOfItem = vocabulary.map((itemId) => words.get(itemId) ?? new Set<string>());
  return {
    usersOfItem,
    userCount: interactions.userCount,
    tail: longTail(events),
    popular: vocabulary.map((_, item) => item).sort((a, b) => (events[b] as number) - (events[a] as number) || a - b),
    isCold: (item) => (events[item] as number) < coldBelow,
    distance: (one, other) => jaccardDistance(wordsOfItem[one] as Set<string>, wordsOfItem[other] as Set<string>),
  };
}

function wordsOf(...texts: (string | undefined)[]): Set<string> {
  return new Set(texts.flatMap((text) => text?.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []));
}

/** One minus shared words over all words; items of which nothing is known are as far apart as can be. */
function jaccardDistance(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  let shared = 0;
  for (const word of one) if (other.has(word)) shared += 1;
  const all = one.size + other.size - shared;
  return all === 0 ? 1 : 1 - shared / all;
}

/** What popularity would answer: in scope, and not what may not be shown again. */
function mostPopular(popular: readonly number[], user: TestUser, scopeBias: Float32Array): number[] {
  const exclude = new Set(user.exclude);
  const list: number[] = [];
  for (const item of popular) {
    if (list.length === beyondCutoff) break;
    if (scopeBias[item] === 0 && !exclude.has(item)) list.push(item);
  }
  return list;
}

/** One model's way through the test users. */
async function openArm(state: State, { artifact, train, test }: { artifact: string; train: TrainData; test: TestData }) {
  const { vocabulary } = train;
  const indexOf = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const inScope = new Set(vocabulary.filter((_, index) => test.scopeBias[index] === 0));
  const ranker: Ranker = await openRanker(state, { artifact, allowed: (itemId) => inScope.has(itemId) });
  const names = metricNames(cutoffs);
  const means = new GroupedMeans({ names: [...names, ...beyondNames(beyondCutoff)] });
  const slices = Object.fromEntries(sliceNames.map((name) => [name, new GroupedMeans({ names })])) as Slices;
  const exposure = new ExposureTally({ itemCount: vocabulary.length, cutoff: 10 });
  const values = new Float64Array(names.length);
  const ids = (indexes: readonly number[]) => indexes.map((index) => vocabulary[index] ?? '');
  return {
    means,
    slices,
    close: () => ranker.close(),
    async add(user: TestUser, { baseline, items }: { baseline: readonly number[]; items: Facts }): Promise<void> {
      const ranked = await ranker.rank({ history: ids(user.history), historyWeights: user.historyWeight, exclude: ids(user.exclude), count: 20 });
      // Only what is in the scope of this evaluation is answered, so each has its index.
      const list = ranked.map((itemId) => indexOf.get(itemId) as number);
      const wanted = new Set(user.relevant);
      measureUser({ list, wanted, cutoffs, values });
      means.add([...values, ...beyondAccuracy({ list, relevant: wanted, baseline, cutoff: beyondCutoff, items })]);
      exposure.add(list);
      if (user.history.length < coldBelow) slices['cold-users'].add(values);
      const cold = new Set(user.relevant.filter(items.isCold));
      if (cold.size === 0) return;
      measureUser({ list, wanted: cold, cutoffs, values });
      slices['cold-items'].add(values);
    },
    summarize(settings: { seed: number; replications: number }): Record<string, Interval> {
      const { coverage, gini, entropy } = exposure.summarize();
      // One figure for all users: it has no interval by user. Of the catalog in scope, as of then.
      const point = (value: number) => ({ value, low: value, high: value });
      return {
        ...means.intervals(settings),
        'coverage@10': point(inScope.size === 0 ? 0 : (coverage * vocabulary.length) / inScope.size),
        'gini@10': point(gini),
        'entropy@10': point(entropy),
      };
    },
  };
}
