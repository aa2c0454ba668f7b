import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { bootstrapLift, bootstrapMean } from './testing.ts';
import { catalogCoverage, perUserMetrics } from './metrics.ts';

const set = (...items: string[]): ReadonlySet<string> => new Set(items);

test('golden values, worked out by hand', () => {
  const metrics = perUserMetrics({
    ranked: [['a', 'b', 'c', 'd', 'e'], ['x', 'y'], [], ['p', 'q', 'r']],
    relevant: [set('b', 'd', 'z'), set('x', 'y'), set('k'), set('r')],
    cutoffs: [2, 4],
  });
  const log2 = Math.log2;
  // User 0: hits at ranks 2 and 4 of 3 wanted. User 1: hits at 1 and 2 of 2. User 2: no list. User 3: a hit at 3 of 1.
  const expected: Record<string, number[]> = {
    'ndcg@2': [1 / log2(3) / (1 + 1 / log2(3)), 1, 0, 0],
    'ndcg@4': [(1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2), 1, 0, 1 / 2],
    'recall@2': [1 / 3, 1, 0, 0],
    'recall@4': [2 / 3, 1, 0, 1],
    'precision@2': [1 / 2, 1, 0, 0],
    'precision@4': [1 / 2, 1 / 2, 0, 1 / 4],
    'mrr@2': [1 / 2, 1, 0, 0],
    'mrr@4': [1 / 2, 1, 0, 1 / 3],
    'map@2': [1 / 2 / 2, 1, 0, 0],
    'map@4': [(1 / 2 + 2 / 4) / 3, 1, 0, 1 / 3],
    'hit-rate@2': [1, 1, 0, 0],
    'hit-rate@4': [1, 1, 0, 1],
  };
  expect(Object.keys(metrics).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected))
    for (const [user, value] of values.entries()) expect(metrics[name]?.[user], `${name} of user ${user}`).toBeCloseTo(value, 14);
});

test('as trec_eval has it (pytrec_eval-terrier 0.5.11), whose MAP divides by R: the same as ours where no more is wanted than the cutoff', () => {
  const metrics = perUserMetrics({
    ranked: ['lkcebgjiha', 'gbkcfdelha', 'klfjgaiedb', 'dalbihcfej', 'aedjilgkcb', 'keigcbdajh'].map((list) => [...list]),
    relevant: ['g', 'df', 'bdj', 'bcej', 'cfhkl', 'fg'].map((items) => set(...items)),
    cutoffs: [5, 10],
  });
  const reference: Record<string, number[]> = {
    'ndcg@5': [0, 0.237197712769296, 0.202107346500548, 0.168127536271117, 0, 0.264068122572591],
    'recall@5': [0, 0.5, 0.333333333333333, 0.25, 0, 0.5],
    'precision@5': [0, 0.2, 0.2, 0.2, 0, 0.2],
    'mrr@5': [0, 0.2, 0.25, 0.25, 0, 0.25],
    'map@5': [0, 0.1, 0.083333333333333, 0.0625, 0, 0.125],
    'hit-rate@5': [0, 1, 1, 1, 0, 1],
    'ndcg@10': [0.356207187108022, 0.45560514958746, 0.479026292792824, 0.52861546570718, 0.32990183018967, 0.264068122572591],
    'recall@10': [1, 1, 1, 1, 0.6, 0.5],
    'precision@10': [0.1, 0.2, 0.3, 0.4, 0.3, 0.1],
    'mrr@10': [0.166666666666667, 0.2, 0.25, 0.25, 0.166666666666667, 0.25],
    'map@10': [0.166666666666667, 0.266666666666667, 0.257407407407407, 0.317261904761905, 0.15, 0.125],
    'hit-rate@10': [1, 1, 1, 1, 1, 1],
  };
  expect(Object.keys(metrics).sort()).toEqual(Object.keys(reference).sort());
  for (const [name, values] of Object.entries(reference))
    for (const [user, value] of values.entries()) expect(metrics[name]?.[user], `${name} of user ${user}`).toBeCloseTo(value, 12);
});

test('an item listed twice is one hit', () => {
  const metrics = perUserMetrics({ ranked: [['a', 'a', 'a']], relevant: [set('a', 'b')], cutoffs: [3] });
  expect(metrics['recall@3']?.[0]).toBe(0.5);
  expect(metrics['ndcg@3']?.[0]).toBeLessThan(1);
});

