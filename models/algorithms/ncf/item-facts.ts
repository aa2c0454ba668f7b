import type { Interactions } from '../algorithm.ts';

const dayMs = 86_400_000;
/** How long ago something is, in days, on scales of each; and what an event then still counts. */
const scalesDays = [1, 7, 30] as const;

/** In deviations: where nearly all items are alike, one that is not would be out of all proportion. */
const furthest = 5;

/** Numbers of an item; a multiple of 8, the last ones 0. */
export const factsPerItem = 16;

/**
 * What the events say of each item as of the last of them all: how long ago its first and its last one were, exp(-days / scale); how many there were, and how
 * many of late, as logarithms. Each is scaled to a mean of 0 and a deviation of 1 over the items with events, so that a year's and a month's data say the
 * same in the same numbers, and none is further away than 5 of these. An item without events has what an item of events that are no more would have.
 * @returns [itemCount, factsPerItem]
 */
export function itemFacts({ itemCount, items, weights, atMs }: Interactions): Float32Array {
  let nowMs = Number.NEGATIVE_INFINITY;
  for (const time of atMs) nowMs = Math.max(nowMs, time);
  const first = new Float64Array(itemCount).fill(Number.POSITIVE_INFINITY);
  const last = new Float64Array(itemCount).fill(Number.POSITIVE_INFINITY);
  const counts = [...scalesDays, Number.POSITIVE_INFINITY].map((days) => ({ days, of: new Float64Array(itemCount) }));
  for (const [entry, item] of items.entries()) {
    const days = (nowMs - (atMs[entry] as number)) / dayMs;
    first[item] = first[item] === Number.POSITIVE_INFINITY ? days : Math.max(first[item] as number, days);
    last[item] = Math.min(last[item] as number, days);
    for (const count of counts) count.of[item] = (count.of[item] as number) + (weights[entry] as number) * Math.exp(-days / count.days);
  }
  const columns = [
    ...[first, last].flatMap((ages) => scalesDays.map((days) => ages.map((age) => Math.exp(-age / days)))),
    ...counts.map(({ of }) => of.map((count) => Math.log1p(count))),
  ];
  const facts = new Float32Array(itemCount * factsPerItem);
  for (const [column, values] of columns.entries()) {
    const { mean, deviation } = momentsOf(values.filter((_, item) => last[item] !== Number.POSITIVE_INFINITY));
    for (let item = 0; item < itemCount; item += 1)
      facts[item * factsPerItem + column] = Math.max(-furthest, Math.min(furthest, ((values[item] as number) - mean) / deviation));
  }
  return facts;
}

function momentsOf(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  // Where all are the same, rounding leaves a variance of next to nothing.
  return { mean, deviation: variance > 1e-12 ? Math.sqrt(variance) : 1 };
}
