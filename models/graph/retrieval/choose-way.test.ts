import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MeasuredIndex } from '../../contracts/artifact.ts';
import { chooseWay, objectionsTo, waysToMeasure } from './choose-way.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const constraint = { recallAt100: 0.99, p99Ms: 3, memoryMb: 500 };
const fine = { recallAt100: 1, agreementAt20: 1, p50Ms: 1, p99Ms: 2, bytes: 1e6, buildSeconds: 1 };
const of = (name: 'exact-8bit' | 'exact-4bit', more: Partial<MeasuredIndex> = {}): MeasuredIndex => ({
  ...fine,
  way: { way: name, rerank: 2 },
  name,
  objections: [],
  ...more,
});
const exact: MeasuredIndex = { ...fine, way: { way: 'exact' }, name: 'exact', objections: [] };

it('each thing that was asked for and is not given is an objection', () => {
  const measured = { ...fine, way: exact.way, name: 'exact' };
  expect(objectionsTo(measured, constraint)).toEqual([]);
  const wrong = { ...measured, recallAt100: 0.98, agreementAt20: 0.9, p99Ms: 3.5, bytes: 600e6, way: null };
  expect(objectionsTo(wrong, constraint)).toEqual([
    'no graph holds it',
    'finds 0.9800 of the best 100, not 0.99',
    'has 0.9000 of the best 20, not 0.99',
    'takes 3.50 ms at the 99th percentile, not 3',
    'takes 600 MB, not 500',
  ]);
});

it('the quickest is taken, but not for a difference that is as well chance, nor against an objection', () => {
  expect(chooseWay([exact, of('exact-8bit', { p50Ms: 0.95 })]).retrieval).toEqual(exact.way);
  expect(chooseWay([exact, of('exact-8bit', { p50Ms: 0.8 }), of('exact-4bit', { p50Ms: 0.5 })]).retrieval.way).toBe('exact-4bit');
  expect(chooseWay([exact, of('exact-8bit', { p50Ms: 0.8 }), of('exact-4bit', { p50Ms: 0.5, objections: ['x'] })]).retrieval.way).toBe('exact-8bit');
  expect(chooseWay([{ ...exact, objections: ['x'] }, of('exact-8bit', { p50Ms: 2 })]).retrieval.way).toBe('exact-8bit');
  expect(
    chooseWay([
      { ...exact, objections: ['x'] },
      { ...fine, way: null, name: 'library', objections: ['no graph holds it'] },
    ]).retrieval,
  ).toEqual(exact.way);
});

it('of items in 8 bits the quickest is taken, as long as the plainest way over them agrees with float32', () => {
  const codes = (name: 'exact-8bit' | 'exact-4bit', more: Partial<MeasuredIndex> = {}) => of(name, { weights: '8-bit', bytes: 3e5, ...more });
  const quick = of('exact-4bit', { p50Ms: 0.1 });
  const kept = chooseWay([exact, codes('exact-8bit', { p50Ms: 3, agreementAt20: 0.9912 }), codes('exact-4bit', { p50Ms: 2 }), quick]);
  expect(kept).toMatchObject({ retrieval: { way: 'exact-4bit' }, weights: '8-bit' });
  expect(kept.why).toMatch(/^8 bits leave 0\.9912 of the best 20 as they were in 0\.30 of the size; the quickest .* 2\.00 ms/);
  const tooSlow = chooseWay([exact, codes('exact-8bit', { objections: ['x'] }), codes('exact-4bit', { objections: ['x'] })]);
  expect(tooSlow).toMatchObject({ retrieval: { way: 'exact-8bit' }, weights: '8-bit' });
  const lossy = codes('exact-8bit', { agreementAt20: 0.9899, objections: ['x'] });
  const refused = chooseWay([exact, lossy, codes('exact-4bit', { p50Ms: 0.01 }), quick]);
  expect(refused).toEqual({
    retrieval: quick.way,
    why: expect.stringContaining('in float32, since 8 bits leave 0.9899 of the best 20 as they were, not 0.99; '),
  });
  expect(chooseWay([exact, lossy]).retrieval).toEqual(exact.way);
});

it('lists are measured where cells can save something, those that probe least first', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_000_000 }), fc.boolean(), (itemCount, productsDecide) => {
      const ways = waysToMeasure({ itemCount, productsDecide, seed: 1 });
      expect(ways.slice(0, 3).map(({ way }) => way)).toEqual(['exact', 'exact-8bit', 'exact-4bit']);
      const lists = ways.slice(3).map((way) => ('probes' in way ? way.probes * way.cellItems : Number.NaN));
      expect(lists).toEqual(lists.toSorted((a, b) => a - b));
      for (const looked of lists) expect(looked).toBeLessThan(itemCount);
      if (!productsDecide || itemCount < 20_000) expect(lists).toEqual([]);
      else expect(lists.length).toBeGreaterThan(2);
    }),
    { seed },
  ));
