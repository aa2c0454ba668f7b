import type { Embeddings } from '../algorithms/algorithm.ts';
import { keepBest } from '../algorithms/rank.ts';

export type Nearest = { rows: number[]; scores: number[] };
export type EmbeddingSearch = {
  /** Copies a row out. */
  vector(row: number): number[];
  /**
   * The rows most like a vector, best first, ties to the lower row: every row is looked at. Of a row that is 0 nothing is known: it is like nothing and
   * left out; to a query that is 0 there is no answer.
   */
  nearest(query: { vector: ArrayLike<number>; count: number; allowed: (row: number) => boolean }): Nearest;
};

/** Over vectors that stay where they are; 16 bytes a row beside them. */
export function createEmbeddingSearch({ dimensions, measure, vectors }: Embeddings): EmbeddingSearch {
  const count = vectors.length / dimensions;
  const lengths = rowLengths({ dimensions, vectors });
  const scores = new Float64Array(count);
  return {
    vector: (row) => Array.from(vectors.subarray(row * dimensions, (row + 1) * dimensions)),

    nearest({ vector, count: wanted, allowed }) {
      const query = Float64Array.from(vector);
      const queryLength = Math.sqrt(query.reduce((sum, value) => sum + value * value, 0));
      if (queryLength === 0) return { rows: [], scores: [] };
      const best = keepBest(wanted, (a, b) => {
        const difference = (scores[a] as number) - (scores[b] as number);
        return difference < 0 || (difference === 0 && a > b);
      });
      for (let row = 0; row < count; row += 1) {
        const length = lengths[row] as number;
        if (length === 0 || !allowed(row)) continue;
        const sum = product(vectors, row * dimensions, query);
        scores[row] = measure === 'cosine' ? sum / (length * queryLength) : sum;
        best.offer(row);
      }
      const rows = best.bestFirst();
      return { rows, scores: rows.map((row) => scores[row] as number) };
    },
  };
}

/** [rows] Euclidean. */
export function rowLengths({ dimensions, vectors }: Pick<Embeddings, 'dimensions' | 'vectors'>): Float64Array {
  return Float64Array.from({ length: vectors.length / dimensions }, (_, row) => {
    let sum = 0;
    for (let f = row * dimensions; f < (row + 1) * dimensions; f += 1) sum += (vectors[f] as number) ** 2;
    return Math.sqrt(sum);
  });
}

/** Four sums side by side: one alone would wait for itself at each step. */
function product(vectors: Float32Array, start: number, query: Float64Array): number {
  const whole = query.length - (query.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let f = 0; f < whole; f += 4) {
    a += (vectors[start + f] as number) * (query[f] as number);
    b += (vectors[start + f + 1] as number) * (query[f + 1] as number);
    c += (vectors[start + f + 2] as number) * (query[f + 2] as number);
    d += (vectors[start + f + 3] as number) * (query[f + 3] as number);
  }
  for (let f = whole; f < query.length; f += 1) a += (vectors[start + f] as number) * (query[f] as number);
  return a + b + (c + d);
}
