import type { CatalogItem } from '../../models/contracts/catalog-item.ts';

const priceGroups = 4;

/** Group of an item, by what the catalog says: its category, else the quarter of the catalog's prices that it lies in. */
export function itemGroups(catalog: readonly CatalogItem[]): (itemId: string) => string {
  const prices = catalog.flatMap(({ priceMinor }) => (priceMinor === undefined ? [] : [priceMinor])).sort((a, b) => a - b);
  const bounds = Array.from({ length: priceGroups - 1 }, (_, index) => prices[Math.floor(((index + 1) * prices.length) / priceGroups)] ?? 0);
  const groups = new Map(
    catalog.map(({ itemId, category, priceMinor }) => {
      const quarter = bounds.filter((bound) => (priceMinor ?? 0) >= bound).length;
      return [itemId, category ?? (priceMinor === undefined ? '(unknown)' : `price quarter ${quarter + 1}`)];
    }),
  );
  return (itemId) => groups.get(itemId) ?? '(unknown)';
}
