import { describe, expect, it } from 'vitest';
import { assumption } from '../../models/contracts/assumption.ts';
import { assumptionsOf } from './assumptions-of.ts';
import type { Basics } from './plan.ts';
import { tippingOf } from './reason.ts';
import { chosenFamilies, type Recommended, recommend } from './recommend.ts';
import { recommendWindow } from './recommend-window.ts';
import { factsWith, measured } from './testing.ts';
import { attribution, families, identity, maxDaysForChange, minRepeats, minTestUsers, recommender } from './thresholds.ts';

const available = ['popularity', 'item-knn', 'ials'];
const of = (change: Parameters<typeof factsWith>[0] = {}) => recommend(factsWith(change), available);
const verdictOn = (family: string, one: Recommended) => one.families.find((found) => found.family === family)?.verdict;
const hour = 3_600_000;

describe('a recommender, or none', () => {
  it.each<[keyof Basics, number, 'needs' | 'bars', RegExp]>([
    ['wants', recommender.minEvents, 'needs', /too few events/],
    ['items', recommender.slateSize * recommender.minSlates, 'needs', /so few items/],
    ['severalItems', recommender.minSeveralItems, 'needs', /hardly anybody has two/],
    ['popularSlate', recommender.maxPopularSlate, 'bars', /nearly all that anybody wants/],
  ])('%s tips at %d', (slot, bound, what, why) => {
    const below = of({ basics: { [slot]: bound - 1e-6 } });
    const above = of({ basics: { [slot]: bound } });
    const [good, bad] = what === 'needs' ? [above, below] : [below, above];
    expect(good.recommender.choice).toBe(true);
    expect(bad.recommender).toMatchObject({ choice: false, says: expect.stringMatching(why) });
    expect(chosenFamilies(bad)).toEqual(['popularity']);
    expect(bad.recommender.reasons.map(({ measured: { check } }) => check)).toEqual([
      good.recommender.reasons.find(({ measured: found }) => found.value === (what === 'needs' ? bound : bound - 1e-6))?.measured.check,
    ]);
  });

  it('says what it does not know', () => {
    expect(of({ basics: { popularSlate: null } }).recommender).toMatchObject({ choice: true, notes: [expect.stringContaining('not known')] });
  });
});

describe('the objective', () => {
  it('is what the goal says, where the data have it', () => {
    expect(of().objective.choice).toEqual({ objective: 'conversion', lead: 'purchase' });
    expect(of({ kpis: [{ metric: 'click', target: 0.1 }] }).objective.choice).toEqual({ objective: 'engagement', lead: 'click' });
    expect(of({ kpis: [{ metric: 'dwell', target: null }] }).objective.choice).toEqual({ objective: 'engagement', lead: 'click' });
    expect(of({ kpis: [{ metric: 'revenue', target: null }] }).objective.choice).toEqual({ objective: 'conversion', lead: 'purchase' });
    const without = of({ kpis: [{ metric: 'purchase', target: null }], answers: { purchase: 0 } }).objective;
    expect(without).toMatchObject({ choice: { objective: 'conversion', lead: 'add-to-cart' }, notes: [expect.stringContaining('the data have no purchase')] });
  });

  it('is engagement without sales, or where sales are too rare to steer by and clicks are not', () => {
    const nothingSold = { purchase: 0, 'add-to-cart': 0 };
    expect(of({ answers: nothingSold }).objective.choice).toEqual({ objective: 'engagement', lead: 'click' });
    expect(of({ answers: { ...nothingSold, click: 0, rating: 9 } }).objective.choice.lead).toBe('rating');
    const rare = { purchase: maxDaysForChange + 0.1, 'add-to-cart': maxDaysForChange + 0.1 };
    expect(of({ days: rare }).objective.choice).toEqual({ objective: 'engagement', lead: 'click' });
    expect(of({ days: rare, kpis: [{ metric: 'purchase', target: null }] }).objective.choice.objective).toBe('conversion');
    expect(of({ days: { ...rare, click: maxDaysForChange + 1 } }).objective.choice.objective).toBe('conversion');
    expect(of({ days: { ...rare, 'add-to-cart': maxDaysForChange } }).objective.choice.objective).toBe('conversion');
  });
});

