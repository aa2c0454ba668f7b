import type { Charter } from '../contracts/charter.ts';

export type Diversity = Charter['slate']['diversity'];

/** How long a ranking must be, where there are as many items, for a slate of `size` to be made of it. */
export function rankingDepth({ size, diversity }: { size: number; diversity: Diversity }): number {
  return diversity.weight > 0 ? Math.max(size, diversity.depth) : size;
}

/**
 * Maximal marginal relevance (Carbonell and Goldstein 1998, sec. 2): the slate's places are filled one after the other with the item that has the most of
 *
 *   (1 - weight) relevance(i) - weight max_(j on the slate) similarity(i, j),   ties to the better rank.
 *
 * Relevance is by rank, so that a weight means the same whatever scale a model scores on: of the n best, at most `depth`, rank r has 1 - (r - 1) / n.
 * Similarity is 1 - distance. What is not on the slate follows in the model's order, for the pool of the exploration and for whoever asks for more.
 * @param ranked best first, no item twice
 * @param size places of the slate
 * @param distance 0 the same, 1 nothing in common; symmetric
 */
export function diversify<Item>({
  ranked,
  size,
  diversity: { weight, depth },
  distance,
}: {
  ranked: readonly Item[];
  size: number;
  diversity: Diversity;
  distance: (one: Item, other: Item) => number;
}): readonly Item[] {
  if (weight === 0) return ranked;
  const candidates = ranked.slice(0, Math.max(size, depth));
  /** [candidates] similarity to the nearest item on the slate. */
  const nearest = new Float64Array(candidates.length);
  const taken = new Uint8Array(candidates.length);
  const slate: Item[] = [];
  while (slate.length < Math.min(size, candidates.length)) {
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let place = 0; place < candidates.length; place += 1) {
      if (taken[place] === 1) continue;
      const value = (1 - weight) * (1 - place / candidates.length) - weight * (nearest[place] as number);
      if (value > most) [best, most] = [place, value];
    }
    const chosen = candidates[best] as Item;
    taken[best] = 1;
    slate.push(chosen);
    for (let place = 0; place < candidates.length; place += 1)
      if (taken[place] === 0) nearest[place] = Math.max(nearest[place] as number, 1 - distance(chosen, candidates[place] as Item));
  }
  return [...slate, ...candidates.filter((_, place) => taken[place] === 0), ...ranked.slice(candidates.length)];
}
