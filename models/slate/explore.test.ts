import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploration as explorationSchema } from '../contracts/slate.ts';
import { type ExploreInput, exploreSlate, slotPropensities } from './explore.ts';
import { inclusionProbabilities } from './inclusion.ts';

const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

function inputOf(
  change: Partial<Omit<ExploreInput, 'settings' | 'scope'>> & { settings?: Partial<ExploreInput['settings']>; allowedIds?: string[] } = {},
): ExploreInput {
  const allowedIds = change.allowedIds ?? [...ids('b', 4), ...ids('n', 6), ...ids('c', 3), ...ids('f', 5)];
  const { settings, allowedIds: _, ...rest } = change;
  return {
    baseItems: ids('b', 4),
    nextItems: ids('n', 6),
    challengerRankings: [
      ['b1', 'n3', 'c0', 'c1', 'c2'],
      ['c2', 'n0', 'b0', 'c1'],
    ],
    excluded: new Set(),
    seed: 1,
    drawId: 'draw-1',
    slateSize: (rest.baseItems ?? ids('b', 4)).length,
    scope: { allowed: (id) => allowedIds.includes(id), allowedIds },
    ...rest,
    settings: { slots: 1, poolDepth: 100, rankOffset: 5, challengerDepth: 20, floor: 0.02, ...settings },
  };
}

test('one slot: every number by hand', () => {
  const input = inputOf({
    baseItems: ['b0', 'b1'],
    nextItems: ['n0', 'n1', 'n2'],
    challengerRankings: [
      ['b1', 'n1', 'c0'],
      ['c0', 'n2', 'b0'],
    ],
    allowedIds: ['b0', 'b1', 'n0', 'n1', 'n2', 'c0', 'f0', 'f1'],
    settings: { floor: 0.1, rankOffset: 0 },
  });
  const explored = exploreSlate(input);
  // Ranks: n0 1, n1 the better of 2 and 1, n2 of 3 and 2, c0 of 2 and 1. Weights 1, 1, 1/2, 1: 7/2 in all. Six items take part in the floor.
  const share = (weight: number): number => (0.9 * weight) / (7 / 2) + 0.1 / 6;
  const exploration = explorationSchema.parse(explored.exploration);
  expect(exploration.poolItems).toEqual(['n0', 'n1', 'n2', 'c0']);
  for (const [index, value] of [share(1), share(1), share(1 / 2), share(1)].entries()) expect(exploration.poolProbabilities[index]).toBeCloseTo(value, 14);
  expect(exploration.floorProbability).toBeCloseTo(0.1 / 6, 14);
  expect(exploration.floorItems).toBe(2);
  const [slot] = exploration.slots as [number];
  const drawn = explored.items[slot] as string;
  expect(explored.items[1 - slot]).toBe(input.baseItems[1 - slot]);
  expect(explored.propensities[1 - slot]).toBe(0.5);
  expect(explored.conditionalPropensities[1 - slot]).toBe(1);
  const conditional = exploration.poolItems.includes(drawn)
    ? exploration.poolProbabilities[exploration.poolItems.indexOf(drawn)]
    : exploration.floorProbability;
  expect(explored.conditionalPropensities[slot]).toBeCloseTo(conditional as number, 14);
  expect(explored.propensities[slot]).toBeCloseTo((conditional as number) / 2, 14);
});

test.each([
  { name: '1 slot', base: 4, settings: { slots: 1 }, expected: 1 },
  { name: '2 slots', base: 4, settings: { slots: 2 }, expected: 2 },
  { name: '3 slots', base: 4, settings: { slots: 3 }, expected: 3 },
  { name: '1 slot of 10, count 1', base: 1, slateSize: 10, settings: { slots: 1 }, expected: 0.1 },
  { name: '3 slots of 5, count 3', base: 3, slateSize: 5, settings: { slots: 3 }, expected: 1.8 },
  { name: '2 slots and an empty pool', base: 4, empty: true, settings: { slots: 2 }, expected: 0.4 },
])('the propensities are the frequencies: $name', ({ base, slateSize = base, settings, empty, expected }) => {
  const input = inputOf({
    baseItems: ids('b', base),
    slateSize,
    ...(empty ? { nextItems: [], challengerRankings: [] } : {}),
    settings: { floor: 0.2, rankOffset: 1, ...settings },
  });
  const size = input.baseItems.length;
  const draws = 10_000;
  const counts = new Map<string, number>();
  const given = new Map<string, number>();
  const recorded = new Map<string, number>();
  let drawnSlots = 0;
  for (let seed = 0; seed < draws; seed += 1) {
    const { items, exploration, propensities } = exploreSlate({ ...input, seed });
    for (const [slot, item] of items.entries()) {
      counts.set(`${item}@${slot}`, (counts.get(`${item}@${slot}`) ?? 0) + 1);
      recorded.set(`${item}@${slot}`, propensities[slot] as number);
    }
    for (const slot of exploration?.slots ?? []) given.set(items[slot] as string, (given.get(items[slot] as string) ?? 0) + 1);
    drawnSlots += exploration?.slots.length ?? 0;
  }
  expect(Math.abs(drawnSlots / draws - expected)).toBeLessThan(0.03);
  const { exploration } = exploreSlate(input);
  const lookup = slotPropensities({ exploration: explorationSchema.parse(exploration), size });
  for (let slot = 0; slot < size; slot += 1) {
    let sum = 0;
    for (const item of input.scope.allowedIds) {
      const probability = lookup.marginal(item, slot);
      sum += probability;
      // Five standard errors: of some 200 comparisons none should lie outside.
      expect(Math.abs((counts.get(`${item}@${slot}`) ?? 0) / draws - probability)).toBeLessThan(
        5 * Math.sqrt((probability * (1 - probability)) / draws) + 1e-12,
      );
      // What the slate recorded is what the record answers later.
      if (recorded.has(`${item}@${slot}`)) expect(recorded.get(`${item}@${slot}`)).toBeCloseTo(probability, 12);
    }
    expect(sum).toBeCloseTo(1, 6);
  }
  for (const item of input.scope.allowedIds) {
    const probability = lookup.conditional(item);
    expect(Math.abs((given.get(item) ?? 0) / drawnSlots - probability)).toBeLessThan(5 * Math.sqrt(probability / drawnSlots) + 1e-12);
  }
});

