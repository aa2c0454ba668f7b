import type { Charter } from '../contracts/charter.ts';
import type { Exploration } from '../contracts/slate.ts';
import { createRandom, type Random } from '../random.ts';
import { inclusionProbabilities } from './inclusion.ts';
import type { Scope } from './scope.ts';

export type ExploreInput = {
  /** The slate as the model and all rules made it. It is not longer than the charter's size, and holds no item twice. */
  baseItems: readonly string[];
  /** The same model's ranking behind the base slate, best first: its ranks baseItems.length + 1 and on. */
  nextItems: readonly string[];
  /** Rankings of the other artifacts of the release: of each registered challenger, or of the champion and the others where a challenger answers. */
  challengerRankings: readonly (readonly string[])[];
  scope: Pick<Scope, 'allowed' | 'allowedIds'>;
  /** What this request may not show. */
  excluded: ReadonlySet<string>;
  settings: Charter['exploration'];
  /** The charter's. A slate that is shorter explores that much less. */
  slateSize: number;
  seed: number;
  drawId: string;
};

export type Explored = {
  items: string[];
  /** Marginal probability that the item stands at its slot. */
  propensities: number[];
  /** Probability of the item given that its slot was drawn; 1 for a base item. */
  conditionalPropensities: number[];
  /** Null where nothing could be drawn: the base slate is then certain. */
  exploration: Exploration | null;
};

/**
 * The last step of a slate. `slots` of its places, each set as likely as the other, get items drawn one after the other without
 * replacement: with probability `floor` any in-scope item outside the base slate, else one of the pool by Plackett-Luce on rank. A slate
 * that is shorter than the charter's explores `slots * length / slateSize` of its places in expectation: one more or less by the draw, which
 * the propensities count in.
 *
 * The pool: the model's next ranks up to `poolDepth` (rank 1 is the first behind the base slate) and each challenger's best
 * `challengerDepth` (its own ranks, base items left out). An item of several has the best of its ranks. Weight 1 / (rank + rankOffset).
 * Where the pool is empty a place is explored only as often as the floor would have had it, and by the floor.
 */
export function exploreSlate(input: ExploreInput): Explored {
  const { baseItems, scope, excluded, settings, seed, drawId } = input;
  const pool = poolOf(input);
  const eligible = countEligible(input);
  const certain: Explored = { items: [...baseItems], propensities: baseItems.map(() => 1), conditionalPropensities: baseItems.map(() => 1), exploration: null };
  const isPoolEmpty = pool.items.length === 0;
  const floor = isPoolEmpty ? Math.sign(settings.floor) : settings.floor;
  const available = Math.min(baseItems.length, floor > 0 ? eligible : pool.items.length);
  const wanted = settings.slots * Math.min(1, baseItems.length / input.slateSize) * (isPoolEmpty ? settings.floor : 1);
  const expectedSlots = Math.min(wanted, available);
  if (!(expectedSlots > 0)) return certain;

  const random = createRandom(seed);
  const surely = Math.floor(expectedSlots);
  const slotCount = surely + (expectedSlots > surely && random.float() < expectedSlots - surely ? 1 : 0);
  const floorProbability = floor / eligible;
  const totalWeight = pool.weights.reduce((sum, weight) => sum + weight, 0);
  const poolProbabilities = pool.weights.map((weight) => ((1 - floor) * weight) / totalWeight + floorProbability);
  const floorItems = eligible - pool.items.length;
  const slots = drawSlots(random, baseItems.length, slotCount);
  const exploration: Exploration = {
    seed,
    drawId,
    baseItems: [...baseItems],
    poolItems: pool.items,
    poolProbabilities,
    floorProbability: floorItems > 0 ? floorProbability : 0,
    floorItems,
    slots,
    ...(expectedSlots > surely ? { expectedSlots } : {}),
  };

  const outside = new Set([...baseItems, ...excluded]);
  const drawn = drawItems({ random, pool: { items: pool.items, weights: poolProbabilities }, exploration, outside, allowedIds: scope.allowedIds });
  const items = [...baseItems];
  slots.forEach((slot, position) => {
    items[slot] = drawn[position] as string;
  });
  const lookup = propensitiesOf({ exploration, size: baseItems.length, items: drawn });
  return {
    items,
    propensities: items.map((item, slot) => lookup.marginal(item, slot)),
    conditionalPropensities: items.map((item, slot) => (slots.includes(slot) ? lookup.conditional(item) : 1)),
    exploration,
  };
}

