import { ForeknowledgeTally, type Foreknowledge } from '../../experiments/ranking/foreknowledge.ts';
import { checkModel, checkSplit } from '../../experiments/ranking/leak-checks.ts';
import { lookAlikes } from '../../experiments/ranking/look-alikes.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { LeakCheck } from '../../models/contracts/report.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { inStockAt } from '../../models/slate/stock.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { addDays, dayIn, dayStartMs } from '../windows/days.ts';
import type { TestData } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';
import type { Ranker } from './ranker.ts';

type Split = { window: WindowManifest; charter: Charter; catalog: readonly CatalogItem[]; train: TrainData; test: TestData };
type Input = Split & { artifact: string; ranker: Ranker; seed: number; beat: () => void };

/** Whether anything of the test part, or of what came after the split, is in what the model knows or in how it is asked. */
export async function checkLeak(state: State, input: Input): Promise<LeakCheck[]> {
  const { window, charter, train, ranker, catalog } = input;
  const { algorithm, window: trainedOn } = await getDocument(state.blobs, input.artifact, artifactManifest);
  const vocabulary = new Set(train.vocabulary);
  const firstMs = new Map(catalog.map(({ itemId, availableFromMs }) => [itemId, availableFromMs]));
  const others = ranker.itemIds.filter((itemId) => !vocabulary.has(itemId));
  const splitMs = dayStartMs(window.timeZone, addDays(window.train.to, 1));
  const isLater = (itemId: string) => (firstMs.get(itemId) ?? Number.NEGATIVE_INFINITY) >= splitMs;
  return [
    ...checkSplit(factsOfSplit(input)),
    ...checkModel({
      train: window.train,
      trainedTo: await lastDayOf(state, trainedOn),
      isGuest: algorithm === 'guest',
      laterIds: others.filter(isLater).length,
      strangerIds: others.filter((itemId) => !firstMs.has(itemId)).length,
      foreknowledge: await measureForeknowledge(input),
      maxForeknowledge: charter.gates.maxForeknowledge,
    }),
  ];
}

/** What the split and its scope are, as `checkSplit` judges them. */
export function factsOfSplit({ window, charter, catalog, train, test }: Split) {
  const { atMs } = train.interactions;
  const day = (ms: number | null) => (ms === null || !Number.isFinite(ms) ? null : dayIn(window.timeZone, ms));
  const lastMs = atMs.reduce((last, one) => Math.max(last, one), Number.NEGATIVE_INFINITY);
  const seenMs = (itemId: string) => test.lastSeenMs.get(itemId);
  const splitMs = [...test.lastSeenMs.values()].reduce((last, one) => Math.max(last, one), Number.NEGATIVE_INFINITY);
  const inStockDays = window.inStockDays ?? undefined;
  const isJudged = charter.scope.inStockOnly && inStockDays !== undefined && test.lastSeenMs.size > 0;
  const rulesAlone = scopeOf({ scope: { ...charter.scope, inStockOnly: false }, items: catalog, vocabulary: train.vocabulary }).bias;
  let notYetOnSale = 0;
  let alreadyGone = 0;
  for (const [item, itemId] of train.vocabulary.entries()) {
    if (!isJudged) break;
    // What was seen last before the split may lie before the window: then nothing here can tell.
    const last = seenMs(itemId);
    const isOnSale = last !== undefined && inStockAt({ lastSeenMs: last, asOfMs: splitMs, inStockDays });
    if (test.scopeBias[item] === 0 && last !== undefined && !isOnSale) notYetOnSale += 1;
    if (test.scopeBias[item] !== 0 && rulesAlone[item] === 0 && isOnSale) alreadyGone += 1;
  }
  return {
    train: window.train,
    test: window.test,
    lastTrainDay: day(lastMs),
    firstTestDay: day(test.firstMs),
    otherHistories: test.users.filter((user) => !isOwnHistory(user, train)).length,
    notYetOnSale,
    alreadyGone,
  };
}

/** A session of the test part has none in the train part: its history is what came before in the session. */
function isOwnHistory({ userIndex, unit, history }: TestData['users'][number], { interactions, userIds }: TrainData): boolean {
  if (userIndex < 0) return unit.startsWith('s:');
  const row = interactions.items.subarray(interactions.indptr[userIndex], interactions.indptr[userIndex + 1]);
  return userIds[userIndex] === unit && row.length === history.length && history.every((item, place) => item === row[place]);
}

async function lastDayOf({ blobs }: State, window: string): Promise<string | null> {
  try {
    return (await getDocument(blobs, window, windowManifest)).train.to;
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === 'UND-NOT-FOUND') return null;
    throw error;
  }
}

async function measureForeknowledge({ train, test, ranker, seed, beat }: Input): Promise<Foreknowledge | null> {
  const ids = (items: readonly number[]) => items.map((item) => train.vocabulary[item] as string);
  const indexOf = new Map(train.vocabulary.map((itemId, index) => [itemId, index]));
  const users = test.users.map((user) => ({ ...user, wanted: user.relevantNew }));
  // Those that nobody has had look alike by what happened, and need not by what the catalog says of them.
  const had = new Set(train.interactions.items);
  const tally = new ForeknowledgeTally();
  let asked = 0;
  for (const { user, pairs } of lookAlikes({ rows: train.interactions, users, isInScope: (item) => test.scopeBias[item] === 0 && had.has(item), seed })) {
    const { history, historyWeight } = test.users[user] as TestData['users'][number];
    const among = ids([...new Set(pairs.flatMap(({ wanted, alike }) => [wanted, ...alike]))]);
    const ranked = await ranker.rank({ history: ids(history), historyWeights: historyWeight, exclude: [], count: among.length, among });
    const order = new Map(ranked.map((itemId, place) => [indexOf.get(itemId) as number, place]));
    for (const { wanted, alike } of pairs) tally.add({ user, wanted, alike, order });
    asked += 1;
    if (asked % 200 === 0) beat();
  }
  return tally.summarize();
}
