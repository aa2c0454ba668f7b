import type { Charter } from '../../models/contracts/charter.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';

const dayMs = 86_400_000;

/** An item that the last so many days before the split did not see counts as out of stock at the split. */
export const staleAfterDays = 60;

type Input = { vocabulary: readonly string[]; catalog: readonly CatalogItem[]; charter: Pick<Charter, 'scope'>; lastSeenMs: Float64Array; asOfMs: number };

/**
 * The charter's scope as one would have known it at `asOfMs`: float32 [items], 0 in scope, -1e9 out. Stock is judged by what was seen
 * before the split (`lastSeenMs`, [items]) and not by the catalog's own flag, which knows what came after.
 */
export function scopeBiasAsOf({ vocabulary, catalog, charter, lastSeenMs, asOfMs }: Input): Float32Array {
  const { inStockOnly, itemIdPattern, excludeCategories, excludeItems } = charter.scope;
  const pattern = itemIdPattern === undefined ? undefined : new RegExp(itemIdPattern);
  const categories = new Map(catalog.map((item) => [item.itemId, item.category]));
  const banned = new Set(excludeItems);
  const bannedCategories = new Set(excludeCategories);
  return Float32Array.from(vocabulary, (itemId, index) => {
    const category = categories.get(itemId);
    const stale = inStockOnly && (lastSeenMs[index] ?? 0) < asOfMs - staleAfterDays * dayMs;
    const out = stale || banned.has(itemId) || (category !== undefined && bannedCategories.has(category)) || pattern?.test(itemId) === false;
    return out ? -1e9 : 0;
  });
}
