import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Interactions } from '../algorithms/algorithm.ts';
import { createRandom } from '../random.ts';
import { Basis, scratchBytesOf } from './basis.ts';
import { Layout, Team } from './team.ts';
import { type Round, TruncatedSvd } from './truncated-svd.ts';

type Bench = { basis: Basis; rows: Float32Array; at: { at: number; rowCount: number }; team: Team };
/** Rows of one width in the kernels' memory. */
async function withRows<T>(
  { rows, width, threads = 1 }: { rows: Float32Array; width: number; threads?: number },
  use: (bench: Bench) => Promise<T>,
): Promise<T> {
  const layout = new Layout();
  const open = Team.reserve(layout, { threads, scratchBytes: scratchBytesOf(width), fused: false });
  const reserved = Basis.reserve(layout, width);
  const at = layout.reserve(rows.byteLength);
  const memory = layout.memory();
  const team = open(memory);
  try {
    const placed = new Float32Array(memory.buffer, at, rows.length);
    placed.set(rows);
    return await use({ basis: reserved(memory, team), rows: placed, at: { at, rowCount: rows.length / width }, team });
  } finally {
    await team.close();
  }
}

const anyRows = fc
  .record({ width: fc.integer({ min: 1, max: 12 }).map((quarter) => 4 * quarter), rowCount: fc.integer({ min: 1, max: 90 }), seed: fc.nat() })
  .map(({ width, rowCount, seed }) => {
    const random = createRandom(seed);
    return { width, rowCount, rows: Float32Array.from({ length: width * rowCount }, () => random.float() - 0.5) };
  });

describe('rows', () => {
  test('their Gram matrix is the sum of their products with themselves, and its eigenvectors are', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async ({ width, rowCount, rows }) => {
        await withRows({ rows, width }, async ({ basis, at }) => {
          const gram = Float64Array.from(await basis.gram(at));
          for (let i = 0; i < width; i += 1) {
            for (let j = 0; j < width; j += 1) {
              let sum = 0;
              for (let row = 0; row < rowCount; row += 1) sum += (rows[row * width + i] as number) * (rows[row * width + j] as number);
              expect(gram[i * width + j]).toBeCloseTo(sum, 4);
            }
          }
          const eigen = basis.eigen();
          if (eigen === undefined) throw new Error('no eigenvalues');
          for (let k = 0; k < width; k += 1) {
            const vector = eigen.vectors(k);
            expect(eigen.values[k]).toBeLessThanOrEqual(eigen.values[Math.max(0, k - 1)] as number);
            for (let i = 0; i < width; i += 1) {
              const product = vector.reduce((sum, value, j) => sum + value * (gram[i * width + j] as number), 0);
              expect(product).toBeCloseTo((eigen.values[k] as number) * (vector[i] as number), 9);
            }
            for (let other = 0; other <= k; other += 1)
              expect(vector.reduce((sum, value, i) => sum + value * (eigen.vectors(other)[i] as number), 0)).toBeCloseTo(other === k ? 1 : 0, 9);
          }
        });
      }),
      { numRuns: 40 },
    );
  });

  test('are multiplied by a matrix, each alike, wherever it stands', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async ({ width, rowCount, rows }) => {
        const random = createRandom(width);
        const columns = Array.from({ length: width }, () => Float64Array.from({ length: width }, () => random.float() - 0.5));
        const product = await withRows({ rows, width }, async ({ basis, at, rows: placed }) => {
          await basis.rotate([at], (k) => columns[k] as Float64Array);
          return placed.slice();
        });
        for (let row = 0; row < rowCount; row += 1) {
          const own = rows.slice(row * width, (row + 1) * width);
          for (let k = 0; k < width; k += 1)
            expect(product[row * width + k]).toBeCloseTo(
              own.reduce((sum, value, f) => sum + value * (columns[k]?.[f] as number), 0),
              4,
            );
          const alone = await withRows({ rows: own, width }, async ({ basis, at, rows: placed }) => {
            await basis.rotate([at], (k) => columns[k] as Float64Array);
            return placed.slice();
          });
          expect(product.slice(row * width, (row + 1) * width)).toEqual(alone);
          if (row > 5) break;
        }
      }),
      { numRuns: 40 },
    );
  });

  test('that are no numbers have no eigenvectors', async () => {
    await withRows({ rows: Float32Array.of(1, 2, Number.NaN, 4), width: 4 }, async ({ basis, at }) => {
      await basis.gram(at);
      expect(basis.eigen()).toBeUndefined();
    });
  });
});

test('more memory than there can be is refused with how much it would be', () => {
  const layout = new Layout();
  layout.reserve(6 * 2 ** 30);
  expect(() => layout.memory()).toThrow(expect.objectContaining({ code: 'UND-TRAINING-MEMORY', message: expect.stringContaining('6.0 GiB') }));
});

