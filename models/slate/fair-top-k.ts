/**
 * How many of the protected group the first i places of a fair ranking have at least, i = 1 … size: the smallest m with F(m; i, share) > significance, F
 * the distribution function of the binomial (Zehlike et al. 2017, "FA*IR", definitions 3.1 and 3.2, and the m-table of section 4).
 */
export type FairTable = readonly number[];

type Asked = { size: number; share: number; significance: number };

/** The table of a level as it stands: each prefix is tested by itself, so that all of them together fail a fair ranking more often than `significance`. */
export function fairTable({ size, share, significance }: Asked): FairTable {
  return tableAt(cumulatedOf({ size, share }), significance);
}

/**
 * The level at which all prefixes together fail a ranking that was drawn fairly with a probability as near to `significance` as it gets (Zehlike et al. 2017,
 * section 4, "model adjustment"). That probability is a step function of the level, which jumps where a table's entry does: the step that is nearest is taken,
 * of two as near the stricter level, and of a step's levels the first that halving of (0, significance) comes upon. It may lie above `significance`.
 */
export function adjustedSignificance({ size, share, significance }: Asked): { significance: number; failProbability: number; table: FairTable } {
  const cumulated = cumulatedOf({ size, share });
  // A table holds from one of these levels, itself included, to the next: F > level fails where they are equal.
  const steps = [0, ...new Set(cumulated.flatMap((row) => row.filter((value) => value < significance)))].sort((one, other) => one - other);
  const failsAt = (step: number): number => failProbability(tableAt(cumulated, steps[step] as number), share);
  let [below, above] = [0, steps.length];
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (failsAt(middle) <= significance) below = middle;
    else above = middle;
  }
  const isAboveNearer = above < steps.length && failsAt(above) - significance < significance - failsAt(below);
  const chosen = isAboveNearer ? above : below;
  const table = tableAt(cumulated, steps[chosen] as number);
  const [from, to] = [steps[chosen] as number, steps[chosen + 1] ?? significance];
  return { significance: firstHalving({ from, to, end: significance }), failProbability: failProbability(table, share), table };
}

/**
 * Probability that a ranking whose places are drawn fairly, each of the group with probability `share`, fails the table at some prefix: one minus the mass
 * of the counts that pass all of them (the recursion of Zehlike et al. 2017, section 4, over the count of the group so far).
 */
export function failProbability(table: FairTable, share: number): number {
  let mass = [1];
  for (const least of table) {
    const next = new Array<number>(mass.length + 1).fill(0);
    for (const [count, probability] of mass.entries()) {
      next[count] = (next[count] as number) + probability * (1 - share);
      next[count + 1] = (next[count + 1] as number) + probability * share;
    }
    mass = next.map((probability, count) => (count < least ? 0 : probability));
  }
  return 1 - mass.reduce((sum, probability) => sum + probability, 0);
}

/**
 * FA*IR (Zehlike et al. 2017, section 4, algorithm 2): two queues in the order of the ranking; a place goes to the best of the group where the table asks for
 * one more of it, and to the best of both otherwise. Where a queue is empty the other one fills the place.
 * @param ranked best first, no item twice; what is not on the slate follows in its order
 */
export function fairTopK<Item>({
  ranked,
  size,
  table,
  isProtected,
}: {
  ranked: readonly Item[];
  size: number;
  table: FairTable;
  isProtected: (item: Item) => boolean;
}): readonly Item[] {
  const inGroup = ranked.map(isProtected);
  const places = Math.min(size, ranked.length);
  const chosen: number[] = [];
  let [held, ours, others] = [0, inGroup.indexOf(true), inGroup.indexOf(false)];
  while (chosen.length < places) {
    const isOwed = held < (table[chosen.length] ?? 0);
    const isOurs = ours >= 0 && (others < 0 || isOwed || ours < others);
    chosen.push(isOurs ? ours : others);
    if (isOurs) [held, ours] = [held + 1, inGroup.indexOf(true, ours + 1)];
    else others = inGroup.indexOf(false, others + 1);
  }
  const taken = new Uint8Array(ranked.length);
  for (const place of chosen) taken[place] = 1;
  return [...chosen.map((place) => ranked[place] as Item), ...ranked.filter((_, place) => taken[place] === 0)];
}

/** Whether each prefix has as many as the table asks for. */
export function isFair<Item>(slate: readonly Item[], table: FairTable, isProtected: (item: Item) => boolean): boolean {
  let held = 0;
  return slate.every((item, place) => {
    if (isProtected(item)) held += 1;
    return held >= (table[place] ?? 0);
  });
}

/** [size][count] F(count; places, share) for places 1 … size */
function cumulatedOf({ size, share }: Pick<Asked, 'size' | 'share'>): number[][] {
  let mass = [1];
  return Array.from({ length: size }, () => {
    const next = new Array<number>(mass.length + 1).fill(0);
    for (const [count, probability] of mass.entries()) {
      next[count] = (next[count] as number) + probability * (1 - share);
      next[count + 1] = (next[count + 1] as number) + probability * share;
    }
    mass = next;
    let sum = 0;
    return mass.map((probability) => (sum += probability));
  });
}

function tableAt(cumulated: readonly (readonly number[])[], level: number): number[] {
  // Rounding may leave the last sum a hair below one.
  return cumulated.map((row, place) => row.findIndex((value, count) => value > level || count === place + 1));
}

/** The first of the middles that halving of (0, end) comes upon which lies in [from, to). */
function firstHalving({ from, to, end }: { from: number; to: number; end: number }): number {
  // Of one, so that the middles are whole numbers of halves.
  let [low, high] = [0, 1];
  for (let middle = 0.5; ; middle = (low + high) / 2) {
    const level = middle * end;
    // Two steps that rounding alone keeps apart have no middle between them.
    if ((from <= level && level < to) || middle <= low || middle >= high) return Math.min(level, to);
    if (level < from) low = middle;
    else high = middle;
  }
}
