import { createRandom } from '../../models/random.ts';

export type Purchase = { user: number; item: number; day: number };

export type Shop = {
  users: number;
  items: number;
  /** Tastes: each item and each user has one, and so large a share of what a user buys is of it. */
  tastes: number;
  faith: number;
  perUser: number;
  days: number;
  /** Exponent of the items' popularity (Zipf). */
  zipf: number;
  /** Share of the items that come into the shop later than on the first day. */
  fresh: number;
  seed: number;
};

/** Purchases of a shop whose truth is plain, in the order of time. What sells of two items of one taste and popularity is chance. */
export function drawPurchases({ users, items, tastes, faith, perUser, days, zipf, fresh, seed }: Shop): Purchase[] {
  const random = createRandom(seed);
  const comes = Array.from({ length: items }, () => (random.float() < fresh ? random.float() * days : 0));
  const all = Array.from({ length: items }, (_, item) => item);
  const drawFrom = (members: number[]) => {
    const until: number[] = [];
    for (const item of members) until.push((until.at(-1) ?? 0) + 1 / (1 + Math.floor(item / tastes)) ** zipf);
    return (day: number): number => {
      for (;;) {
        const point = random.float() * (until.at(-1) as number);
        const item = members[firstAbove(until, point)] as number;
        if ((comes[item] as number) <= day) return item;
      }
    };
  };
  const anything = drawFrom(all);
  const ofTaste = Array.from({ length: tastes }, (_, taste) => drawFrom(all.filter((item) => item % tastes === taste)));
  const purchases: Purchase[] = [];
  for (let user = 0; user < users; user += 1) {
    const count = Math.max(2, Math.round(perUser * (0.3 + 1.4 * random.float())));
    for (let number = 0; number < count; number += 1) {
      const day = random.float() * days;
      const draw = random.float() < faith ? (ofTaste[user % tastes] as (day: number) => number) : anything;
      purchases.push({ user, item: draw(day), day });
    }
  }
  return purchases.sort((a, b) => a.day - b.day || a.user - b.user || a.item - b.item);
}

/** The same as events of people and things with names, from `startMs` on. */
export function happeningsOf(purchases: readonly Purchase[], startMs: number): { user: string; item: string; atMs: number }[] {
  return purchases.map(({ user, item, day }) => ({ user: `u${user}`, item: `i${item}`, atMs: startMs + Math.floor(day * 86_400_000) }));
}

function firstAbove(rising: readonly number[], point: number): number {
  let [from, to] = [0, rising.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((rising[middle] as number) > point) to = middle;
    else from = middle + 1;
  }
  return from;
}
