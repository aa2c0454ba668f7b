import type { CatalogItem } from '../contracts/catalog-item.ts';
import type { Charter } from '../contracts/charter.ts';
import { digestJson } from '../contracts/digest.ts';
import type { Digest } from '../contracts/ids.ts';
import { disallowedScore } from '../graph/recommend-interface.ts';

export type Scope = {
  /** False also for items that the catalog does not have: nothing vouches for them. */
  allowed(itemId: string): boolean;
  /** [vocabulary] 0 in scope, -1e9 out: the graph's `scope_bias`. */
  bias: Float32Array;
  /** All items of the catalog that are in scope, in or out of the vocabulary, in code-unit order. */
  allowedIds: readonly string[];
  /** Of the allowed ids: equal scopes have equal digests. */
  digest: Digest;
};

/** What the charter lets a slate show of this catalog. */
export function scopeOf({ scope, items, vocabulary }: { scope: Charter['scope']; items: readonly CatalogItem[]; vocabulary: readonly string[] }): Scope {
  const pattern = scope.itemIdPattern === undefined ? undefined : new RegExp(scope.itemIdPattern);
  const excludedItems = new Set(scope.excludeItems);
  const excludedCategories = new Set(scope.excludeCategories);
  const inScope = (item: CatalogItem): boolean =>
    !(scope.inStockOnly && !item.inStock) &&
    (pattern === undefined || pattern.test(item.itemId)) &&
    !excludedItems.has(item.itemId) &&
    !(item.category !== undefined && excludedCategories.has(item.category));

  const allowed = new Set(items.filter(inScope).map((item) => item.itemId));
  // An id that stands twice in a catalog is in scope only if each of its rows is.
  for (const item of items) if (!inScope(item)) allowed.delete(item.itemId);
  const allowedIds = [...allowed].sort();
  return {
    allowed: (itemId) => allowed.has(itemId),
    bias: Float32Array.from(vocabulary, (itemId) => (allowed.has(itemId) ? 0 : disallowedScore)),
    allowedIds,
    digest: digestJson(allowedIds),
  };
}
