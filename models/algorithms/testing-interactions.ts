import { createRandom } from '../random.ts';
import type { Interactions } from './algorithm.ts';

/** One user a history, every entry of weight 1, a second apart unless it is said when. */
export function interactionsOf(histories: readonly (readonly number[])[], itemCount: number, atMs?: (entry: number) => number): Interactions {
  const items = histories.flat();
  const indptr = new Uint32Array(histories.length + 1);
  for (const [user, history] of histories.entries()) indptr[user + 1] = (indptr[user] as number) + history.length;
  return {
    userCount: histories.length,
    itemCount,
    indptr,
    items: Uint32Array.from(items),
    weights: new Float32Array(items.length).fill(1),
    atMs: Float64Array.from(items, (_, entry) => atMs?.(entry) ?? 1_300_000_000_000 + entry * 1000),
  };
}

export const ring = 20;
/** People who walk round a ring of items, each in a direction of their own: what comes next depends on the last two. */
export function walks(count: number, drawnBy: number): number[][] {
  const random = createRandom(drawnBy);
  return Array.from({ length: count }, () => {
    const [start, direction, length] = [random.below(ring), random.below(2) === 0 ? 1 : ring - 1, 4 + random.below(12)];
    return Array.from({ length }, (_, step) => (start + step * direction) % ring);
  });
}

/** Data of which a model could make nothing sound, and has to. */
export const edges: readonly { what: string; histories: number[][]; itemCount: number }[] = [
  { what: 'one user with one item', histories: [[0]], itemCount: 1 },
  { what: 'users with one item each', histories: [[0], [1], [1], [2]], itemCount: 4 },
  { what: 'the same item over and over', histories: [Array<number>(300).fill(1)], itemCount: 2 },
  { what: 'a user with 100,000 events among others', histories: [Array.from({ length: 100_000 }, (_, entry) => entry % 50), [1, 2], [49]], itemCount: 60 },
];
