import { alignVectors } from '../experiments/drift/align-vectors.ts';
import { compareClouds } from '../experiments/drift/compare-clouds.ts';
import { displacements, nearestItems, neighbourChanges } from '../experiments/drift/compare-items.ts';
import { placesTo, shuffle } from '../experiments/drift/permutations.ts';
import { beyondRetraining } from '../experiments/drift/retraining-noise.ts';
import { alpha } from '../experiments/drift/study.ts';
import { pick, type Vectors } from '../experiments/drift/vectors.ts';
import { twoSided } from '../experiments/normal.ts';
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

/** What is measured between two models, means over items. `entities`: mean and standard error of the displacement's difference, as if items were independent. */
export type Apart = { displaced: number; neighbours: number; moves: Float64Array };

export function apartOf(one: Vectors, other: Vectors, asked: ArrayLike<number>): Apart {
  const moves = displacements(one, other);
  const nearest = (model: Vectors) => nearestItems(model, { asked, k: 10 });
  return { displaced: meanOf(moves), neighbours: meanOf(neighbourChanges(nearest(one), nearest(other))), moves };
}

export type RetrainingAlarms = Record<'displaced' | 'neighbours' | 'items-as-units', boolean>;

/**
 * Is the last of four models farther from the others than these are from one another? `items-as-units`: what is often done instead, items as independent witnesses of
 * whether the last lies farther from the first than the second does.
 */
export function retrainingAlarms(apart: readonly (readonly Apart[])[]): RetrainingAlarms {
  const who = { model: apart.length - 1, others: apart.slice(0, -1).map((_, place) => place) };
  const by = (what: 'displaced' | 'neighbours') =>
    beyondRetraining(
      apart.map((row) => row.map((one) => one?.[what] ?? 0)),
      who,
    ).p <= alpha;
  const [within, between] = [apart[0]?.[1]?.moves as Float64Array, apart[0]?.at(-1)?.moves as Float64Array];
  const differences = between.map((move, item) => move - (within[item] as number));
  const mean = meanOf(differences);
  const error = Math.sqrt(differences.reduce((sum, one) => sum + (one - mean) ** 2, 0)) / differences.length;
  return { displaced: by('displaced'), neighbours: by('neighbours'), 'items-as-units': twoSided(mean / error) <= alpha };
}

export type HalvesAlarms = Record<'halves' | 'unaligned', boolean>;

/** A third of the items as one model has them against another third as another does, that one turned by what the last third says; `unaligned`: not turned. */
export function halvesAlarms(one: Vectors, other: Vectors, seed: number): HalvesAlarms {
  const random = createRandom(seed);
  const order = shuffle(placesTo(one.count), random);
  const third = Math.floor(one.count / 3);
  const first = pick(one, order.subarray(third, 2 * third));
  const isAlarm = (vectors: Vectors) => compareClouds(first, pick(vectors, order.subarray(2 * third)), { random, permutations: 19 }).p <= alpha;
  return { halves: isAlarm(alignVectors(other, { onto: one, rows: order.subarray(0, third) })), unaligned: isAlarm(other) };
}

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