describe('the reward', () => {
  it('adds carts by what they lead to where sales alone move too slowly', () => {
    expect(of({ days: { purchase: maxDaysForChange } }).weights.choice).toEqual({ purchase: 1 });
    expect(of({ days: { purchase: maxDaysForChange + 0.1 } }).weights.choice).toEqual({ purchase: 1, 'add-to-cart': 0.4 });
    expect(of({ days: { purchase: 90 }, basics: { cartToPurchase: 0.013 } }).weights.choice).toEqual({ purchase: 1, 'add-to-cart': 0.05 });
    expect(of({ days: { purchase: 90 }, basics: { cartToPurchase: null } }).weights).toMatchObject({
      choice: { purchase: 1 },
      notes: [expect.stringContaining('canary plan')],
    });
    expect(of({ days: { purchase: null } }).weights).toMatchObject({ choice: { purchase: 1 }, reasons: [], notes: [expect.stringContaining('not known')] });
  });

  it('counts as long as nine answers of ten take', () => {
    const windowFor = (ms: number) => of({ delays: { purchase: ms } }).attribution.choice.ms;
    expect([1, 60_000, 60_001, hour, hour + 1, 3 * 24 * hour + 1, attribution.horizonMs].map(windowFor)).toEqual([
      60_000,
      60_000,
      5 * 60_000,
      hour,
      4 * hour,
      7 * 24 * hour,
      7 * 24 * hour,
    ]);
  });

  it('is not measured without impressions, or with few answers', () => {
    const none = of({ delays: { purchase: null }, basics: { impressions: 0 } }).attribution;
    expect(none).toMatchObject({ choice: { known: false }, notes: [expect.stringContaining('log impressions')] });
    expect(none.reasons.map(({ max }) => max)).toEqual([0]);
    const facts = factsWith();
    const few = { ...facts, delays: { ...facts.delays, purchase: { ...facts.delays.purchase, of: attribution.minAnswers - 1 } } };
    expect(recommend(few, available).attribution.choice.known).toBe(false);
    expect(of().attribution.choice).toEqual({ ms: hour, known: true });
  });

  it('allows repeats where people buy again', () => {
    expect(of({ basics: { repeats: minRepeats } }).repeats.choice).toBe('allow');
    expect(of({ basics: { repeats: minRepeats - 1e-6 } }).repeats.choice).toBe('exclude-purchased');
    const facts = factsWith({ basics: { repeats: 0.01 } });
    const unsure = { ...facts.basics, repeats: { ...facts.basics.repeats, interval: { low: 0, high: minRepeats } } };
    expect(recommend({ ...facts, basics: unsure }, available).repeats).toMatchObject({
      choice: 'allow',
      reasons: [],
      notes: [expect.stringContaining('too few')],
    });
    expect(of({ basics: { repeats: null } }).repeats).toMatchObject({ choice: 'allow', reasons: [] });
  });
});

it('users are told by their sessions, by their past, or by both', () => {
  const encoder = (basics: Partial<Record<keyof Basics, number | null>>) => of({ basics }).encoder.choice;
  expect(encoder({ knownHistory: identity.sessionBelow - 1e-6 })).toBe('session');
  expect(encoder({ knownHistory: identity.sessionBelow })).toBe('both');
  expect(encoder({ knownHistory: identity.longTermFrom - 1e-6 })).toBe('both');
  expect(encoder({ knownHistory: identity.longTermFrom })).toBe('long-term');
  expect(encoder({ knownHistory: 0.95, returning: identity.minReturning - 1e-6 })).toBe('session');
  expect(encoder({ knownHistory: null })).toBe('both');
  expect(encoder({ knownHistory: null, knownUsers: 0 })).toBe('session');
});

