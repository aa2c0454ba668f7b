import { alignVectors } from '../experiments/drift/align-vectors.ts';
import { compareClouds } from '../experiments/drift/compare-clouds.ts';
import { displacements, neighbourChanges, pairwise } from '../experiments/drift/compare-items.ts';
import { placesTo, shuffle } from '../experiments/drift/permutations.ts';
import { beyondRetraining } from '../experiments/drift/retraining-noise.ts';
import { pick, type Vectors } from '../experiments/drift/vectors.ts';
import { ials } from '../models/algorithms/ials/ials.ts';
import type { Interactions } from '../models/algorithms/algorithm.ts';
import { createRandom } from '../models/random.ts';

/** What a window of purchases may differ in from the first. `none`: the same distribution. */
export const windowShifts = ['none', 'popularity flip', 'moved items', 'segment gone'] as const;
export type WindowShift = (typeof windowShifts)[number];

const groups = 5;
const perUser = 20;

/**
 * Purchases of users of five tastes over `items` items, of which each is of one taste, with a long tail. In another window the popular and the rare half of items
 * may have changed places, a tenth of the items may be bought by another taste, or the users of one taste may be gone.
 */
export function drawWindow({ items, seed, shift }: { items: number; seed: number; shift: WindowShift }): Interactions {
  const random = createRandom(seed);
  const userCount = Math.max(100, Math.floor(items / 2));
  const rows: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    const taste = user % (shift === 'segment gone' ? groups - 1 : groups);
    const own = new Set<number>();
    while (own.size < Math.min(perUser, items / groups)) {
      const liked = random.float() < 0.85 ? taste : random.below(groups);
      const rank = Math.floor((items / groups) * random.float() ** 2);
      own.add(itemOf({ items, group: liked, rank, shift }));
    }
    rows.push(...[...own].sort((a, b) => a - b));
  }
  const length = rows.length / userCount;
  return {
    ...{ userCount, itemCount: items, indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * length), items: Uint32Array.from(rows) },
    ...{ weights: new Float32Array(rows.length).fill(1), atMs: new Float64Array(rows.length) },
  };
}

function itemOf({ items, group, rank, shift }: { items: number; group: number; rank: number; shift: WindowShift }): number {
  const size = items / groups;
  const place = shift === 'popularity flip' ? size - 1 - rank : rank;
  const taste = shift === 'moved items' && place % 10 === 0 ? (group + 1) % groups : group;
  return place * groups + taste;
}

/** A small iALS. @returns its item vectors, [items, 8] */
export async function trainItems(interactions: Interactions, seed: number): Promise<Vectors> {
  const params = ials.params.parse({ factors: 8, sweeps: 4 });
  const model = await ials.train({ interactions, params, seed });
  const { vectors } = model.embeddings?.() ?? { vectors: new Float32Array(0) };
  return { count: interactions.itemCount, dimensions: 8, values: Float64Array.from(vectors.subarray(0, interactions.itemCount * 8)) };
}

export type RetrainingAlarms = { displaced: number; neighbours: number; cloud: number; unaligned: number };

/** p-values of one model against three others. `cloud`: one half of the items of each of two models, aligned on a third part; `unaligned`: the same, not aligned. */
export function retrainingTests(others: readonly Vectors[], model: Vectors, seed: number): RetrainingAlarms {
  const random = createRandom(seed);
  const models = [...others, model];
  const who = { model: others.length, others: others.map((_, place) => place) };
  const asked = shuffle(placesTo(model.count), random).subarray(0, 100);
  const displaced = beyondRetraining(
    pairwise(models, (one, other) => displacements(one, other)),
    who,
  ).p;
  const neighbours = beyondRetraining(
    pairwise(models, (one, other) => neighbourChanges(one, other, { asked, k: 10 })),
    who,
  ).p;
  const order = shuffle(placesTo(model.count), random);
  const third = Math.floor(model.count / 3);
  const [first] = others as [Vectors];
  const aligned = alignVectors(model, { onto: first, rows: order.subarray(0, third) });
  const one = pick(first, order.subarray(third, 2 * third));
  const p = (vectors: Vectors) => compareClouds(one, pick(vectors, order.subarray(2 * third)), { random, permutations: 99 }).p;
  return { displaced, neighbours, cloud: p(aligned), unaligned: p(model) };
}
