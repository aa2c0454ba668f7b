import { LRUCache } from 'lru-cache';
import type { FallbackRung } from './rung.ts';

/** Which items the same visitor touched close together. */
export type CoVisits = { add(input: { previous: readonly string[]; itemId: string }): void; neighbours(itemId: string): ReadonlyMap<string, number> };

/** So many of a visitor's last items count as close to the next one. */
const reach = 5;
const neighboursAtMost = 64;
const none: ReadonlyMap<string, number> = new Map();

export function createCoVisits({ maxItems = 100_000 }: { maxItems?: number } = {}): CoVisits {
  const table = new LRUCache<string, Map<string, number>>({ max: maxItems });
  const count = (from: string, to: string): void => {
    let row = table.get(from);
    if (row === undefined) {
      row = new Map();
      table.set(from, row);
    }
    row.set(to, (row.get(to) ?? 0) + 1);
    if (row.size > 2 * neighboursAtMost) table.set(from, new Map([...row].sort((a, b) => b[1] - a[1]).slice(0, neighboursAtMost)));
  };
  return {
    add({ previous, itemId }) {
      for (const other of previous.slice(-reach)) {
        if (other === itemId) continue;
        count(other, itemId);
        count(itemId, other);
      }
    },
    neighbours: (itemId) => table.get(itemId) ?? none,
  };
}

/** How many of the visitor's last items speak. */
const recentItems = 10;

/** Items that others touched along with this visitor's last ones; later ones count more. Not for visitors without a past. */
export function sessionRung(coVisits: CoVisits): FallbackRung {
  return {
    name: 'session',
    rank({ history, scope, excluded, depth }) {
      const scores = new Map<string, number>();
      const recent = history.slice(-recentItems);
      recent.forEach((itemId, place) => {
        for (const [other, visits] of coVisits.neighbours(itemId)) {
          if (excluded.has(other) || !scope.allowed(other)) continue;
          scores.set(other, (scores.get(other) ?? 0) + visits / (recent.length - place));
        }
      });
      const ranked = [...scores].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, depth);
      const why = recent.length === 0 ? 'a visitor without a past' : 'nothing was seen along with these items';
      return { items: ranked.map(([itemId]) => itemId), scores: ranked.map(([, score]) => score), ...(ranked.length === 0 ? { why } : {}) };
    },
  };
}
