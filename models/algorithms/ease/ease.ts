import { z } from 'zod';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../graph/recommend-interface.ts';
import { InverseInPlace } from '../../kernels/inverse.ts';
import type { Algorithm, Model } from '../algorithm.ts';
import { giveWay, packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { addNeighbours, addNeighboursNodes, emptyNeighbours, type Neighbours } from '../neighbours.ts';
import { popularityPrior } from '../prior.ts';
import { keepBest, rankScores, recentHistory } from '../rank.ts';
import { accumulate, type SparseRows } from '../sparse.ts';

const easeParams = z.strictObject({
  /** L2 regularization of the weights, in users. */
  lambda: z.number().positive().max(1e6).default(200),
  /** Weights kept of each item, the largest by size. */
  neighbours: z.number().int().min(1).max(2000).default(200),
  /** What a user's row holds: 1 for every item touched, or the sum of the events' confidence. */
  rows: z.enum(['binary', 'confidence']).default('binary'),
  /** `fused`: products are added in one rounding where the hardware can. Faster there, but no longer the same bits on every machine. */
  arithmetic: z.enum(['exact', 'fused']).default('exact'),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
export type EaseParams = z.output<typeof easeParams>;

/**
 * A linear model of each item by all others in closed form: with the users' rows X, P = (X^T X + lambda I)^-1,
 *
 *   score = B^T r + popularity prior,     B_ij = -P_ij / P_jj,   B_jj = 0
 *
 * Steck, "Embarrassingly shallow autoencoders for sparse data" (WWW 2019, eq. 8), of each row of B the largest weights. It takes 4 bytes for each pair of items and
 * time with the cube of their number: for catalogs of up to some 20,000.
 */
export const ease: Algorithm<EaseParams> = {
  name: 'ease',
  params: easeParams,
  async train({ interactions, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'ease', params, seed, interactions });
    const { itemCount } = interactions;
    const problem = new InverseInPlace({ size: itemCount, threads: hooks.threads ?? 1, fused: params.arithmetic === 'fused' });
    try {
      const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
      const byUser = accumulate(interactions);
      if (params.rows === 'binary') byUser.values.fill(1);
      if (resumed) problem.matrix.set(resumed.arrays.matrix as Float32Array);
      else addProducts(byUser, { ...problem, lambda: params.lambda });
      await problem.invert({
        from: resumed?.done ?? 0,
        async onBlock(done) {
          await giveWay();
          const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done, arrays: { matrix: problem.matrix } });
          await hooks.onStep?.({ done, total: itemCount, note: 'items exchanged', checkpoint });
        },
      });
      const weights = largestWeights(problem, itemCount, params.neighbours);
      return easeModel({ itemCount, weights, prior: popularityPrior(interactions), maxHistory: params.maxHistory });
    } finally {
      await problem.close();
    }
  },
};

type Square = { matrix: Float32Array; width: number };

/** matrix = X^T X + lambda I, both halves. */
function addProducts({ rowCount, columnCount, indptr, columns, values }: SparseRows, { matrix, width, lambda }: Square & { lambda: number }): void {
  for (let item = 0; item < columnCount; item += 1) matrix[item * width + item] = lambda;
  for (let row = 0; row < rowCount; row += 1) {
    const end = indptr[row + 1] as number;
    for (let one = indptr[row] as number; one < end; one += 1) {
      const value = values[one] as number;
      const base = (columns[one] as number) * width;
      for (let other = indptr[row] as number; other < end; other += 1) {
        const place = base + (columns[other] as number);
        matrix[place] = (matrix[place] as number) + value * (values[other] as number);
      }
    }
  }
}

function largestWeights({ matrix, width }: Square, itemCount: number, wanted: number): Neighbours {
  const weights = emptyNeighbours(itemCount, Math.min(wanted, itemCount));
  const row = new Float32Array(itemCount);
  const diagonal = Float32Array.from({ length: itemCount }, (_, item) => matrix[item * width + item] as number);
  for (let item = 0; item < itemCount; item += 1) {
    const best = keepBest(weights.width, (a, b) => {
      const difference = Math.abs(row[a] as number) - Math.abs(row[b] as number);
      return difference < 0 || (difference === 0 && a > b);
    });
    for (let other = 0; other < itemCount; other += 1) {
      row[other] = other === item ? 0 : -(matrix[item * width + other] as number) / (diagonal[other] as number);
      if (row[other] !== 0) best.offer(other);
    }
    for (const [place, other] of best.bestFirst().entries()) {
      weights.items[item * weights.width + place] = other;
      weights.similarities[item * weights.width + place] = row[other] as number;
    }
  }
  return weights;
}

function easeModel({ itemCount, weights, prior, maxHistory }: { itemCount: number; weights: Neighbours; prior: Float32Array; maxHistory: number }): Model {
  return {
    maxHistory,
    recommend(request) {
      const scores = prior.slice();
      addNeighbours(scores, weights, recentHistory({ request, maxHistory, itemCount }));
      return rankScores({ scores, itemCount, request });
    },
    exportGraph() {
      const graph = new OnnxBuilder({ name: 'ease' });
      const inputs = declareInputs(graph, itemCount);
      const scores = addNeighboursNodes({ graph, inputs, neighbours: weights, scores: graph.constant(prior, [itemCount + 1], 'item_prior') });
      declareAnswer(graph, inputs, scores, itemCount);
      return graph.build();
    },
  };
}
