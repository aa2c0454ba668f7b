import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { disallowedScore } from '../../graph/recommend-interface.ts';
import { openRecommendGraph } from '../../graph/session.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, ItemAttributes, Model, ScoreRequest } from '../algorithm.ts';
import { ials } from '../ials/ials.ts';
import { edges, interactionsOf } from '../testing-interactions.ts';
import { ncf } from './ncf.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const dayMs = 86_400_000;
const first = { algorithm: 'ials', params: { factors: 16, sweeps: 4 } };
const small = { first, hidden: [16], dimensions: 8, learningRate: 0.01, behindShare: 0.25 };

const train = (interactions: Interactions, params: object = {}, attributes?: ItemAttributes) =>
  ncf.train({ interactions, params: ncf.params.parse({ ...small, ...params }), seed, attributes });
const requestOf = (history: readonly number[], count: number, more: Partial<ScoreRequest> = {}): ScoreRequest => ({
  ...{ history, historyWeight: history.map(() => 1), exclude: [], count, ...more },
});
const firstAlone = (interactions: Interactions, attributes?: ItemAttributes): Promise<Model> =>
  ials.train({ interactions, params: ials.params.parse(first.params), seed, attributes });

/** One attribute each, all of one field. */
function attributesOf(values: readonly number[]): ItemAttributes {
  const indptr = Uint32Array.from({ length: values.length + 1 }, (_, item) => item);
  return { indptr, attributes: Uint32Array.from(values), fields: ['brand'], fieldOf: new Uint8Array(1 + Math.max(...values)) };
}

const [items, tastes, brands] = [240, 4, 6];
const brandOf = (item: number): number => Math.floor(item / tastes) % brands;
const brandsOfItems = attributesOf(Array.from({ length: items }, (_, item) => brandOf(item)));

type Visit = { user: number; item: number; day: number };

/** Everybody buys once a day for 20 days, of one taste. On the last five days nearly all that is bought is of one brand, as in a sale. */
function sale(drawnBy: number): { interactions: Interactions; next: Map<number, number> } {
  const random = createRandom(drawnBy);
  const visits: Visit[] = [];
  const next = new Map<number, number>();
  for (let user = 0; user < 250; user += 1) {
    const own = new Set<number>();
    for (let day = 0; day < 21; day += 1) {
      let item = 0;
      do {
        const isOnSale = day >= 15 && random.float() < 0.8;
        const place = isOnSale ? brands * random.below(items / tastes / brands) : random.below(items / tastes);
        item = (user % tastes) + tastes * place;
      } while (own.has(item));
      own.add(item);
      if (day === 20) next.set(user, item);
      else visits.push({ user, item, day });
    }
  }
  return { interactions: ofVisits(visits, 250), next };
}

function ofVisits(visits: readonly Visit[], userCount: number): Interactions {
  const histories = Array.from({ length: userCount }, (): Visit[] => []);
  for (const visit of visits) (histories[visit.user] as Visit[]).push(visit);
  const all = histories.flat();
  return interactionsOf(
    histories.map((own) => own.map(({ item }) => item)),
    items,
    (entry) => 1_300_000_000_000 + (all[entry] as Visit).day * dayMs + (all[entry] as Visit).user,
  );
}

/** Mean of 1 / log2(1 + place) of what everybody does next. */
function gain(model: Model, interactions: Interactions, next: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const [user, item] of next) {
    const history = [...interactions.items.subarray(interactions.indptr[user], interactions.indptr[user + 1])];
    const place = model.recommend(requestOf(history, items, { exclude: history })).items.indexOf(item);
    sum += place < 0 ? 0 : 1 / Math.log2(2 + place);
  }
  return sum / next.size;
}

test('what the catalog says carries what the first stage cannot know, and does not without it', async () => {
  const { interactions, next } = sale(seed);
  const told = gain(await train(interactions, {}, brandsOfItems), interactions, next);
  const alone = gain(await firstAlone(interactions, brandsOfItems), interactions, next);
  const nameless = gain(await train(interactions, {}, attributesOf(Array.from({ length: items }, () => 0))), interactions, next);
  console.log({ told, alone, nameless });
  expect(told).toBeGreaterThan(1.3 * alone);
});
