import { giveWay } from '../checkpoint.ts';

/** Steps of an iteration that ends earlier where it is there. */
const stepsAtMost = 80;
const smallestChange = 1e-10;

type Vectors = { vectors: Float32Array; width: number };

/**
 * The rotation Q of a second training's item vectors that brings them closest to those of a first: least |B Q - A|, which is the orthogonal part of B'A
 * (Schönemann, "A generalized solution of the orthogonal Procrustes problem", 1966), by the iteration X <- (3 X - X X'X) / 2 (Björck and Bowie, "An iterative
 * algorithm for computing the best estimate of an orthogonal matrix", 1971). Products of vectors mean the same in any basis, and so two trainings of the same
 * data end in two. Where nothing is known of a direction, it stays 0.
 * @returns [width, width], in double precision
 */
export async function alignVectors({ from, to, itemCount }: { from: Vectors; to: Vectors; itemCount: number }): Promise<Float64Array> {
  const { width } = from;
  let x: Float64Array = new Float64Array(width * width);
  for (let item = 0; item < itemCount; item += 1) {
    const first = item * width;
    for (let i = 0; i < width; i += 1) {
      const value = from.vectors[first + i] as number;
      if (value === 0) continue;
      for (let j = 0; j < width; j += 1) x[i * width + j] = (x[i * width + j] as number) + value * (to.vectors[first + j] as number);
    }
    if (item % 4096 === 0) await giveWay();
  }
  const size = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  if (size === 0) return x;
  x = x.map((value) => value / size);
  for (let step = 0; step < stepsAtMost; step += 1) {
    const product = multiply(multiply(x, transposed(x, width), width), x, width);
    let change = 0;
    const next = x.map((value, cell) => 1.5 * value - 0.5 * (product[cell] as number));
    for (let cell = 0; cell < x.length; cell += 1) change = Math.max(change, Math.abs((next[cell] as number) - (x[cell] as number)));
    x = next;
    await giveWay();
    if (change < smallestChange) break;
  }
  return x;
}

function transposed(matrix: Float64Array, width: number): Float64Array {
  return matrix.map((_, cell) => matrix[(cell % width) * width + Math.floor(cell / width)] as number);
}

function multiply(a: Float64Array, b: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let i = 0; i < width; i += 1)
    for (let k = 0; k < width; k += 1) {
      const scale = a[i * width + k] as number;
      for (let j = 0, from = k * width, to = i * width; j < width; j += 1, from += 1, to += 1) out[to] = (out[to] as number) + scale * (b[from] as number);
    }
  return out;
}
