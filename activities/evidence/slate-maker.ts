import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { diversify } from '../../models/slate/diversify.ts';
import { itemWords, wordDistance } from '../../models/slate/item-words.ts';

/** Makes slates of rankings in item ids, as the serving tier does. */
export function slateMaker({ charter: { slate }, catalog }: { charter: Charter; catalog: readonly CatalogItem[] }): (ranked: readonly string[]) => string[] {
  const words = slate.diversity.weight > 0 ? itemWords(catalog) : new Map<string, Uint32Array>();
  const distance = (one: string, other: string) => wordDistance(words.get(one), words.get(other));
  return (ranked) => diversify({ ranked, size: slate.size, diversity: slate.diversity, distance }).slice(0, slate.size);
}
