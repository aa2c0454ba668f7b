import type { CatalogItem } from '../contracts/catalog-item.ts';

/** Item id → the words of its title, category and brand, as numbers that rise. An item without words has none here. */
export type ItemWords = ReadonlyMap<string, Uint32Array>;

/** What is known of the items' content, in a form that is quick to compare. */
export function itemWords(items: readonly Pick<CatalogItem, 'itemId' | 'title' | 'category' | 'brand'>[]): ItemWords {
  const numbers = new Map<string, number>();
  const numberOf = (word: string): number => {
    const number = numbers.get(word) ?? numbers.size;
    numbers.set(word, number);
    return number;
  };
  const words = new Map<string, Uint32Array>();
  for (const { itemId, title, category, brand } of items) {
    const own = [title, category, brand].flatMap((text) => text?.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
    if (own.length > 0) words.set(itemId, Uint32Array.from(new Set(own.map(numberOf))).sort());
  }
  return words;
}

/** One minus shared words over all words (Jaccard): 0 the same, 1 nothing in common. Items without words are as far apart as can be. */
export function wordDistance(one: Uint32Array | undefined, other: Uint32Array | undefined): number {
  if (one === undefined || other === undefined) return 1;
  let shared = 0;
  for (let mine = 0, theirs = 0; mine < one.length && theirs < other.length; ) {
    const difference = (one[mine] as number) - (other[theirs] as number);
    if (difference === 0) shared += 1;
    if (difference <= 0) mine += 1;
    if (difference >= 0) theirs += 1;
  }
  return 1 - shared / (one.length + other.length - shared);
}
