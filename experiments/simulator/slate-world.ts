import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Exploration } from '../../models/contracts/slate.ts';
import { createRandom, type Random } from '../../models/random.ts';
import type { LoggedSlate } from '../counterfactual/logged-slate.ts';
import { aliasOf, pick } from './alias.ts';
import { normals } from './normals.ts';

export type SlateWorldSettings = {
  slates: number;
  /** Expected reward of a slate of the champion; each slot earns 0 or 1. */
  rate: number;
  /** Of the candidate over the champion, less 1; the nearest that its rankings allow. */
  lift: number;
  /** How far the candidate's beliefs are from the champion's, in standard deviations of taste. */
  distance: number;
  /** The candidate is the registered challenger, whose best items exploration draws too; true where absent. */
  isRegistered?: boolean;
  slatesPerUser?: number;
  /** A share of users who engage so many times as often; the others make the mean 1. */
  keen?: { share: number; factor: number };
  items?: number;
  size?: number;
  /** Of the world itself, not of the draws. */
  seed?: number;
};

/** How a slate is explored, with the probability of each item at each slot: exploreSlate and slotPropensities of models/slate/explore.ts, passed in. */
export type Explore = (input: {
  baseItems: readonly string[];
  nextItems: readonly string[];
  challengerRankings: readonly (readonly string[])[];
  allowedIds: readonly string[];
}) => { exploration: Exploration; marginal: (itemId: string, slot: number) => number; prefix: (items: readonly string[]) => number[] };

export type SlateWorld = {
  settings: SlateWorldSettings;
  size: number;
  examination: readonly number[];
  /** A user's segment decides everything that the policies do. */
  segments: readonly Segment[];
  truth: { champion: number; candidate: number; lift: number };
};
type Segment = {
  share: number;
  champion: readonly string[];
  candidate: readonly string[];
  /** Probability of a reward of an examined item. */
  worth: ReadonlyMap<string, number>;
  explored: ReturnType<Explore>;
  floorItems: readonly string[];
};

const segmentShares = [0.5, 0.3, 0.2];

/**
 * A world of slates whose values are known: a reward at a slot has the probability examination x worth x the user's own factor, whatever stands beside it.
 * Both policies rank by beliefs of a segment's tastes; the candidate's are tilted by what items are worth until its value is what was asked for.
 * @throws UND-INPUT where a reward would be more than certain, or exploration draws another number of slots than one
 */
