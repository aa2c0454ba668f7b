import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { inStockAt } from '../../models/slate/stock.ts';

/** What windows of before mean that say nothing of stock. */
const unsaidInStockDays = 60;

type Input = {
  vocabulary: readonly string[];
  catalog: readonly CatalogItem[];
  charter: Pick<Charter, 'scope'>;
  window: Pick<WindowManifest, 'inStockDays'>;
  /** When the sources of the catalog last held each item in the train part. */
  lastSeenMs: ReadonlyMap<string, number>;
};

/**
 * The scope that would have been served at the split: float32 [items], 0 in scope, -1e9 out. Stock is what the catalog would have said of it
 * then, since its own flags know what came after; categories are the catalog's.
 */
export function scopeBiasAsOf({ vocabulary, catalog, charter, window, lastSeenMs }: Input): Float32Array {
  const inStockDays = window.inStockDays === undefined ? unsaidInStockDays : (window.inStockDays ?? undefined);
  const asOfMs = [...lastSeenMs.values()].reduce((last, one) => Math.max(last, one), Number.NEGATIVE_INFINITY);
  const seenMs = ({ itemId, availableUntilMs }: CatalogItem) =>
    // An item that no source has held came by a change of the catalog, and is there until one says otherwise.
    availableUntilMs === undefined
      ? asOfMs
      : // What was seen last before the split may lie before the window.
        availableUntilMs <= asOfMs
        ? availableUntilMs
        : (lastSeenMs.get(itemId) ?? Number.NEGATIVE_INFINITY);
  const items =
    inStockDays === undefined || lastSeenMs.size === 0
      ? catalog
      : catalog.map((item) => ({ ...item, inStock: inStockAt({ lastSeenMs: seenMs(item), asOfMs, inStockDays }) }));
  return scopeOf({ scope: charter.scope, items, vocabulary }).bias;
}