test('every metric lies in 0 .. 1, and an ideal list has 1 where it can', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...'abcdefghij']),
      fc.subarray([...'abcdefghij'], { minLength: 1 }),
      fc.integer({ min: 1, max: 12 }),
      (list, wanted, cutoff) => {
        const metrics = perUserMetrics({ ranked: [list, wanted], relevant: [new Set(wanted), new Set(wanted)], cutoffs: [cutoff] });
        for (const values of Object.values(metrics)) for (const value of values) expect(value >= 0 && value <= 1 + 1e-12).toBe(true);
        for (const name of ['ndcg', 'map', 'mrr', 'hit-rate']) expect(metrics[`${name}@${cutoff}`]?.[1]).toBeCloseTo(1, 12);
      },
    ),
  );
});

test('refuses what cannot be measured', () => {
  const codeOf = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(codeOf(() => perUserMetrics({ ranked: [['a']], relevant: [], cutoffs: [1] }))).toBe('UND-INPUT');
  expect(codeOf(() => perUserMetrics({ ranked: [['a']], relevant: [set()], cutoffs: [1] }))).toBe('UND-INPUT');
  expect(codeOf(() => perUserMetrics({ ranked: [['a']], relevant: [set('a')], cutoffs: [0] }))).toBe('UND-INPUT');
  expect(codeOf(() => bootstrapMean({ values: [], seed: 1 }))).toBe('UND-NO-DATA');
  expect(codeOf(() => bootstrapLift({ candidate: [1], champion: [1, 2], seed: 1 }))).toBe('UND-INPUT');
});

test('coverage counts distinct items within the cutoff', () => {
  expect(
    catalogCoverage({
      ranked: [
        ['a', 'b', 'c'],
        ['b', 'd', 'e'],
      ],
      cutoff: 2,
      itemCount: 10,
    }),
  ).toBe(0.3);
  expect(catalogCoverage({ ranked: [], cutoff: 2, itemCount: 0 })).toBe(0);
});

describe('bootstrap', () => {
  const normal = (random: ReturnType<typeof createRandom>): number => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());

  test('is fixed by its seed', () => {
    const values = [1, 2, 3, 4, 10];
    expect(bootstrapMean({ values, seed: 1 })).toEqual(bootstrapMean({ values, seed: 1 }));
    expect(bootstrapMean({ values, seed: 1 })).not.toEqual(bootstrapMean({ values, seed: 2 }));
    expect(bootstrapMean({ values: [3, 3, 3], seed: 1 })).toEqual({ value: 3, low: 3, high: 3 });
  });

  test('is as wide as theory says', () => {
    const random = createRandom(3);
    const values = Float64Array.from({ length: 400 }, () => normal(random));
    const { value, low, high } = bootstrapMean({ values, seed: 4, replications: 4000 });
    expect((high - low) / 2).toBeCloseTo(1.96 / 20, 1);
    expect(low < value && value < high).toBe(true);
    const wider = bootstrapMean({ values, seed: 4, replications: 4000, level: 0.99 });
    expect(wider.high - wider.low).toBeGreaterThan(high - low);
  });

  test('covers the truth about as often as it says', () => {
    const random = createRandom(5);
    let covered = 0;
    for (let round = 0; round < 300; round += 1) {
      const values = Float64Array.from({ length: 60 }, () => normal(random));
      const { low, high } = bootstrapMean({ values, seed: round, replications: 200, level: 0.9 });
      if (low <= 0 && high >= 0) covered += 1;
    }
    expect(covered / 300).toBeGreaterThan(0.83);
    expect(covered / 300).toBeLessThan(0.96);
  });

  test('pairing finds a small lift between users who differ much', () => {
    const random = createRandom(6);
    const champion = Float64Array.from({ length: 200 }, () => random.float());
    const candidate = champion.map((value) => value + 0.01 + 0.02 * (random.float() - 0.5));
    expect(bootstrapLift({ candidate, champion, seed: 1 }).low).toBeGreaterThan(0);
    const alone = bootstrapMean({ values: champion, seed: 1 });
    expect(alone.high - alone.low).toBeGreaterThan(0.05);
  });
});