describe('model families', () => {
  it.each<[string, Partial<Record<keyof Basics, number>>, Partial<Record<keyof Basics, number>>]>([
    ['item-knn', { itemSupport: families.minItemSupport }, { itemSupport: families.minItemSupport - 1e-6 }],
    ['ials', { historyMedian: families.minHistory }, { historyMedian: families.minHistory - 1 }],
    ['ials', { users: families.minUsers }, { users: families.minUsers - 1 }],
    ['gf-cf', { density: families.sparseBelow - 1e-6 }, { density: families.sparseBelow }],
    ['ease', { items: families.maxPairedItems - 1 }, { items: families.maxPairedItems }],
    ['session-knn', { sessionContext: families.minSessionContext }, { sessionContext: families.minSessionContext - 1e-6 }],
    ['session-knn', { knownHistory: identity.longTermFrom - 1e-6 }, { knownHistory: identity.longTermFrom }],
    ['sasrec', { historyMedian: families.minSequence }, { historyMedian: families.minSequence - 1 }],
    [
      'sasrec',
      { historyMedian: families.minSequence, ordered: families.minOrdered },
      { historyMedian: families.minSequence, ordered: families.minOrdered - 1e-6 },
    ],
    ['two-tower', { coldItems: families.minColdItems }, { coldItems: families.minColdItems - 1e-6 }],
    ['two-tower', { items: families.manyItems }, { items: families.manyItems - 1 }],
    ['ncf', { category: families.minMetadata }, { category: families.minMetadata - 1e-6 }],
    ['ncf', { price: families.minMetadata }, { price: families.minMetadata - 1e-6 }],
  ])('%s is asked for with %j and not with %j', (family, with_, without) => {
    expect(verdictOn(family, of({ basics: with_ }))).toBe(available.includes(family) ? 'candidate' : 'when-available');
    const not = of({ basics: without });
    expect(verdictOn(family, not)).toBe('not');
    expect(chosenFamilies(not)).not.toContain(family);
  });

  it('become candidates when they are there, and never before', () => {
    expect(chosenFamilies(of())).toEqual(['popularity', 'item-knn', 'ials']);
    expect(chosenFamilies(recommend(factsWith(), [...available, 'session-knn']))).toEqual(['popularity', 'item-knn', 'ials', 'session-knn']);
  });
});

it('windows hold whole weeks to test, and a gap as long as events are late', () => {
  const arrival = (value: number | null) => measured({ check: 'arrival-delay', params: {} }, value, { unit: 'ms' });
  const windowFor = (days: number, late: number | null = null) => recommendWindow({ days, arrivalDelay: arrival(late) });
  expect(windowFor(365)).toEqual({ trainDays: 336, gapDays: 1, testDays: 28 });
  expect(windowFor(100)).toEqual({ trainDays: 92, gapDays: 1, testDays: 7 });
  expect(windowFor(40, 49 * hour)).toEqual({ trainDays: 33, gapDays: 3, testDays: 4 });
  expect(windowFor(3)).toEqual({ trainDays: 2, gapDays: 0, testDays: 1 });
  expect(windowFor(1)).toEqual({ trainDays: 1, gapDays: 0, testDays: 1 });
  const few = of({ testUsers: measured({ check: 'test-users', params: {} }, minTestUsers - 1) }).window;
  expect(few).toMatchObject({ notes: [expect.stringContaining('gates')] });
  expect(of({ testUsers: measured({ check: 'test-users', params: {} }, minTestUsers) }).window.notes).toEqual([]);
});

it('every reason stands where it was measured, and is an assumption of its choice', () => {
  const measuredAt = { generation: 3, from: '2026-01-01', to: '2026-12-31' };
  for (const change of [
    {},
    { basics: { items: 20, repeats: 0 } },
    { days: { purchase: 90 } },
    { basics: { knownHistory: 0.01 }, delays: { purchase: null } },
  ]) {
    const assumptions = assumptionsOf(of(change), measuredAt);
    expect(assumptions.length).toBeGreaterThan(4);
    for (const one of assumptions) expect(assumption.parse(one)).toEqual(one);
    expect(assumptions.every(({ value, min = -Infinity, max = Infinity }) => value >= min && value <= max)).toBe(true);
    expect(new Set(assumptions.map((one) => JSON.stringify(one))).size).toBe(assumptions.length);
  }
});

it('says how far a value is from where the choice tips, and whether its interval is as far', () => {
  const request = { check: 'density', params: {} } as const;
  const reason = (value: number, bounds: object, interval?: { low: number; high: number }) => ({
    claim: '',
    measured: measured(request, value, interval === undefined ? {} : { interval }),
    ...bounds,
  });
  expect(tippingOf(reason(0.3, { min: 0.2 }))).toMatchObject({ holds: true, bound: 0.2, distance: expect.closeTo(0.5), sure: true });
  expect(tippingOf(reason(0.3, { min: 0.2, max: 0.4 }, { low: 0.1, high: 0.35 }))).toMatchObject({ holds: true, sure: false });
  expect(tippingOf(reason(0.5, { min: 0.1, max: 0.4 }))).toMatchObject({ holds: false, bound: 0.4 });
  expect(tippingOf(reason(0, { max: 0 }))).toMatchObject({ holds: true, distance: 0, sure: true });
});
