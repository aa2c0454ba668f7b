import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interactions } from '../../models/algorithms/algorithm.ts';
import { algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import { createRandom } from '../../models/random.ts';
import { normalQuantile } from '../normal.ts';
import { ForeknowledgeTally } from './foreknowledge.ts';
import { type AskedUser, lookAlikes } from './look-alikes.ts';
import { drawPurchases, type Purchase, type Shop } from './testing-purchases.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const dayMs = 86_400_000;
const splitDay = 45;

function rowsOf(purchases: readonly Purchase[], { users, items }: Shop): Interactions {
  const rows = purchases.toSorted((a, b) => a.user - b.user || a.day - b.day || a.item - b.item);
  const indptr = new Uint32Array(users + 1);
  for (const { user } of rows) indptr[user + 1] = (indptr[user + 1] as number) + 1;
  for (let user = 0; user < users; user += 1) indptr[user + 1] = (indptr[user + 1] as number) + (indptr[user] as number);
  const atMs = Float64Array.from(rows, ({ day }) => Math.floor(day * dayMs));
  return {
    userCount: users,
    itemCount: items,
    indptr,
    items: Uint32Array.from(rows, ({ item }) => item),
    weights: new Float32Array(rows.length).fill(1),
    atMs,
  };
}

/** Days up to the split train, the day after is left out, what follows tests. */
function split(shop: Shop) {
  const purchases = drawPurchases(shop);
  const before = rowsOf(
    purchases.filter(({ day }) => day < splitDay),
    shop,
  );
  const all = rowsOf(purchases, shop);
  const known = new Set(before.items);
  const later = Map.groupBy(
    purchases.filter(({ day, item }) => day >= splitDay + 1 && known.has(item)),
    ({ user }) => user,
  );
  const users = [...later].map(([userIndex, bought]): AskedUser => {
    const history = [...before.items.subarray(before.indptr[userIndex], before.indptr[userIndex + 1])];
    const relevant = [...new Set(bought.map(({ item }) => item))];
    return { userIndex, history, relevant, wanted: relevant.filter((item) => !history.includes(item)) };
  });
  return { before, all, known, users };
}

type Split = ReturnType<typeof split>;

async function foreknowledgeOf({ before, known, users }: Split, { name, params, on }: { name: string; params: object; on: Interactions }) {
  const algorithm = algorithmNamed(name);
  const model = await algorithm.train({ interactions: on, params: parseParams(algorithm, params), seed: 1 });
  const tally = new ForeknowledgeTally();
  for (const { user, pairs } of lookAlikes({ rows: before, users, isInScope: (item) => known.has(item), seed: 1 })) {
    const history = (users[user] as AskedUser).history as number[];
    const among = new Set(pairs.flatMap(({ wanted, alike }) => [wanted, ...alike]));
    const scopeBias = Float32Array.from({ length: before.itemCount }, (_, item) => (among.has(item) ? 0 : -1e9));
    const { items } = model.recommend({ history, historyWeight: history.map(() => 1), exclude: [], scopeBias, count: among.size });
    const order = new Map(items.map((item, place) => [item, place]));
    for (const { wanted, alike } of pairs) tally.add({ user, wanted, alike, order });
  }
  return tally.summarize();
}

describe('lookAlikes', () => {
  const shop: Shop = { users: 400, items: 300, tastes: 5, faith: 0.7, perUser: 15, days: 60, zipf: 0.8, fresh: 0.2, seed };

  it('asks for items that looked alike at the split, and the same again by the same seed', () => {
    const { before, users, known } = split(shop);
    const isInScope = (item: number) => known.has(item) && item % 7 !== 0;
    const questions = [...lookAlikes({ rows: before, users, isInScope, seed: 3 })];
    expect(questions.length).toBeGreaterThan(5);
    expect([...lookAlikes({ rows: before, users, isInScope, seed: 3 })]).toEqual(questions);
    const splitMs = Math.max(...before.atMs);
    const pastOf = (item: number) => {
      const entries = [...before.items.keys()].filter((entry) => before.items[entry] === item);
      const times = entries.map((entry) => before.atMs[entry] as number);
      const buyers = new Set(entries.map((entry) => before.indptr.findLastIndex((from) => from <= entry)));
      return {
        events: entries.length,
        buyers: buyers.size,
        lastDays: (splitMs - Math.max(...times)) / dayMs,
        firstDays: (splitMs - Math.min(...times)) / dayMs,
      };
    };
    for (const { user, pairs } of questions) {
      const { history, relevant } = users[user] as AskedUser;
      for (const { wanted, alike } of pairs) {
        expect(relevant).toContain(wanted);
        const own = pastOf(wanted);
        expect(own.buyers).toBeLessThanOrEqual(20);
        expect(alike.length).toBeLessThanOrEqual(20);
        for (const other of alike) {
          expect(isInScope(other)).toBe(true);
          expect([...history, ...relevant]).not.toContain(other);
          const theirs = pastOf(other);
          if (own.events <= 6) expect([theirs.events, theirs.buyers]).toEqual([own.events, own.buyers]);
          expect(theirs.events / own.events).toBeLessThan(1.5);
          for (const bound of [2, 5, 10, 21, 42]) expect(theirs.lastDays >= bound).toBe(own.lastDays >= bound);
          for (const bound of [14, 42, 120]) expect(theirs.firstDays >= bound).toBe(own.firstDays >= bound);
        }
      }
    }
  });
});

describe('ForeknowledgeTally', () => {
  const fill = (shares: readonly { user: number; item: number; order: readonly number[] }[]) => {
    const tally = new ForeknowledgeTally();
    for (const { user, item, order } of shares) tally.add({ user, wanted: item, alike: [1000, 1001], order: new Map(order.map((one, place) => [one, place])) });
    return tally;
  };

  it('golden values, worked out by hand', () => {
    // Shares of a user's only pair: 1 before both, 1/2 between them, 0 behind; who is missing stands last, beside others who are missing.
    const orders = [(item: number) => [item, 1000, 1001], (item: number) => [1000, item, 1001], () => [1000, 1001], () => []];
    const found = fill(
      Array.from({ length: 80 }, (_, user) => ({ user, item: user, order: (orders[user % 4] as (item: number) => number[])(user) })),
    ).summarize(0.95);
    // Mean of 1, 1/2, 0, 1/2; its variance is that of the shares, 1/8, over their number.
    const reach = normalQuantile(0.975) * Math.sqrt(1 / 8 / 80);
    expect(found).toEqual({ value: 0.5, low: expect.closeTo(0.5 - reach, 12), high: expect.closeTo(0.5 + reach, 12), pairs: 80, users: 80 });
  });

  it('all users of an item are one observation of its fate', () => {
    const shares = Array.from({ length: 200 }, (_, user) => ({ user, item: user % 2, order: user % 2 === 0 ? [0, 1000, 1001] : [1000, 1001, 1] }));
    const found = fill(shares).summarize(0.95);
    // Two items: sums 50 and -50 around the mean, over 200 pairs.
    const reach = normalQuantile(0.975) * Math.sqrt((2 * 50 ** 2) / 200 ** 2);
    expect(found?.low).toBeCloseTo(Math.max(0, 0.5 - reach), 12);
  });

  it('says nothing of few, and stays within 0 and 1', () => {
    const few = Array.from({ length: 49 }, (_, user) => ({ user, item: user, order: [user] }));
    expect(fill(few).summarize()).toBeNull();
    expect(fill(Array.from({ length: 60 }, (_, item) => ({ user: item % 19, item, order: [item] }))).summarize()).toBeNull();
    fc.assert(
      fc.property(fc.nat(), (drawn) => {
        const random = createRandom(drawn);
        const shares = Array.from({ length: 60 }, () => {
          const item = random.below(8);
          return { user: random.below(60), item, order: random.below(2) === 0 ? [item, 1000, 1001] : [1000, item] };
        });
        const found = fill(shares).summarize();
        if (found === null) return;
        expect(0 <= found.low && found.low <= found.value && found.value <= found.high && found.high <= 1).toBe(true);
      }),
      { seed },
    );
  });
});

it('honest models are below the limit on every surface, those that have memorized the test part above it', async () => {
  const limit = 0.75;
  const shops: Omit<Shop, 'seed'>[] = [
    { users: 900, items: 700, tastes: 10, faith: 0.5, perUser: 16, days: 60, zipf: 0.9, fresh: 0.2 },
    { users: 900, items: 900, tastes: 20, faith: 0.9, perUser: 14, days: 60, zipf: 0.8, fresh: 0.1 },
    { users: 1200, items: 1200, tastes: 30, faith: 0.75, perUser: 9, days: 60, zipf: 0.9, fresh: 0 },
  ];
  const models: [name: string, params: object][] = [
    ['popularity', {}],
    ['item-knn', {}],
    ['ials', { factors: 32, sweeps: 5 }],
  ];
  const found: { name: string; honest: number; honestLow: number; leaked: number; leakedLow: number }[] = [];
  for (const [number, shop] of shops.entries()) {
    const one = split({ ...shop, seed: seed + number });
    for (const [name, params] of models) {
      const honest = await foreknowledgeOf(one, { name, params, on: one.before });
      const leaked = await foreknowledgeOf(one, { name, params, on: one.all });
      if (honest === null || leaked === null) throw new Error('too few pairs');
      found.push({ name, honest: honest.value, honestLow: honest.low, leaked: leaked.value, leakedLow: leaked.low });
    }
  }
  const two = (value: number) => value.toFixed(2);
  const lines = found.map(
    ({ name, honest, honestLow, leaked, leakedLow }) =>
      `${name}: honest ${two(honest)}, at least ${two(honestLow)}; leaked ${two(leaked)}, at least ${two(leakedLow)}`,
  );
  console.log(lines.join('\n'));
  for (const { honestLow } of found) expect(honestLow).toBeLessThan(limit);
  // Of popularity, which has seen no more of the test part than how often each item sold, it is not asked.
  for (const { name, leaked } of found) if (name !== 'popularity') expect(leaked, name).toBeGreaterThan(limit);
  for (const { name, leakedLow } of found) if (name === 'ials') expect(leakedLow, name).toBeGreaterThan(limit);
});
