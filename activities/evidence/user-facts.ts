import type { UserFacts } from '../../experiments/ranking/segments.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { TestUser } from '../windows/read-test.ts';
import type { TrainData } from '../windows/read-window.ts';

const dayMs = 86_400_000;

/** What the train part says of each user at the split, which is taken to be its last event. */
export function userFacts({ train, users, catalog }: { train: TrainData; users: readonly TestUser[]; catalog: readonly CatalogItem[] }): UserFacts[] {
  const { indptr, atMs } = train.interactions;
  const splitMs = atMs.reduce((last, one) => Math.max(last, one), Number.NEGATIVE_INFINITY);
  const categories = new Map(catalog.flatMap(({ itemId, category }) => (category === undefined ? [] : [[itemId, category] as const])));
  const categoryOf = train.vocabulary.map((itemId) => categories.get(itemId));
  return users.map(({ userIndex, history }) => {
    const daysSince = (entry: number | undefined) => (splitMs - (atMs[entry ?? 0] as number)) / dayMs;
    const hasRow = userIndex >= 0;
    return {
      events: history.length,
      daysSinceFirst: hasRow ? daysSince(indptr[userIndex]) : null,
      daysSinceLast: hasRow ? daysSince((indptr[userIndex + 1] as number) - 1) : null,
      category: mostFrequent(history.map((item) => categoryOf[item])),
    };
  });
}

/** Ties go to the first in the alphabet. */
function mostFrequent(names: readonly (string | undefined)[]): string | null {
  const times = new Map<string, number>();
  for (const name of names) if (name !== undefined) times.set(name, (times.get(name) ?? 0) + 1);
  let best: string | null = null;
  for (const [name, count] of times) {
    const most = best === null ? 0 : (times.get(best) as number);
    if (best === null || count > most || (count === most && name < best)) best = name;
  }
  return best;
}
