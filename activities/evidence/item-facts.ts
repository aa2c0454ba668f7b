import { type ItemFacts, longTail } from '../../experiments/ranking/catalog.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { FairnessRules } from '../../models/contracts/fairness.ts';
import { fairGroups } from '../../models/slate/arrange.ts';
import { itemWords, wordDistances } from '../../models/slate/item-words.ts';
import type { TestUser } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';

/** Users and items with fewer training events than this are cold. */
export const coldBelow = 5;

/** Most events first; `isCold`: the train part has hardly seen it. */
export type Facts = ItemFacts & { popular: number[]; isCold: (item: number) => boolean };

/** What the train part and the catalog say of the items of the vocabulary. */
export function itemFacts({ interactions, vocabulary }: Pick<TrainData, 'interactions' | 'vocabulary'>, catalog: readonly CatalogItem[]): Facts {
  const events = new Float64Array(vocabulary.length);
  const usersOfItem = new Float64Array(vocabulary.length);
  for (let user = 0; user < interactions.userCount; user += 1) {
    const row = interactions.items.subarray(interactions.indptr[user], interactions.indptr[user + 1]);
    for (const item of row) events[item] = (events[item] as number) + 1;
    for (const item of new Set(row)) usersOfItem[item] = (usersOfItem[item] as number) + 1;
  }
  return {
    usersOfItem,
    userCount: interactions.userCount,
    tail: longTail(events),
    popular: vocabulary.map((_, item) => item).sort((a, b) => (events[b] as number) - (events[a] as number) || a - b),
    isCold: (item) => (events[item] as number) < coldBelow,
    distance: wordDistances(itemWords(catalog), vocabulary),
  };
}

const none: readonly number[] = [];

/** By place in the vocabulary: the groups of a charter's fairness that an item is of. */
export function fairGroupsOf(
  rules: FairnessRules | undefined,
  catalog: readonly CatalogItem[],
  vocabulary: readonly string[],
): (item: number) => readonly number[] {
  if (rules === undefined) return () => none;
  const groups = fairGroups(rules, catalog);
  const byPlace = vocabulary.map((itemId) => groups.get(itemId) ?? none);
  return (item) => byPlace[item] ?? none;
}

/** What popularity would answer: in scope, and not what may not be shown again. */
export function mostPopular({
  popular,
  user,
  scopeBias,
  count,
}: {
  popular: readonly number[];
  user: TestUser;
  scopeBias: Float32Array;
  count: number;
}): number[] {
  const exclude = new Set(user.exclude);
  const list: number[] = [];
  for (const item of popular) {
    if (list.length === count) break;
    if (scopeBias[item] === 0 && !exclude.has(item)) list.push(item);
  }
  return list;
}
