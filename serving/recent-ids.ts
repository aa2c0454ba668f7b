/**
 * The ids seen lately: at least the last `capacity` of them, at most twice as many, and no bookkeeping by id. Behind the horizon an id is
 * forgotten, and a repetition that late is a new one.
 */
export type RecentIds = { has(id: string): boolean; add(id: string): void };

export function createRecentIds({ capacity }: { capacity: number }): RecentIds {
  let young = new Set<string>();
  let old = new Set<string>();
  return {
    has: (id) => young.has(id) || old.has(id),
    add(id) {
      young.add(id);
      if (young.size < capacity) return;
      old = young;
      young = new Set();
    },
  };
}
