import { UnderstudyError } from '../../models/contracts/problem.ts';

/** What recommendations do to a catalog: how widely they spread, how far from what everybody knows. */
export type CatalogMetrics = {
  /** Share of the catalog in at least one list. */
  coverage: number;
  /** Of exposure over the whole catalog: 0 all alike, towards 1 all on one item. */
  gini: number;
  /** Shannon entropy of exposure, in bits; at most log2 of the catalog's size. */
  entropy: number;
};

/**
 * Counts exposures; memory grows with the catalog, not with the users.
 * @throws UND-INPUT for an index outside the catalog
 */
export class ExposureTally {
  readonly counts: Float64Array;
  private readonly cutoff: number;

  constructor({ itemCount, cutoff }: { itemCount: number; cutoff: number }) {
    this.counts = new Float64Array(itemCount);
    this.cutoff = cutoff;
  }

  /** @param ranked item indexes, best first */
  add(ranked: ArrayLike<number>): void {
    for (let place = 0; place < Math.min(this.cutoff, ranked.length); place += 1) {
      const item = ranked[place] as number;
      if (!(item >= 0 && item < this.counts.length)) throw new UnderstudyError('UND-INPUT', `Item ${item} is not in a catalog of ${this.counts.length}`);
      this.counts[item] = (this.counts[item] as number) + 1;
    }
  }

  summarize(): CatalogMetrics {
    const { counts } = this;
    const total = counts.reduce((sum, one) => sum + one, 0);
    if (total === 0) return { coverage: 0, gini: 0, entropy: 0 };
    let entropy = 0;
    let shown = 0;
    for (const count of counts) {
      if (count === 0) continue;
      shown += 1;
      entropy -= (count / total) * Math.log2(count / total);
    }
    return { coverage: shown / counts.length, gini: gini(counts), entropy };
  }
}

/** G = sum_i (2 i - n - 1) x_i / (n sum x), x ascending, i from 1: the mean difference relative to twice the mean (Sen 1973, ch. 2). */
export function gini(values: Float64Array): number {
  const sorted = values.slice().sort();
  let weighted = 0;
  let total = 0;
  for (let index = 0; index < sorted.length; index += 1) {
    weighted += (2 * (index + 1) - sorted.length - 1) * (sorted[index] as number);
    total += sorted[index] as number;
  }
  return total === 0 ? 0 : weighted / (sorted.length * total);
}

/** True for the items outside the head: the most popular ones, as many as make `headShare` of all interactions. Ties go to the lower index. */
export function longTail(interactions: ArrayLike<number>, headShare = 0.8): Uint8Array {
  const order = Array.from({ length: interactions.length }, (_, item) => item).sort(
    (a, b) => (interactions[b] as number) - (interactions[a] as number) || a - b,
  );
  const total = order.reduce((sum, item) => sum + (interactions[item] as number), 0);
  const tail = new Uint8Array(interactions.length);
  let sum = 0;
  for (const item of order) {
    if (sum >= headShare * total) tail[item] = 1;
    sum += interactions[item] as number;
  }
  return tail;
}

/** What is known of the items, whoever is recommended what. */
export type ItemFacts = {
  /** [items] how many users had the item in training. */
  usersOfItem: ArrayLike<number>;
  userCount: number;
  /** [items] 1 outside the head. */
  tail: Uint8Array;
  /** 0 the same, 1 nothing in common; symmetric. */
  distance: (one: number, other: number) => number;
};

export const beyondNames = (cutoff: number): string[] => ['novelty', 'serendipity', 'long-tail', 'diversity'].map((name) => `${name}@${cutoff}`);

/**
 * Beyond accuracy, of one user's list cut at `cutoff`, in the order of `beyondNames`; an empty list has 0 of each:
 * - `novelty`: mean of -log2 p(i), p the share of training users who had the item, one user added so that it is finite (Zhou et al. 2010, self-information);
 * - `serendipity`: share of the list that is relevant and not in the popularity baseline's list (Ge, Delgado-Battenfeld and Jannach 2010, eq. 1);
 * - `long-tail`: share of the list outside the head;
 * - `diversity`: mean distance of all pairs of the list (Ziegler et al. 2005, sec. 3.3); 0 for a list of one.
 * @param list item indexes, best first
 * @param baseline what popularity alone would have answered
 */
export function beyondAccuracy(input: {
  list: readonly number[];
  relevant: ReadonlySet<number>;
  baseline: readonly number[];
  cutoff: number;
  items: ItemFacts;
}): number[] {
  const { relevant, list, cutoff, items } = input;
  const size = Math.min(cutoff, list.length);
  if (size === 0) return [0, 0, 0, 0];
  const known = input.baseline.slice(0, cutoff);
  let [bits, surprises, tail, distance] = [0, 0, 0, 0];
  // A million users times their pairs: no list is made on the way.
  for (let place = 0; place < size; place += 1) {
    const item = list[place] as number;
    bits -= Math.log2(((items.usersOfItem[item] as number) + 1) / (items.userCount + 1));
    if (relevant.has(item) && !known.includes(item)) surprises += 1;
    tail += items.tail[item] as number;
    for (let other = place + 1; other < size; other += 1) distance += items.distance(item, list[other] as number);
  }
  return [bits / size, surprises / size, tail / size, size === 1 ? 0 : distance / ((size * (size - 1)) / 2)];
}