test('whatever the request: allowed, no item twice, shares that add up, the same for the same seed', () => {
  const universe = ids('i', 30);
  const anyInput = fc.record({
    order: fc.shuffledSubarray(universe, { minLength: 10, maxLength: 30 }),
    challengers: fc.array(fc.shuffledSubarray(universe, { maxLength: 12 }), { maxLength: 4 }),
    allowed: fc.subarray(universe),
    excluded: fc.subarray(universe, { maxLength: 8 }),
    size: fc.integer({ min: 0, max: 10 }),
    slots: fc.integer({ min: 0, max: 10 }),
    poolDepth: fc.integer({ min: 10, max: 30 }),
    floor: fc.constantFrom(0, 0.02, 0.5, 1),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(anyInput, ({ order, challengers, allowed, excluded, size, slots, poolDepth, floor, seed }) => {
      const banned = new Set(excluded);
      const legal = (id: string): boolean => allowed.includes(id) && !banned.has(id);
      const baseItems = order.filter(legal).slice(0, size);
      const input: ExploreInput = {
        baseItems,
        nextItems: order.filter((id) => !baseItems.includes(id)),
        challengerRankings: challengers,
        scope: { allowed: (id) => allowed.includes(id), allowedIds: allowed },
        excluded: banned,
        settings: { slots, poolDepth, rankOffset: 5, challengerDepth: 5, floor },
        slateSize: Math.max(1, size),
        seed,
        drawId: 'd',
      };
      const explored = exploreSlate(input);
      expect(exploreSlate(input)).toEqual(explored);
      expect(explored.items).toHaveLength(baseItems.length);
      expect(new Set(explored.items).size).toBe(baseItems.length);
      expect(explored.items.every(legal)).toBe(true);
      const { exploration } = explored;
      if (exploration === null) {
        expect(explored).toMatchObject({ items: baseItems, propensities: baseItems.map(() => 1) });
        return;
      }
      explorationSchema.parse(exploration);
      const total = exploration.poolProbabilities.reduce((sum, value) => sum + value, 0) + exploration.floorProbability * exploration.floorItems;
      expect(total).toBeCloseTo(1, 10);
      // Who may be drawn, and how likely: by the best of the item's ranks among all rankings.
      const own = input.nextItems.slice(0, Math.max(0, poolDepth - baseItems.length));
      const rankings = [own, ...challengers.map((one) => one.filter((id) => !baseItems.includes(id)).slice(0, 5))];
      const ranks = new Map<string, number>();
      for (const id of rankings.flat().filter((one) => legal(one) && !baseItems.includes(one)))
        ranks.set(id, 1 + Math.min(...rankings.map((one) => one.indexOf(id)).filter((place) => place >= 0)));
      expect(new Set(exploration.poolItems)).toEqual(new Set(ranks.keys()));
      const weights = exploration.poolItems.map((id) => 1 / ((ranks.get(id) as number) + 5));
      const [sum, uniform] = [weights.reduce((one, other) => one + other, 0), (weights.length === 0 ? 0 : floor) / (exploration.floorItems + weights.length)];
      for (const [place, weight] of weights.entries()) expect(exploration.poolProbabilities[place]).toBeCloseTo(((1 - floor) * weight) / sum + uniform, 12);
      explored.items.forEach((item, slot) => {
        const isDrawn = exploration.slots.includes(slot);
        expect(baseItems.includes(item)).toBe(!isDrawn);
        expect(explored.propensities[slot]).toBeGreaterThan(0);
        expect(explored.propensities[slot]).toBeLessThanOrEqual(1);
        expect(explored.conditionalPropensities[slot]).toBeGreaterThan(isDrawn ? 0 : 0.999);
      });
    }),
    { numRuns: 400 },
  );
});

test('the pool ends at its depth', () => {
  const { exploration } = exploreSlate(inputOf({ settings: { poolDepth: 6, challengerDepth: 2 } }));
  // Ranks 5 and 6 of the champion; each challenger's best two outside the base slate.
  expect(exploration?.poolItems).toEqual(['n0', 'n1', 'n3', 'c0', 'c2']);
});

test('nothing to draw from leaves the slate certain; only the floor left has no more than its own', () => {
  const nobody = inputOf({ nextItems: [], challengerRankings: [], allowedIds: ids('b', 4) });
  expect(exploreSlate(nobody)).toEqual({ items: ids('b', 4), propensities: [1, 1, 1, 1], conditionalPropensities: [1, 1, 1, 1], exploration: null });
  expect(exploreSlate(inputOf({ settings: { slots: 0 } })).exploration).toBeNull();
  const onlyFloor = exploreSlate(inputOf({ nextItems: [], challengerRankings: [] }));
  expect(onlyFloor.exploration).toMatchObject({ poolItems: [], floorItems: 14, expectedSlots: 0.02 });
  expect(onlyFloor.exploration?.floorProbability).toBeCloseTo(1 / 14, 14);
  expect(exploreSlate(inputOf({ nextItems: [], challengerRankings: [], settings: { floor: 0 } })).exploration).toBeNull();
});

describe('inclusion probabilities', () => {
  /** By summing over all ordered draws. */
  function exact(weights: readonly number[], draws: number): number[] {
    const included = weights.map(() => 0);
    const go = (left: readonly number[], probability: number, depth: number): void => {
      if (depth === 0) return;
      const total = left.reduce((sum, index) => sum + (weights[index] as number), 0);
      for (const index of left) {
        const own = (probability * (weights[index] as number)) / total;
        included[index] = (included[index] as number) + own;
        go(
          left.filter((other) => other !== index),
          own,
          depth - 1,
        );
      }
    };
    go(
      weights.map((_, index) => index),
      1,
      draws,
    );
    return included;
  }

  test('are those of all orders summed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 2 }),
        (weights, draws, floorCount) => {
          const floor = { weight: 0.05, count: floorCount };
          const all = [...weights, ...Array<number>(floorCount).fill(floor.weight)];
          fc.pre(draws <= all.length);
          const expected = exact(all, draws);
          const { listed, floor: one } = inclusionProbabilities({ weights, floor, draws });
          for (const [index, value] of listed.entries()) expect(value).toBeCloseTo(expected[index] as number, 6);
          if (floorCount > 0) expect(one).toBeCloseTo(expected.at(-1) as number, 6);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('are the same for the items that are asked for', () => {
    const weights = Array.from({ length: 40 }, (_, index) => 0.98 / (index + 6));
    const input = { weights, floor: { weight: 0.01, count: 30 }, draws: 4 };
    const whole = inclusionProbabilities(input);
    const some = inclusionProbabilities({ ...input, wanted: [0, 7, 39] });
    expect([...some.listed, some.floor]).toEqual(
      [0, 7, 39].map((index) => expect.closeTo(whole.listed[index] as number, 12)).concat(expect.closeTo(whole.floor, 12)),
    );
  });

  test('add up to the number drawn, with a catalog behind', () => {
    const weights = Array.from({ length: 110 }, (_, index) => 0.98 / (index + 6));
    for (const draws of [1, 2, 5, 10]) {
      const { listed, floor } = inclusionProbabilities({ weights, floor: { weight: 0.02 / 100_000, count: 100_000 }, draws });
      expect(listed.reduce((sum, value) => sum + value, 0) + 100_000 * floor).toBeCloseTo(draws, 9);
    }
  });
});

test.each([
  { slots: 1, base: 4, slateSize: 4 },
  { slots: 2, base: 4, slateSize: 4 },
  // 1.5 places in expectation, and .75.
  { slots: 2, base: 3, slateSize: 4 },
  { slots: 1, base: 3, slateSize: 4 },
])('the first places of a slate: as often as foretold ($slots of $slateSize, $base there)', ({ slots, base, slateSize }) => {
  const make = (seed: number) => exploreSlate(inputOf({ baseItems: ids('b', base), slateSize, seed, settings: { slots, floor: 0.3 } }));
  const draws = 20_000;
  const shown = Array.from({ length: draws }, (_, seed) => make(seed + 1));
  const lookup = slotPropensities({ exploration: explorationSchema.parse(shown.find((one) => one.exploration !== null)?.exploration), size: base });
  const own = ids('b', base);
  const beginnings = [own, ['n0', ...own.slice(1)], ['b0', 'c0', ...own.slice(2)], [...own.slice(0, -1), 'n1'], ['b0', 'f3', ...own.slice(2)]];
  for (const beginning of beginnings) {
    for (const [place, expected] of lookup.prefix(beginning).entries()) {
      const seen = shown.filter(({ items }) => beginning.slice(0, place + 1).every((item, slot) => items[slot] === item)).length / draws;
      expect(Math.abs(seen - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / draws) + 1e-9);
    }
  }
  expect(lookup.prefix(['n0', 'n1'])).toEqual([expect.any(Number), 0]);
  expect(lookup.prefix(['b1', 'b0'])).toEqual([0, 0]);
});
