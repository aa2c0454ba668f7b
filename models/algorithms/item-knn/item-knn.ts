import { z } from 'zod';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../graph/recommend-interface.ts';
import type { Algorithm, Model } from '../algorithm.ts';
import { packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { addNeighbours, addNeighboursNodes, emptyNeighbours, findNeighbours, type Neighbours } from '../neighbours.ts';
import { popularityPrior } from '../prior.ts';
import { rankScores, recentHistory } from '../rank.ts';
import { accumulate, type SparseRows, transpose } from '../sparse.ts';

const itemKnnParams = z.strictObject({
  /** Neighbours kept of each item. */
  neighbours: z.number().int().min(1).max(2000).default(20),
  /** Added to the denominator of the cosine: similarities that few users vouch for shrink towards 0. */
  shrink: z.number().min(0).max(1e6).default(10),
  /** What a user's row holds: 1 for every item touched, or the sum of the events' confidence. */
  rows: z.enum(['binary', 'confidence']).default('binary'),
  /** An item's similarity to itself. 0 leaves items of the history to their neighbours; above 0 they are recommended again. */
  selfSimilarity: z.number().min(0).max(1000).default(0),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
export type ItemKnnParams = z.output<typeof itemKnnParams>;

/**
 * Item-based nearest neighbours (Sarwar et al. 2001): cosine of the items' columns with shrinkage (Bell and Koren 2007), the best kept.
 * score(j) = sum over the history of weight(h) * similarity(h, j), plus the popularity prior.
 */
export const itemKnn: Algorithm<ItemKnnParams> = {
  name: 'item-knn',
  params: itemKnnParams,
  async train({ interactions, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'item-knn', params, seed, interactions });
    const { itemCount } = interactions;
    const byUser = accumulate(interactions);
    if (params.rows === 'binary') byUser.values.fill(1);
    const byItem = transpose(byUser);
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const kept = params.selfSimilarity > 0 ? 1 : 0;
    const neighbours = emptyNeighbours(itemCount, Math.min(params.neighbours, itemCount) + kept);
    if (resumed) {
      neighbours.items.set(resumed.arrays.items as Int32Array);
      neighbours.similarities.set(resumed.arrays.similarities as Float32Array);
    } else if (kept === 1) {
      for (let item = 0; item < itemCount; item += 1) {
        neighbours.items[item * neighbours.width] = item;
        neighbours.similarities[item * neighbours.width] = params.selfSimilarity;
      }
    }
    const norms = columnNorms(byItem);
    const similarity = (item: number, other: number, product: number) => product / ((norms[item] as number) * (norms[other] as number) + params.shrink);
    await findNeighbours({ byUser, byItem, neighbours, kept, similarity, from: resumed?.done ?? 0 }, async (done) => {
      const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done, arrays: { items: neighbours.items, similarities: neighbours.similarities } });
      await hooks.onStep?.({ done, total: itemCount, note: 'items compared', checkpoint });
    });
    return itemKnnModel({ itemCount, neighbours, prior: popularityPrior(interactions), maxHistory: params.maxHistory });
  },
};

function columnNorms(byItem: SparseRows): Float64Array {
  return Float64Array.from({ length: byItem.rowCount }, (_, item) => {
    let sum = 0;
    for (let entry = byItem.indptr[item] as number; entry < (byItem.indptr[item + 1] as number); entry += 1) sum += (byItem.values[entry] as number) ** 2;
    return Math.sqrt(sum);
  });
}

function itemKnnModel({
  itemCount,
  neighbours,
  prior,
  maxHistory,
}: {
  itemCount: number;
  neighbours: Neighbours;
  prior: Float32Array;
  maxHistory: number;
}): Model {
  return {
    maxHistory,
    recommend(request) {
      const scores = prior.slice();
      addNeighbours(scores, neighbours, recentHistory({ request, maxHistory, itemCount }));
      return rankScores({ scores, itemCount, request });
    },
    exportGraph() {
      const graph = new OnnxBuilder({ name: 'item-knn' });
      const inputs = declareInputs(graph, itemCount);
      const scores = addNeighboursNodes({ graph, inputs, neighbours, scores: graph.constant(prior, [itemCount + 1], 'item_prior') });
      declareAnswer(graph, inputs, scores, itemCount);
      return graph.build();
    },
  };
}
