import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import { cutIntoCells, cutIntoCellsStepwise } from './cells.ts';
import { type Bits, quantizeRows } from './quantize-rows.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

it('every row stands in one cell, none of which is too full or empty, whatever the rows are; the same seed gives the same cells', () =>
  fc.assert(
    fc.property(
      fc.record({
        rows: fc.integer({ min: 1, max: 400 }),
        width: fc.integer({ min: 1, max: 9 }),
        values: fc.constantFrom(1, 2, 1000),
        cellItems: fc.integer({ min: 2, max: 50 }),
        drawn: fc.nat(),
      }),
      ({ rows, width, values, cellItems, drawn }) => {
        const random = createRandom(drawn);
        const vectors = Float32Array.from({ length: rows * width }, () => random.below(values) - values / 2);
        const cut = () => cutIntoCells({ vectors, width, rows, cellItems, padding: rows, seed: drawn });
        const { members, centroids, count } = cut();
        expect(members).toHaveLength(count * cellItems);
        expect(centroids).toHaveLength(count * width);
        expect([...members].filter((row) => row < rows).sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, row) => row));
        for (let cell = 0; cell < count; cell += 1) expect(members[cell * cellItems]).toBeLessThan(rows);
        expect(cut()).toEqual({ members, centroids, count });
      },
    ),
    { seed, numRuns: 60 },
  ));

it('cut step by step, with others having their turn in between, cells are the same', async () => {
  const random = createRandom(seed);
  const rows = 120_000;
  const input = { vectors: Float32Array.from({ length: rows * 2 }, () => random.float()), width: 2, rows, cellItems: 200, padding: rows, seed };
  let steps = 0;
  const cells = await cutIntoCellsStepwise(input, () => {
    steps += 1;
  });
  expect(steps).toBeGreaterThan(100);
  expect(cells).toEqual(cutIntoCells(input));
});

it('rows of like things come to stand together', () => {
  const random = createRandom(seed);
  const rows = 600;
  const vectors = Float32Array.from({ length: rows * 2 }, (_, place) => ((place >> 1) % 6) * (place % 2 === 0 ? 10 : -10) + random.float());
  const { members, count } = cutIntoCells({ vectors, width: 2, rows, cellItems: 60, padding: rows, seed });
  const alone = Array.from(
    { length: count },
    (_, cell) => new Set([...members.subarray(cell * 60, cell * 60 + 60)].filter((row) => row < rows).map((row) => row % 6)),
  );
  expect(alone.filter(({ size }) => size === 1).length / count).toBeGreaterThan(0.9);
});

it('codes are half a step from the number at most, and those behind the end of a row stand for 0', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 140 }), fc.constantFrom<Bits>(4, 8), fc.constantFrom(1e-40, 1e-3, 1e6), fc.nat(), (width, bits, size, drawn) => {
      const random = createRandom(drawn);
      const vectors = Float32Array.from({ length: 5 * width }, (_, place) => (place < width ? 0 : size * (2 * random.float() - 1)));
      const { codes, scales, blocks, blockSize } = quantizeRows({ vectors, width, bits });
      const zero = 2 ** (bits - 1);
      for (let row = 0; row < 5; row += 1)
        for (let f = 0; f < blocks * blockSize; f += 1) {
          const place = row * blocks * blockSize + f;
          const code = bits === 8 ? (codes[place] as number) : ((codes[place >> 1] as number) >> (4 * (place % 2))) & 15;
          const scale = scales[Math.floor(place / blockSize)] as number;
          const number = f < width ? (vectors[row * width + f] as number) : 0;
          expect(Math.abs(scale * (code - zero) - number)).toBeLessThanOrEqual(0.5001 * scale + 1e-44 * 2 ** 7);
        }
    }),
    { seed, numRuns: 100 },
  ));
