import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { attributeChange } from './attribute-change.ts';
import { normal } from './generate-table.ts';
import type { Measure } from './leaves.ts';
import { grid, placesOf, sum, tableOf } from './testing.ts';

// The same tables each time: one in a hundred has a false suspect besides.
const random = createRandom(1);
const noisy = (value: number, share = 0.02) => value * (1 + share * normal(random));
/** A grid of leaves of 100 to 200 with a forecast that is 2 % off, and what each is multiplied by. */
function noisyGrid(values: readonly number[], factor: (codes: readonly number[]) => number) {
  const dimensions = grid(values);
  const predicted = Float64Array.from({ length: dimensions[0]?.codes.length ?? 0 }, () => 100 + 100 * random.float());
  const actual = predicted.map((value, at) => noisy(value) * factor(dimensions.map(({ codes }) => codes[at] as number)));
  return { dimensions, measure: sum(actual, predicted) };
}

describe('causes of every shape', () => {
  it('everything changed: the root', () => {
    const { suspects, unexplained } = attributeChange(noisyGrid([5, 6, 4], () => 0.7));
    expect(suspects.map(({ where }) => where)).toEqual([{}]);
    expect(suspects[0]?.explained).toBeCloseTo(1, 9);
    expect(unexplained).toBeCloseTo(0, 9);
    expect(attributeChange({ dimensions: grid([5, 6]), measure: sum(new Float64Array(30).fill(7), new Float64Array(30).fill(10)) }).suspects[0]?.where).toEqual(
      {},
    );
  });
  it('everything changed, and one part more', () => {
    const { suspects } = attributeChange(noisyGrid([5, 6, 4], ([a]) => (a === 2 ? 0.3 : 0.8)));
    expect(placesOf(suspects)).toEqual(['', 'a=a2']);
  });
  it('nothing changed', () => {
    const predicted = new Float64Array(30).fill(10);
    expect(attributeChange({ dimensions: grid([5, 6]), measure: sum(predicted, predicted) })).toMatchObject({
      change: 0,
      suspects: [],
      unexplained: null,
      note: 'The whole has not changed, and no part is off by more than chance',
    });
    expect(attributeChange(noisyGrid([5, 6, 4], () => 1))).toMatchObject({ suspects: [], note: expect.stringContaining('within the noise') });
  });
  it('a single leaf', () => {
    expect(placesOf(attributeChange(noisyGrid([5, 6, 4], (codes) => (codes.join() === '1,2,3' ? 0.2 : 1))).suspects)).toEqual(['a=a1&b=b2&c=c3']);
  });
  it('a single dimension', () => {
    expect(placesOf(attributeChange(noisyGrid([20], ([a]) => (a === 7 ? 0.4 : 1))).suspects)).toEqual(['a=a7']);
  });
  it('a dimension of 10,000 values, one of which fell out', () => {
    expect(placesOf(attributeChange(noisyGrid([10_000, 2], ([a]) => (a === 1234 ? 0.3 : 1))).suspects)).toEqual(['a=a1234']);
  });
  it('two that offset one another: the whole has not changed, its parts have', () => {
    const predicted = new Float64Array(60).fill(100);
    const dimensions = grid([10, 6]);
    const actual = predicted.map((value, at) => value * ([0.5, 1.5][dimensions[0]?.codes[at] as number] ?? 1));
    const { suspects, change, unexplained, note } = attributeChange({ dimensions, measure: sum(actual, predicted) });
    expect(placesOf(suspects)).toEqual(['a=a0', 'a=a1']);
    expect([change, unexplained, suspects[0]?.explained, note]).toEqual([0, null, null, 'The whole has not changed, its parts have']);
    expect(suspects.map((one) => one.change).sort((a, b) => a - b)).toEqual([-300, 300]);
  });
  it('forty dimensions, the cause in three of them', () => {
    const count = 4_000;
    const dimensions = Array.from({ length: 40 }, (_, at) => ({
      name: `d${at}`,
      values: ['x', 'y', 'z', 'u'],
      codes: Int32Array.from({ length: count }, () => random.below(4)),
    }));
    const isUnder = (at: number) => [3, 17, 30].every((one) => dimensions[one]?.codes[at] === 0);
    const predicted = Float64Array.from({ length: count }, () => 100);
    const actual = predicted.map((value, at) => noisy(value) * (isUnder(at) ? 0.4 : 1));
    expect(placesOf(attributeChange({ dimensions, measure: sum(actual, predicted) }).suspects)).toEqual(['d17=x&d3=x&d30=x']);
  }, 60_000);
});