function poolOf({ baseItems, nextItems, challengerRankings, scope, excluded, settings }: ExploreInput): { items: string[]; weights: number[] } {
  const base = new Set(baseItems);
  const bestRank = new Map<string, number>();
  const depth = Math.max(0, settings.poolDepth - baseItems.length);
  const others = challengerRankings.map((ranking) => ranking.filter((item) => !base.has(item)).slice(0, settings.challengerDepth));
  for (const ranking of [nextItems.slice(0, depth), ...others]) {
    for (const [position, item] of ranking.entries()) {
      if (base.has(item) || excluded.has(item) || !scope.allowed(item)) continue;
      bestRank.set(item, Math.min(position + 1, bestRank.get(item) ?? Number.POSITIVE_INFINITY));
    }
  }
  return { items: [...bestRank.keys()], weights: [...bestRank.values()].map((rank) => 1 / (rank + settings.rankOffset)) };
}

/** In-scope items outside base slate and exclusions, the pool's among them. */
function countEligible({ baseItems, scope, excluded }: ExploreInput): number {
  let eligible = scope.allowedIds.length;
  for (const item of new Set([...baseItems, ...excluded])) if (scope.allowed(item)) eligible -= 1;
  return eligible;
}

/** Ordered places, each ordered choice as likely as the other: so no place goes to the first draw by rule. */
function drawSlots(random: Random, size: number, count: number): number[] {
  const places = Array.from({ length: size }, (_, place) => place);
  for (let position = 0; position < count; position += 1) {
    const other = position + random.below(size - position);
    [places[position], places[other]] = [places[other] as number, places[position] as number];
  }
  return places.slice(0, count);
}

type Draw = {
  random: Random;
  pool: { items: readonly string[]; weights: readonly number[] };
  exploration: Exploration;
  outside: ReadonlySet<string>;
  allowedIds: readonly string[];
};

function drawItems({ random, pool, exploration, outside, allowedIds }: Draw): string[] {
  const drawn: string[] = [];
  const taken = new Set<string>();
  const poolSet = new Set(pool.items);
  const isFloorItem = (item: string): boolean => !outside.has(item) && !poolSet.has(item) && !taken.has(item);
  let floorLeft = exploration.floorItems;
  for (let position = 0; position < exploration.slots.length; position += 1) {
    const left = pool.items.map((item, index) => (taken.has(item) ? 0 : (pool.weights[index] as number)));
    const poolTotal = left.reduce((sum, weight) => sum + weight, 0);
    let point = random.float() * (poolTotal + floorLeft * exploration.floorProbability);
    let item: string | undefined;
    for (let index = 0; index < left.length && item === undefined; index += 1) {
      const weight = left[index] as number;
      if (weight > 0 && point < weight) item = pool.items[index];
      point -= weight;
    }
    if (item === undefined && floorLeft > 0) {
      item = drawUniformly(random, allowedIds, isFloorItem);
      floorLeft -= 1;
    }
    // Rounding may leave the point a hair behind the last weight.
    item ??= pool.items[left.findLastIndex((weight) => weight > 0)] as string;
    drawn.push(item);
    taken.add(item);
  }
  return drawn;
}

/** By trying, for nearly all ids fit; by listing them where they do not. */
function drawUniformly(random: Random, ids: readonly string[], fits: (id: string) => boolean): string {
  for (let attempt = 0; attempt < 32; attempt += 1) {
    const id = ids[random.below(ids.length)] as string;
    if (fits(id)) return id;
  }
  const fitting = ids.filter(fits);
  return fitting[random.below(fitting.length)] as string;
}

