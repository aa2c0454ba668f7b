import type { FallbackRung } from './rung.ts';

/** Confidence an item gathered from all visitors, kept in the replica. */
export type PopularityCounts = { add(itemId: string, weight: number): void; ranked(): readonly { itemId: string; count: number }[] };

export function createPopularityCounts(): PopularityCounts {
  const counts = new Map<string, number>();
  let ranking: { itemId: string; count: number }[] = [];
  let addedSince = 0;
  return {
    add(itemId, weight) {
      counts.set(itemId, (counts.get(itemId) ?? 0) + weight);
      addedSince += 1;
    },
    ranked() {
      // Sorted again when there is enough that is new: never on every request of a busy day.
      if (addedSince > ranking.length / 4) {
        ranking = [...counts].map(([itemId, count]) => ({ itemId, count })).sort((a, b) => b.count - a.count || (a.itemId < b.itemId ? -1 : 1));
        addedSince = 0;
      }
      return ranking;
    },
  };
}

/** What most visitors want. */
export function popularityRung(counts: PopularityCounts): FallbackRung {
  return {
    name: 'popularity',
    rank({ scope, excluded, depth }) {
      const items: string[] = [];
      const scores: number[] = [];
      for (const { itemId, count } of counts.ranked()) {
        if (items.length >= depth) break;
        if (excluded.has(itemId) || !scope.allowed(itemId)) continue;
        items.push(itemId);
        scores.push(count);
      }
      return items.length > 0 ? { items, scores } : { items, scores, why: 'no events yet' };
    },
  };
}
