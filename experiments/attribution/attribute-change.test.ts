import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attributeChange } from './attribute-change.ts';
import { drawTable } from './generate-table.ts';
import type { ChangeTable, Measure } from './leaves.ts';
import { grid, placesOf, plainTable, sum } from './testing.ts';

const seeds = fc.integer({ min: 1, max: 2 ** 30 });
const truthOf = (truth: readonly Record<string, string | null>[]) =>
  placesOf(truth.map((where) => ({ where, score: 0, explained: 0, change: 0, actual: 0, predicted: 0 })));

describe('what holds of any table', () => {
  const planted = fc.array(fc.integer({ min: 3, max: 7 }), { minLength: 1, maxLength: 4 }).chain((values) =>
    fc.record({
      values: fc.constant(values),
      // Which dimensions the cause has, one at least.
      has: fc.integer({ min: 1, max: 2 ** values.length - 1 }),
      leaf: fc.nat(values.reduce((product, one) => product * one, 1) - 1),
      factor: fc.oneof(fc.double({ min: 0, max: 0.9, noNaN: true }), fc.double({ min: 1.1, max: 5, noNaN: true })),
      sizes: fc.infiniteStream(fc.double({ min: 1, max: 1_000, noNaN: true })),
    }),
  );

  it.each(['sum', 'ratio'] as const)('the only cause of a noiseless %s is found exactly and explains all of it', (kind) => {
    fc.assert(
      fc.property(planted, ({ values, has, leaf, factor, sizes }) => {
        const dimensions = grid(values);
        const count = dimensions[0]?.codes.length ?? 0;
        const attributes = dimensions.filter((_, at) => (has >> at) % 2 === 1);
        const where = Object.fromEntries(attributes.map(({ name, values: all, codes }) => [name, all[codes[leaf] as number] as string]));
        const isUnder = (at: number) => attributes.every(({ codes }) => codes[at] === codes[leaf]);
        const predicted = Float64Array.from({ length: count }, () => sizes.next().value as number);
        const actual = predicted.map((value, at) => (isUnder(at) ? value * factor : value));
        const denominator = predicted.map((value) => 10 * value + 1);
        const measure: Measure =
          kind === 'sum'
            ? { kind, actual, predicted }
            : { kind, actualNumerator: actual, actualDenominator: denominator, predictedNumerator: predicted, predictedDenominator: denominator };
        const { suspects, unexplained } = attributeChange({ dimensions, measure });
        expect(suspects.map((one) => one.where)).toEqual([where]);
        expect(Math.abs((suspects[0]?.explained ?? 0) - 1)).toBeLessThan(1e-9);
        expect(suspects[0]?.score).toBeCloseTo(1, 6);
        expect(Math.abs(unexplained ?? 1)).toBeLessThan(1e-9);
      }),
      { numRuns: 150 },
    );
  });

  it('rows and dimensions in another order give the same answer, to the last bit', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom('sum' as const, 'ratio' as const), (seed, kind) => {
        const { table } = drawTable({ ...plainTable, kind, seed });
        expect(attributeChange(shuffled(table))).toEqual(attributeChange(table));
      }),
      { numRuns: 15 },
    );
  });

  it('another unit gives the same answer', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (seed, unit) => {
        const { table } = drawTable({ ...plainTable, seed });
        const { actual, predicted } = table.measure as Measure & { kind: 'sum' };
        const one = attributeChange(table);
        const other = attributeChange({
          ...table,
          measure: sum(
            actual.map((value) => value * unit),
            predicted.map((value) => value * unit),
          ),
        });
        expect(other.suspects.map(({ where }) => where)).toEqual(one.suspects.map(({ where }) => where));
        for (const [place, { score, explained }] of other.suspects.entries()) {
          expect(score).toBeCloseTo(one.suspects[place]?.score ?? 0, 6);
          expect(explained).toBeCloseTo(one.suspects[place]?.explained ?? 0, 6);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('a dimension that has nothing to do with it changes no suspect', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { table, truth } = drawTable({ ...plainTable, seed, severity: [0.7, 1], attributes: [1, 1] });
        const random = drawTable({ ...plainTable, seed: seed + 1 }).table.dimensions[0]?.codes as Int32Array;
        const noise = { name: 'noise', values: Array.from({ length: 8 }, (_, code) => `n${code}`), codes: random.map((code, at) => (code + at * 7919) % 8) };
        const found = attributeChange({ ...table, dimensions: [...table.dimensions, noise] });
        // What one table in a hundred has besides comes after them.
        expect(placesOf(found.suspects.slice(0, 3))).toEqual(truthOf(truth));
        expect(placesOf(attributeChange(table).suspects.slice(0, 3))).toEqual(truthOf(truth));
      }),
      { numRuns: 15 },
    );
  });
});

it('suspects come best first, each explains a part, and the parts and the rest are the whole', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const { table } = drawTable({ ...plainTable, seed });
      const { suspects, change, unexplained } = attributeChange(table);
      expect(suspects.map(({ score }) => score)).toEqual(suspects.map(({ score }) => score).toSorted((a, b) => b - a));
      const explained = suspects.reduce((total, one) => total + (one.explained ?? 0), 0);
      expect(explained + (unexplained ?? 0)).toBeCloseTo(1, 6);
      for (const one of suspects) {
        expect(one.change).toBeCloseTo((one.explained ?? 0) * change, 6);
        expect(one.score).toBeGreaterThanOrEqual(0);
        expect(one.score).toBeLessThanOrEqual(1);
      }
      expect(attributeChange(table, { atMost: 1 }).suspects).toEqual(suspects.slice(0, 1));
    }),
    { numRuns: 15 },
  );
});

function shuffled({ dimensions, measure }: ChangeTable): ChangeTable {
  const count = dimensions[0]?.codes.length ?? 0;
  // 7919 is prime to every size of these tables.
  const order = Int32Array.from({ length: count }, (_, row) => (row * 7919 + 13) % count);
  const move = <T extends Int32Array | Float64Array>(column: T): T => column.map((_, row) => column[order[row] as number] as number) as T;
  const figures = Object.entries(measure).map(([name, column]) => [name, column instanceof Float64Array ? move(column) : column]);
  return {
    dimensions: dimensions.toReversed().map(({ name, values, codes }) => ({
      name,
      values: values.toReversed(),
      codes: move(codes).map((code) => values.length - 1 - code),
    })),
    measure: Object.fromEntries(figures) as Measure,
  };
}