export type SlotPropensities = {
  /**
   * Probability that the item stands at the slot. For an id that is neither in the base slate nor in the pool it is that of one floor
   * item: the caller knows whether the id was in scope at the time.
   */
  marginal(itemId: string, slot: number): number;
  /** Probability that a drawn slot holds the item; 0 for a base item. */
  conditional(itemId: string): number;
  /**
   * [items] Probability that the slate begins with the first k + 1 of these. 0 also for what has two or more items in places that the base slate fills
   * otherwise, though several draws could have made it.
   */
  prefix(items: readonly string[]): number[];
};

/**
 * The logging policy of one slate, for any item at any slot. With E of `size` slots drawn in expectation and pi the probability that an item is among
 * those drawn (one draw: its share; else the race integral of inclusion.ts; E between two whole numbers: the mean of both): a base item stands
 * at its own slot with 1 - E / size and nowhere else, any other item at each slot with pi / size.
 */
export function slotPropensities({ exploration, size }: { exploration: Exploration; size: number }): SlotPropensities {
  return propensitiesOf({ exploration, size, items: exploration.poolItems });
}

/** The same for some items outside the base slate, and for any floor item: inclusion costs time for each pool item that is asked for. */
function propensitiesOf({ exploration, size, items }: { exploration: Exploration; size: number; items: readonly string[] }): SlotPropensities {
  const { poolItems, poolProbabilities, floorProbability, floorItems, baseItems } = exploration;
  const draws = exploration.expectedSlots ?? exploration.slots.length;
  const asked = new Set(items);
  const wanted = poolItems.flatMap((item, index) => (asked.has(item) ? [index] : []));
  const inclusionOf = (count: number) =>
    inclusionProbabilities({ weights: poolProbabilities, floor: { weight: floorProbability, count: floorItems }, draws: count, wanted });
  const rest = draws - Math.floor(draws);
  const [less, more] = [inclusionOf(Math.floor(draws)), rest > 0 ? inclusionOf(Math.ceil(draws)) : null];
  const mean = (one: number, other: number | undefined): number => (other === undefined ? one : (1 - rest) * one + rest * other);
  const floor = mean(less.floor, more?.floor);
  const baseSlot = new Map(baseItems.map((item, slot) => [item, slot]));
  const poolInclusion = new Map(wanted.map((index, place) => [poolItems[index], mean(less.listed[place] as number, more?.listed[place])]));
  const inclusion = (itemId: string): number => (baseSlot.has(itemId) ? 0 : (poolInclusion.get(itemId) ?? floor));
  return {
    marginal(itemId, slot) {
      const own = baseSlot.get(itemId);
      if (own === undefined) return inclusion(itemId) / size;
      return own === slot ? 1 - draws / size : 0;
    },
    conditional: (itemId) => inclusion(itemId) / draws,
    prefix(items) {
      const counts =
        rest > 0
          ? [
              { count: Math.floor(draws), chance: 1 - rest, found: less },
              { count: Math.ceil(draws), chance: rest, found: more ?? less },
            ]
          : [{ count: draws, chance: 1, found: less }];
      const place = new Map(wanted.map((index, position) => [poolItems[index], position]));
      let drawn: string | null = null;
      let possible = true;
      return items.map((item, slot) => {
        if (baseItems[slot] !== item) {
          if (drawn !== null || baseSlot.has(item)) possible = false;
          drawn = item;
        }
        if (!possible) return 0;
        const length = slot + 1;
        return counts.reduce((sum, { count, chance, found }) => {
          if (drawn === null) return sum + chance * untouched({ places: length, draws: count, size });
          const own = found.listed[place.get(drawn) ?? -1] ?? found.floor;
          return sum + (count === 0 ? 0 : (chance * own * untouched({ places: length - 1, draws: count - 1, size: size - 1 })) / size);
        }, 0);
      });
    },
  };
}

/** Probability that none of some places is among `draws` that are drawn of `size` without replacement. */
function untouched({ places, draws, size }: { places: number; draws: number; size: number }): number {
  let probability = 1;
  for (let place = 0; place < places; place += 1) probability *= Math.max(0, size - draws - place) / (size - place);
  return probability;
}