export function makeSlateWorld(settings: SlateWorldSettings, explore: Explore): SlateWorld {
  const { items = 300, size = 10, seed = 1, keen = { share: 0.1, factor: 1 } } = settings;
  const random = createRandom(seed);
  const noise = normals(random);
  const ids = Array.from({ length: items }, (_, rank) => `i${String(rank).padStart(4, '0')}`);
  const examination = Array.from({ length: size }, (_, slot) => (slot + 1) ** -0.5);
  const tastes = segmentShares.map(() => ids.map((_, rank) => ({ popular: -Math.log(rank + 1), taste: noise(), champion: noise(), candidate: noise() })));
  const ranking = (beliefs: readonly number[]) =>
    [...ids.keys()].sort((a, b) => (beliefs[b] as number) - (beliefs[a] as number)).map((rank) => ids[rank] as string);
  const champions = tastes.map((own) => ranking(own.map((one) => 0.5 * one.popular + 0.5 * one.taste + 0.5 * one.champion)));
  const odds = tastes.map((own) => own.map((one) => 0.3 * one.popular + 0.7 * one.taste));
  const slateValue = (slate: readonly string[], worth: ReadonlyMap<string, number>) =>
    slate.slice(0, size).reduce((sum, item, slot) => sum + (examination[slot] as number) * (worth.get(item) as number), 0);
  const expectedOf = (slates: readonly (readonly string[])[], worths: readonly ReadonlyMap<string, number>[]) =>
    segmentShares.reduce((sum, share, segment) => sum + share * slateValue(slates[segment] as string[], worths[segment] as Map<string, number>), 0);
  const worthsAt = (move: number) => odds.map((own) => new Map(own.map((one, rank) => [ids[rank] as string, 1 / (1 + Math.exp(-one - move))])));
  let [low, high] = [-30, 30];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (expectedOf(champions, worthsAt(middle)) < settings.rate) low = middle;
    else high = middle;
  }
  const worths = worthsAt(high);
  const others = (1 - keen.share * keen.factor) / (1 - keen.share);
  const likeliest = Math.max(...worths.flatMap((own) => [...own.values()])) * Math.max(keen.factor, others);
  if (likeliest > 1 || others < 0) throw new UnderstudyError('UND-INPUT', `A reward would have the probability ${likeliest.toFixed(3)}: lower the rate`);

  const champion = expectedOf(champions, worths);
  const candidatesAt = (tilt: number) =>
    tastes.map((own) => ranking(own.map((one) => 0.5 * one.popular + (0.5 + tilt) * one.taste + 0.5 * one.champion + settings.distance * one.candidate)));
  const tilts = Array.from({ length: 301 }, (_, step) => (step - 150) / 50);
  const missOf = (tilt: number) => Math.abs(expectedOf(candidatesAt(tilt), worths) - (1 + settings.lift) * champion);
  const { candidates } = tilts
    .map((tilt) => ({ candidates: candidatesAt(tilt), miss: missOf(tilt) }))
    .reduce((best, one) => (one.miss < best.miss ? one : best));
  const segments = segmentShares.map((share, segment): Segment => {
    const [base, candidate] = [champions[segment] as string[], candidates[segment] as string[]];
    const challengerRankings = settings.isRegistered === false ? [] : [candidate.slice(0, 20)];
    const explored = explore({ baseItems: base.slice(0, size), nextItems: base.slice(size), challengerRankings, allowedIds: ids });
    if ((explored.exploration.expectedSlots ?? explored.exploration.slots.length) !== 1)
      throw new UnderstudyError('UND-INPUT', 'This world is of slates of which exploration draws one slot');
    const listed = new Set([...base.slice(0, size), ...explored.exploration.poolItems]);
    const floorItems = ids.filter((item) => !listed.has(item));
    return { share, champion: base.slice(0, size), candidate: candidate.slice(0, size), worth: worths[segment] as Map<string, number>, explored, floorItems };
  });
  const candidate = expectedOf(
    segments.map((one) => one.candidate),
    worths,
  );
  return { settings, size, examination, segments, truth: { champion, candidate, lift: candidate - champion } };
}

/** Logs of a world: the same seed, the same log. One slot of each slate is drawn, as exploration does with the probabilities that it records. */
export function slateLogs(world: SlateWorld): (seed: number) => LoggedSlate[] {
  const { settings, size, examination, segments } = world;
  const { slatesPerUser = 1, keen = { share: 0.1, factor: 1 } } = settings;
  const others = (1 - keen.share * keen.factor) / (1 - keen.share);
  const drawers = segments.map(({ explored: { exploration }, floorItems }) => {
    const alias = aliasOf(Float64Array.from([...exploration.poolProbabilities, exploration.floorProbability * floorItems.length]));
    return (random: Random) => exploration.poolItems[pick(alias, random.uint32())] ?? (floorItems[random.below(floorItems.length)] as string);
  });
  const segmentAlias = aliasOf(Float64Array.from(segments, ({ share }) => share));
  const known = segments.map(({ champion, explored: { exploration, marginal } }) => {
    const supported = new Set([...champion, ...exploration.poolItems]);
    return (item: string, slot: number) => (supported.has(item) ? marginal(item, slot) : 0);
  });
  return (seed) => {
    const random = createRandom(seed);
    let [user, segment, factor] = [-1, 0, 1];
    return Array.from({ length: settings.slates }, (): LoggedSlate => {
      if (user < 0 || random.float() * slatesPerUser < 1) {
        user += 1;
        segment = pick(segmentAlias, random.uint32());
        factor = random.float() < keen.share ? keen.factor : others;
      }
      const { champion, candidate, worth, explored } = segments[segment] as Segment;
      const slot = random.below(size);
      const drawn = (drawers[segment] as (random: Random) => string)(random);
      const shown = champion.map((item, place) => (place === slot ? drawn : item));
      const rewards = shown.map((item, place) => (random.float() < (examination[place] as number) * (worth.get(item) as number) * factor ? 1 : 0));
      return {
        unit: `u${user}`,
        items: shown,
        rewards,
        engaged: rewards.map((reward) => reward > 0),
        base: champion,
        pool: explored.exploration.poolItems,
        exploredSlots: [slot],
        propensity: known[segment] as (item: string, slot: number) => number,
        prefix: explored.prefix,
        candidate,
        champion,
      };
    });
  };
}