describe('the truncated SVD', () => {
  /** Items of a few tastes, so that there are large singular values and small ones. */
  function someInteractions(seed: number, userCount = 300): Interactions {
    const random = createRandom(seed);
    const itemCount = 120;
    const indptr = new Uint32Array(userCount + 1);
    const items: number[] = [];
    for (let user = 0; user < userCount; user += 1) {
      const own = new Set<number>();
      for (let entry = 0; entry < 12; entry += 1) own.add(random.float() < 0.7 ? (user % 6) * 20 + random.below(20) : random.below(itemCount));
      items.push(...own);
      indptr[user + 1] = items.length;
    }
    return {
      userCount,
      itemCount,
      indptr,
      items: Uint32Array.from(items),
      weights: new Float32Array(items.length).fill(1),
      atMs: new Float64Array(items.length),
    };
  }
  const open = (interactions: Interactions, { count = 10, threads = 1 } = {}) =>
    new TruncatedSvd({
      ...{ interactions, count, threads, fused: false },
      scales: {
        users: new Float32Array(interactions.userCount).fill(0.5),
        items: Float32Array.from({ length: interactions.itemCount }, (_, item) => 1 / (1 + item / 100)),
      },
    });

  /** Largest singular values by plain power iteration with deflation in double precision: no code in common. */
  function slowValues({ userCount, itemCount, indptr, items }: Interactions, count: number): number[] {
    const scale = (item: number) => 0.5 / (1 + item / 100);
    const found: { value: number; vector: number[] }[] = [];
    const random = createRandom(8);
    for (let k = 0; k < count; k += 1) {
      let vector = Array.from({ length: itemCount }, () => random.float() - 0.5);
      let value = 0;
      for (let power = 0; power < 3_000; power += 1) {
        for (const one of found) {
          const share = vector.reduce((sum, number, item) => sum + number * (one.vector[item] as number), 0);
          vector = vector.map((number, item) => number - share * (one.vector[item] as number));
        }
        const length = Math.hypot(...vector);
        vector = vector.map((number) => number / length);
        const next = new Array<number>(itemCount).fill(0);
        for (let user = 0; user < userCount; user += 1) {
          let product = 0;
          for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1)
            product += scale(items[entry] as number) * (vector[items[entry] as number] as number);
          for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1)
            next[items[entry] as number] = (next[items[entry] as number] as number) + scale(items[entry] as number) * product;
        }
        const grown = Math.hypot(...next);
        const done = Math.abs(grown - value) < 1e-13 * grown;
        value = grown;
        if (done) break;
        vector = next;
      }
      const length = Math.hypot(...vector);
      found.push({ value, vector: vector.map((number) => number / length) });
    }
    return found.map(({ value }) => Math.sqrt(value));
  }

  test('finds the largest singular values and orthonormal vectors', async () => {
    const interactions = someInteractions(3);
    const svd = open(interactions);
    const { values, vectors } = await svd.solve({ rounds: 8, seed: 1 });
    await svd.close();
    for (const [k, value] of slowValues(interactions, 6).entries()) expect(values[k]).toBeCloseTo(value, 4);
    for (let a = 0; a < 10; a += 1) {
      for (let b = 0; b <= a; b += 1) {
        let sum = 0;
        for (let item = 0; item < interactions.itemCount; item += 1) sum += (vectors[item * 10 + a] as number) * (vectors[item * 10 + b] as number);
        expect(sum).toBeCloseTo(a === b ? 1 : 0, 4);
      }
    }
  });

  test('is the same to the bit for any number of threads, and from any round on', async () => {
    // As many as give each thread a part.
    const interactions = someInteractions(4, 6_000);
    const rounds: (Omit<Round, 'vectors'> & { kept: Float32Array })[] = [];
    const solve = async (threads: number, start?: Round) => {
      const svd = open(interactions, { threads });
      const result = await svd.solve({ rounds: 4, seed: 1, start, onRound: ({ vectors, ...round }) => void rounds.push({ ...round, kept: vectors() }) });
      await svd.close();
      return result;
    };
    const one = await solve(1);
    const kept = rounds.splice(0);
    expect(await solve(3)).toEqual(one);
    for (const { done, ritz, kept: vectors } of kept) expect(await solve(1, { done, ritz, vectors: () => vectors })).toEqual(one);
  });

  test('of fewer items than it has vectors keeps what there are', async () => {
    const interactions: Interactions = {
      ...{ userCount: 2, itemCount: 3, indptr: Uint32Array.of(0, 2, 3), items: Uint32Array.of(0, 1, 1) },
      ...{ weights: new Float32Array(3).fill(1), atMs: new Float64Array(3) },
    };
    const svd = open(interactions, { count: 3 });
    const { values, vectors } = await svd.solve({ rounds: 3, seed: 1 });
    await svd.close();
    expect(values[2]).toBeLessThan(1e-3);
    expect(vectors.every(Number.isFinite)).toBe(true);
  });
});
