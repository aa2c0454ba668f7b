import type { FallbackRung } from './rung.ts';

/** The last link: the catalog's items in scope by id. It needs no model, no log and no visitor. */
export const staticRung: FallbackRung = {
  name: 'static',
  rank({ scope, excluded, depth }) {
    const items: string[] = [];
    for (const itemId of scope.allowedIds) {
      if (items.length >= depth) break;
      if (!excluded.has(itemId)) items.push(itemId);
    }
    return { items, scores: items.map(() => 0) };
  },
};
