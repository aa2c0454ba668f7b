import type { CatalogItem } from '../contracts/catalog-item.ts';
import { wordsOf } from '../slate/item-words.ts';
import type { ItemAttributes } from './algorithm.ts';

/** Prices are told apart by which twentieth of the catalog's they fall into. */
const priceBuckets = 20;
/** A word in one title alone says no more than the item's own name. */
const leastItemsOfWord = 2;
const mostWords = 20_000;

export const attributeFields = ['category', 'brand', 'price', 'word'] as const;

/**
 * What the catalog says of each item of the vocabulary: its category, its brand, the twentieth of the catalog that its price falls into, and the words of its
 * title that another item's title has too. An item that the catalog does not know has none.
 */
export function itemAttributes({ catalog, vocabulary }: { catalog: readonly CatalogItem[]; vocabulary: readonly string[] }): ItemAttributes {
  const byId = new Map(catalog.map((item) => [item.itemId, item]));
  const items = vocabulary.map((itemId) => byId.get(itemId));
  const priceLimits = limitsOf(items.flatMap((item) => item?.priceMinor ?? []));
  const words = commonWords(items.map((item) => item?.title ?? ''));

  const numbers = new Map<string, number>();
  const fieldOf: number[] = [];
  const numberOf = (field: number, value: string | number): number => {
    const key = `${field} ${value}`;
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return fieldOf.push(field) - 1;
  };
  const indptr = new Uint32Array(vocabulary.length + 1);
  const attributes: number[] = [];
  for (const [place, item] of items.entries()) {
    const own = new Set<number>();
    if (item?.category !== undefined) own.add(numberOf(0, item.category));
    if (item?.brand !== undefined) own.add(numberOf(1, item.brand));
    if (item?.priceMinor !== undefined) own.add(numberOf(2, bucketOf(item.priceMinor, priceLimits)));
    for (const word of wordsOf(item?.title ?? '')) if (words.has(word)) own.add(numberOf(3, word));
    attributes.push(...[...own].sort((a, b) => a - b));
    indptr[place + 1] = attributes.length;
  }
  return { indptr, attributes: Uint32Array.from(attributes), fields: attributeFields, fieldOf: Uint8Array.from(fieldOf) };
}

/** The words of most titles, of equals the first in the alphabet. */
function commonWords(titles: readonly string[]): Set<string> {
  const counts = new Map<string, number>();
  for (const title of titles) for (const word of new Set(wordsOf(title))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const common = [...counts].filter(([, count]) => count >= leastItemsOfWord);
  common.sort(([one, ones], [other, others]) => others - ones || (one < other ? -1 : 1));
  return new Set(common.slice(0, mostWords).map(([word]) => word));
}

/** The prices at which a bucket ends, so that each holds as many items where prices differ. */
function limitsOf(prices: readonly number[]): number[] {
  const sorted = prices.toSorted((a, b) => a - b);
  const limits = Array.from({ length: priceBuckets - 1 }, (_, bucket) => sorted[Math.floor(((bucket + 1) * sorted.length) / priceBuckets)] ?? 0);
  return [...new Set(limits)];
}

const bucketOf = (price: number, limits: readonly number[]): number => limits.filter((limit) => price >= limit).length;
