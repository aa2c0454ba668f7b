import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { exploreSlate, slotPropensities } from '../../models/slate/explore.ts';
import { type Explore, makeSlateWorld, type SlateWorldSettings, slateLogs } from './slate-world.ts';

const settings = { slots: 1, poolDepth: 100, rankOffset: 5, challengerDepth: 20, floor: 0.02 };
const explore: Explore = (input) => {
  const scope = { allowed: () => true, allowedIds: input.allowedIds };
  const { exploration } = exploreSlate({ ...input, slateSize: 10, scope, excluded: new Set(), settings, seed: 1, drawId: 'd1' });
  if (exploration === null) throw new Error('nothing was explored');
  return { exploration, ...slotPropensities({ exploration, size: input.baseItems.length }) };
};
const usual: SlateWorldSettings = { slates: 30_000, rate: 0.3, lift: 0.2, distance: 0.5 };

it('draws slates as exploration does: each item at each slot as often as its propensities say', () => {
  const world = makeSlateWorld(usual, explore);
  const log = slateLogs(world)(5);
  const [segment] = world.segments;
  if (segment === undefined) throw new Error('no segment');
  const own = log.filter((slate) => slate.champion === segment.champion);
  expect(own.length / log.length).toBeCloseTo(0.5, 1);
  const { exploration } = segment.explored;
  for (const item of [...segment.champion, ...exploration.poolItems]) {
    for (const slot of [0, 5, 9]) {
      const expected = own.length * segment.explored.marginal(item, slot);
      const seen = own.filter((slate) => slate.items[slot] === item).length;
      expect(Math.abs(seen - expected)).toBeLessThan(5 * Math.sqrt(expected) + 5);
    }
  }
  const inPool = new Set(exploration.poolItems);
  const floor = own.filter(({ items, exploredSlots }) => !inPool.has(items[exploredSlots[0] as number] as string)).length;
  expect(Math.abs(floor - own.length * exploration.floorItems * exploration.floorProbability)).toBeLessThan(5 * Math.sqrt(floor) + 1);
});

it('earns what it knows, of the champion and of the candidate', () => {
  for (const over of [{}, { slatesPerUser: 4, keen: { share: 0.1, factor: 3 } }, { rate: 0.05, lift: -0.1 }]) {
    const world = makeSlateWorld({ ...usual, ...over }, explore);
    expect(world.truth.champion).toBeCloseTo(world.settings.rate, 9);
    expect(world.truth.candidate / world.truth.champion - 1).toBeCloseTo(world.settings.lift, 1);
    // The value of a slate of these items, by drawing: no exploration, the same world.
    const random = createRandom(9);
    let sum = 0;
    const draws = 40_000;
    for (let draw = 0; draw < draws; draw += 1) {
      const segment = world.segments[draw % 10 < 5 ? 0 : draw % 10 < 8 ? 1 : 2];
      segment?.candidate.forEach((item, slot) => {
        if (random.float() < (world.examination[slot] as number) * (segment.worth.get(item) as number)) sum += 1;
      });
    }
    expect(Math.abs(sum / draws - world.truth.candidate)).toBeLessThan(5 * Math.sqrt(world.truth.candidate / draws));
    // What was logged is the champion's slate but for a tenth of its places.
    const log = slateLogs(world)(2);
    const unexplored = log.flatMap(({ rewards, exploredSlots }) => Array.from(rewards).filter((_, slot) => slot !== exploredSlots[0]));
    const mean = unexplored.reduce((total, one) => total + one, 0) / log.length;
    expect(Math.abs(mean - 0.9 * world.truth.champion)).toBeLessThan(5 * Math.sqrt((2 * mean) / log.length));
    const users = new Set(log.map(({ unit }) => unit)).size;
    expect(log.length / users).toBeCloseTo(world.settings.slatesPerUser ?? 1, 0);
  }
});

it('is the same for the same seed, and refuses what cannot be', () => {
  const draw = slateLogs(makeSlateWorld({ ...usual, slates: 200 }, explore));
  expect(JSON.stringify(draw(3))).toBe(JSON.stringify(draw(3)));
  expect(JSON.stringify(draw(4))).not.toBe(JSON.stringify(draw(3)));
  expect(() => makeSlateWorld({ ...usual, rate: 4, keen: { share: 0.1, factor: 5 } }, explore)).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
});
