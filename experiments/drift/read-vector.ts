import { solved } from './solved.ts';
import type { Vectors } from './vectors.ts';

/** Beside what rows of items are of themselves. */
const ridge = 1e-6;

/**
 * The vector whose products with the vectors of `rows` are `products`, by least squares: of a user nothing is kept but what a model answers to a history.
 * @param rows places in `items`, as many as `products`
 * @returns `explained`: share of the products' squares that it accounts for; far below 1 where they are no products with such vectors
 */
export function readVector(
  items: Vectors,
  { rows, products }: { rows: readonly number[]; products: readonly number[] },
): { vector: Float64Array; explained: number } {
  const width = items.dimensions;
  const matrix = new Float64Array(width * width);
  const right = new Float64Array(width);
  for (const [place, row] of rows.entries()) {
    const own = items.values.subarray(row * width, (row + 1) * width);
    for (let i = 0; i < width; i += 1) {
      const value = own[i] as number;
      right[i] = (right[i] as number) + value * (products[place] as number);
      for (let j = 0; j <= i; j += 1) matrix[i * width + j] = (matrix[i * width + j] as number) + value * (own[j] as number);
    }
  }
  let trace = 0;
  for (let i = 0; i < width; i += 1) trace += matrix[i * width + i] as number;
  for (let i = 0; i < width; i += 1) matrix[i * width + i] = (matrix[i * width + i] as number) + (ridge * trace) / width + Number.MIN_VALUE;
  const vector = solved(matrix, right);
  let [left, all] = [0, 0];
  for (const [place, row] of rows.entries()) {
    let said = 0;
    for (let i = 0; i < width; i += 1) said += (vector[i] as number) * (items.values[row * width + i] as number);
    left += ((products[place] as number) - said) ** 2;
    all += (products[place] as number) ** 2;
  }
  return { vector, explained: all === 0 ? 1 : 1 - left / all };
}
