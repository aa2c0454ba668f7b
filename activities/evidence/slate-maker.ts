import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { arranger, fairGroups } from '../../models/slate/arrange.ts';
import { itemWords, wordDistance } from '../../models/slate/item-words.ts';

/**
 * Makes slates of rankings in item ids, as the serving tier does.
 * @returns of a ranking, and of what groups were owed then: a slate record says it
 */
export function slateMaker({
  charter: { slate, fairness },
  catalog,
}: {
  charter: Charter;
  catalog: readonly CatalogItem[];
}): (ranked: readonly string[], deficits?: readonly number[]) => string[] {
  const words = slate.diversity.weight > 0 ? itemWords(catalog) : new Map<string, Uint32Array>();
  const groups = fairness === undefined ? undefined : fairGroups(fairness, catalog);
  const arrange = arranger<string>({
    ...{ slate, fairness },
    distance: (one, other) => wordDistance(words.get(one), words.get(other)),
    groupsOf: (itemId) => groups?.get(itemId) ?? [],
  });
  return (ranked, deficits) => arrange(ranked, slate.size, deficits).slice(0, slate.size);
}