describe('figures of every kind', () => {
  it('values that nobody expected, and zero predictions elsewhere', () => {
    const dimensions = grid([6, 8]);
    const predicted = Float64Array.from({ length: 48 }, (_, at) => (dimensions[0]?.codes[at] === 3 ? 0 : 50 + at));
    const actual = predicted.map((value, at) => (dimensions[0]?.codes[at] === 3 ? 40 : noisy(value)));
    const { suspects } = attributeChange({ dimensions, measure: sum(actual, predicted) });
    expect(suspects).toMatchObject([{ where: { a: 'a3' }, predicted: 0, actual: 320 }]);
  });
  it('a measure below 0: losses that doubled', () => {
    const dimensions = grid([6, 8]);
    const predicted = Float64Array.from({ length: 48 }, (_, at) => (at % 2 === 0 ? -1 : 1) * (50 + at));
    const actual = predicted.map((value, at) => noisy(value) * (dimensions[1]?.codes[at] === 5 ? 2 : 1));
    expect(placesOf(attributeChange({ dimensions, measure: sum(actual, predicted) }).suspects)).toEqual(['b=b5']);
  });
  it('rows with the same attributes are one leaf, and a missing figure is 0', () => {
    const rows = ['x', 'y', 'z', 'u', 'v', 'w'].flatMap((a) => [1, 2, 3, 4].map((b) => ({ a, b: `b${b}` })));
    const table = tableOf(
      [...rows, ...rows],
      sum([...rows.map(({ a }) => (a === 'y' ? Number.NaN : 60)), ...rows.map(() => 40)], new Float64Array(48).fill(50)),
    );
    expect(attributeChange(table)).toMatchObject({
      leaves: 24,
      actual: 2_160,
      predicted: 2_400,
      suspects: [{ where: { a: 'y' }, actual: 160, predicted: 400 }],
    });
  });
  it('a row without a value in a dimension has none for a value', () => {
    const rows = ['x', 'y', null, 'u'].flatMap((a) => ['1', '2', '3', '4', '5'].map((b) => ({ a, b })));
    const table = tableOf(
      rows,
      sum(
        rows.map(({ a }) => (a === null ? 5 : 10)),
        rows.map(() => 10),
      ),
    );
    expect(attributeChange(table).suspects.map(({ where }) => where)).toEqual([{ a: null }]);
  });
  it('causes that no two words tell apart are told by the fewer words', () => {
    const rows = Array.from({ length: 40 }, (_, at) => ({ country: `c${at % 8}`, currency: `of c${at % 8}`, page: `p${Math.floor(at / 8)}` }));
    const table = tableOf(
      rows,
      sum(
        rows.map(({ country }) => (country === 'c2' ? 3 : 10)),
        rows.map(() => 10),
      ),
    );
    expect(attributeChange(table).suspects.map(({ where }) => where)).toEqual([{ country: 'c2' }]);
  });
});

describe('ratios', () => {
  const dimensions = grid([8, 5]);
  const count = 40;
  const isUnder = (at: number) => dimensions[0]?.codes[at] === 2;
  const views = Float64Array.from({ length: count }, (_, at) => 1_000 + 10 * at);
  const rates = Float64Array.from({ length: count }, (_, at) => 0.1 + 0.004 * at + (isUnder(at) ? 0.3 : 0));
  const ratio = (clicks: Float64Array, seen: Float64Array): Measure => ({
    kind: 'ratio',
    actualNumerator: clicks,
    actualDenominator: seen,
    predictedNumerator: views.map((value, at) => value * (rates[at] as number)),
    predictedDenominator: views,
  });
  it('a rate that fell', () => {
    const clicks = views.map((value, at) => value * (rates[at] as number) * (isUnder(at) ? 0.5 : 1));
    const { suspects } = attributeChange({ dimensions, measure: ratio(clicks, views) });
    expect(suspects).toMatchObject([{ where: { a: 'a2' }, effect: 'rate', explained: expect.closeTo(1, 9) }]);
  });
  it('no rate fell, but the part with the best rate lost half of its views: the ratio falls by the mix', () => {
    const seen = views.map((value, at) => value * (isUnder(at) ? 0.5 : 1));
    const clicks = seen.map((value, at) => value * (rates[at] as number));
    const { suspects, change } = attributeChange({ dimensions, measure: ratio(clicks, seen) });
    expect(change).toBeLessThan(0);
    expect(suspects).toMatchObject([{ where: { a: 'a2' }, effect: 'volume', explained: expect.closeTo(1, 9) }]);
  });
  it('views of all parts doubled, no rate changed: nothing to explain', () => {
    const seen = views.map((value) => 2 * value);
    const { suspects, change } = attributeChange({
      dimensions,
      measure: ratio(
        seen.map((value, at) => value * (rates[at] as number)),
        seen,
      ),
    });
    expect(suspects).toEqual([]);
    expect(change).toBeCloseTo(0, 12);
  });
  it('no views at all: no ratio', () => {
    expect(attributeChange({ dimensions, measure: ratio(new Float64Array(count), new Float64Array(count)) })).toMatchObject({ actual: null, suspects: [] });
  });
});

it.each([
  [{ dimensions: [], measure: sum([1], [1]) }, 'A dimension is needed'],
  [{ dimensions: grid([2]), measure: sum([], []) }, 'no rows'],
  [{ dimensions: grid([3]), measure: sum([1, 2], [1, 2]) }, 'The dimension a has 3 rows of 2'],
  [{ dimensions: [...grid([3]), ...grid([3])], measure: sum([1, 2, 3], [1, 2, 3]) }, 'The dimension a is there twice'],
  [{ dimensions: grid([3]), measure: sum([1, 2, 3], [1, 2, Number.POSITIVE_INFINITY]) }, 'Row 3: predicted is infinite'],
])('a table that is none is refused', (table, said) => {
  expect(() => attributeChange(table)).toThrow(expect.objectContaining({ code: 'UND-INPUT', message: expect.stringContaining(said) }));
});
