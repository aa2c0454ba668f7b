import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createEmbeddingSearch } from './search.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

/** Few different numbers, so that ties and rows of length 0 come up. */
const anySearch = fc.record({ dimensions: fc.integer({ min: 1, max: 5 }), rows: fc.integer({ min: 1, max: 12 }) }).chain(({ dimensions, rows }) =>
  fc.record({
    dimensions: fc.constant(dimensions),
    measure: fc.constantFrom('dot' as const, 'cosine' as const),
    values: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: dimensions * rows, maxLength: dimensions * rows }),
    vector: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: dimensions, maxLength: dimensions }),
    banned: fc.array(fc.nat(rows - 1)),
    count: fc.integer({ min: 1, max: rows + 2 }),
  }),
);

it('gives what looking at every row and sorting all of them gives', () => {
  fc.assert(
    fc.property(anySearch, ({ dimensions, measure, values, vector, banned, count }) => {
      const rows = Array.from({ length: values.length / dimensions }, (_, row) => values.slice(row * dimensions, (row + 1) * dimensions));
      const dot = (a: number[], b: number[]) => a.reduce((sum, value, f) => sum + value * (b[f] as number), 0);
      const isNothing = (one: number[]) => dot(one, one) === 0;
      const expected = rows
        .map((own, row) => ({
          row,
          own,
          score: measure === 'dot' ? dot(own, vector) : dot(own, vector) / (Math.sqrt(dot(own, own)) * Math.sqrt(dot(vector, vector))),
        }))
        .filter(({ row, own }) => !banned.includes(row) && !isNothing(own) && !isNothing(vector))
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .slice(0, count);
      const found = createEmbeddingSearch({ dimensions, measure, vectors: Float32Array.from(values) }).nearest({
        vector,
        count,
        allowed: (row) => !banned.includes(row),
      });
      expect(found).toEqual({ rows: expected.map(({ row }) => row), scores: expected.map(({ score }) => score) });
    }),
    { seed },
  );
});

it('copies a row out', () => {
  const vectors = Float32Array.of(1, 2, 0.1, 4);
  const copy = createEmbeddingSearch({ dimensions: 2, measure: 'dot', vectors }).vector(1);
  expect(copy).toEqual([Math.fround(0.1), 4]);
  copy[0] = 9;
  expect(vectors[2]).toBe(Math.fround(0.1));
});
