import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import type { Interactions, ItemAttributes } from '../algorithm.ts';
import { itemAttributes } from '../item-attributes.ts';
import { blendAttributes } from './attribute-items.ts';
import { ials } from './ials.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

function compressed(histories: readonly (readonly number[])[], itemCount: number): Interactions {
  const items = histories.flat();
  const indptr = new Uint32Array(histories.length + 1);
  for (const [user, history] of histories.entries()) indptr[user + 1] = (indptr[user] as number) + history.length;
  return {
    ...{ userCount: histories.length, itemCount, indptr, items: Uint32Array.from(items) },
    ...{ weights: new Float32Array(items.length).fill(1), atMs: Float64Array.from(items, (_, entry) => entry) },
  };
}

test('the mapping is the solution of its normal equations, and items are as sure of themselves as they have events', async () => {
  const random = createRandom(seed);
  const [itemCount, count, width, weight, ridge] = [30, 7, 4, 3, 2];
  const sets = Array.from({ length: itemCount }, (_, item) =>
    item === 3 ? [] : Array.from({ length: count }, (_, a) => a).filter(() => random.float() < 0.4),
  );
  const attributes: ItemAttributes = {
    indptr: Uint32Array.from([0, ...sets.map((_, item) => sets.slice(0, item + 1).flat().length)]),
    attributes: Uint32Array.from(sets.flat()),
    fields: ['word'],
    fieldOf: new Uint8Array(count),
  };
  // Items 0 to 4 have no events; 3 no attributes either.
  const interactions = compressed([Array.from({ length: 400 }, () => 5 + random.below(itemCount - 5))], itemCount);
  const events = (item: number) => interactions.items.filter((one) => one === item).length;
  const learned = Float32Array.from({ length: itemCount * width }, () => 2 * random.float() - 1);
  const vectors = learned.slice();
  await blendAttributes({ vectors, width, interactions, attributes, weight, ridge });

  const trust = Array.from({ length: itemCount }, (_, item) => events(item) / (events(item) + 20));
  const rowOf = (item: number) => [...Array.from({ length: count }, (_, a) => (sets[item]?.includes(a) ? 1 : 0)), 1];
  for (let f = 0; f < width; f += 1) {
    const matrix = Array.from({ length: count + 1 }, (_, a) => Array.from({ length: count + 1 }, (_, b) => (a === b ? ridge : 0)));
    const right = new Array<number>(count + 1).fill(0);
    for (let item = 0; item < itemCount; item += 1)
      for (const [a, one] of rowOf(item).entries()) {
        right[a] = (right[a] as number) + (trust[item] as number) * one * (learned[item * width + f] as number);
        for (const [b, other] of rowOf(item).entries()) (matrix[a] as number[])[b] = (matrix[a]?.[b] as number) + (trust[item] as number) * one * other;
      }
    const solved = solve(matrix, right);
    for (let item = 0; item < itemCount; item += 1) {
      const mapped = rowOf(item).reduce((sum, one, a) => sum + one * (solved[a] as number), 0);
      const own = learned[item * width + f] as number;
      const n = events(item);
      const expected = sets[item]?.length === 0 ? (n === 0 ? 0 : own) : (n * own + weight * mapped) / (n + weight);
      expect(Math.abs((vectors[item * width + f] as number) - expected)).toBeLessThan(1e-4);
    }
  }
});

/** Gauss and Jordan. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, place) => [...row, right[place] as number]);
  for (let pivot = 0; pivot < rows.length; pivot += 1) {
    const own = rows[pivot] as number[];
    for (const [place, row] of rows.entries()) {
      if (place === pivot) continue;
      const share = (row[pivot] as number) / (own[pivot] as number);
      for (let column = pivot; column < row.length; column += 1) row[column] = (row[column] as number) - share * (own[column] as number);
    }
  }
  return rows.map((row, place) => (row.at(-1) as number) / (row[place] as number));
}

test('an item that nobody has had is found by those who like what it is', async () => {
  const random = createRandom(seed);
  const tastes = ['cup', 'lamp', 'rug', 'clock'];
  const itemCount = 80;
  const tasteOf = (item: number) => item % tastes.length;
  const colors = ['red', 'green', 'blue'];
  const catalog = Array.from({ length: itemCount }, (_, item) => ({
    ...{ itemId: String(item), title: `${colors[random.below(3)]} ${tastes[tasteOf(item)]}`, priceMinor: 100 + random.below(900), inStock: true },
  }));
  const attributes = itemAttributes({ catalog, vocabulary: catalog.map(({ itemId }) => itemId) });
  const isCold = (item: number) => item >= 60;
  const histories = Array.from({ length: 300 }, (_, user) =>
    Array.from({ length: 8 }, () => (random.float() < 0.85 ? tastes.length * random.below(15) + (user % tastes.length) : random.below(60))),
  );
  const params = ials.params.parse({ factors: 16 });
  const scopeBias = Float32Array.from({ length: itemCount }, (_, item) => (isCold(item) ? 0 : -1e9));
  const found = async (given: ItemAttributes | undefined) => {
    const model = await ials.train({ interactions: compressed(histories, itemCount), params, seed, attributes: given });
    const hits = histories.map((history, user) => {
      const { items } = model.recommend({ history, historyWeight: history.map(() => 1), exclude: [], scopeBias, count: 5 });
      return items.filter((item) => tasteOf(item) === user % tastes.length).length / 5;
    });
    return hits.reduce((sum, one) => sum + one, 0) / hits.length;
  };
  expect(await found(attributes)).toBeGreaterThan(0.8);
  expect(await found(undefined)).toBeLessThan(0.4);
});
