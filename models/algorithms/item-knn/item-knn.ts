import { z } from 'zod';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../graph/recommend-interface.ts';
import type { Algorithm, Model } from '../algorithm.ts';
import { giveWay, packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { keepBest, rankScores, recentHistory } from '../rank.ts';
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

/** Neighbour lists of all items, padded to one width: [itemCount + 1, width]; padding is item `itemCount` with similarity 0. */
type Neighbours = { items: Int32Array; similarities: Float32Array; width: number };

/** Work between two steps, in multiply-adds of the co-occurrence product. */
const workPerStep = 20_000_000;

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
    const neighbours = emptyNeighbours(itemCount, params);
    if (resumed) {
      neighbours.items.set(resumed.arrays.items as Int32Array);
      neighbours.similarities.set(resumed.arrays.similarities as Float32Array);
    }
    const findOne = neighbourFinder({ byUser, byItem, params, neighbours });
    let work = 0;
    for (let item = resumed?.done ?? 0; item < itemCount; item += 1) {
      work += findOne(item);
      if (work < workPerStep && item + 1 < itemCount) continue;
      work = 0;
      const done = item + 1;
      const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done, arrays: { items: neighbours.items, similarities: neighbours.similarities } });
      await giveWay();
      await hooks.onStep?.({ done, total: itemCount, note: 'items compared', checkpoint });
    }
    return itemKnnModel({ itemCount, neighbours, prior: popularityPrior(interactions), maxHistory: params.maxHistory });
  },
};

function emptyNeighbours(itemCount: number, { neighbours, selfSimilarity }: ItemKnnParams): Neighbours {
  const width = Math.min(neighbours, itemCount) + (selfSimilarity > 0 ? 1 : 0);
  return { items: new Int32Array((itemCount + 1) * width).fill(itemCount), similarities: new Float32Array((itemCount + 1) * width), width };
}

type FinderInput = { byUser: SparseRows; byItem: SparseRows; params: ItemKnnParams; neighbours: Neighbours };

/** @returns a function that fills one item's list and says how much work it was. */
function neighbourFinder({ byUser, byItem, params, neighbours }: FinderInput): (item: number) => number {
  const itemCount = byItem.rowCount;
  const norms = columnNorms(byItem);
  const dots = new Float64Array(itemCount);
  const similarities = new Float32Array(itemCount);
  const touched = new Uint32Array(itemCount);
  const { width } = neighbours;
  return (item) => {
    let touchedCount = 0;
    let work = 0;
    for (let entry = byItem.indptr[item] as number; entry < (byItem.indptr[item + 1] as number); entry += 1) {
      const user = byItem.columns[entry] as number;
      const value = byItem.values[entry] as number;
      const end = byUser.indptr[user + 1] as number;
      for (let other = byUser.indptr[user] as number; other < end; other += 1) {
        const neighbour = byUser.columns[other] as number;
        if (dots[neighbour] === 0) {
          touched[touchedCount] = neighbour;
          touchedCount += 1;
        }
        dots[neighbour] = (dots[neighbour] as number) + value * (byUser.values[other] as number);
        work += 1;
      }
    }
    const best = keepBest(Math.min(params.neighbours, itemCount), (a, b) => {
      const difference = (similarities[a] as number) - (similarities[b] as number);
      return difference < 0 || (difference === 0 && a > b);
    });
    for (let position = 0; position < touchedCount; position += 1) {
      const neighbour = touched[position] as number;
      similarities[neighbour] = (dots[neighbour] as number) / ((norms[item] as number) * (norms[neighbour] as number) + params.shrink);
      dots[neighbour] = 0;
      if (neighbour !== item) best.offer(neighbour);
    }
    let place = item * width;
    const write = (neighbour: number, similarity: number): void => {
      neighbours.items[place] = neighbour;
      neighbours.similarities[place] = similarity;
      place += 1;
    };
    if (params.selfSimilarity > 0) write(item, params.selfSimilarity);
    for (const neighbour of best.bestFirst()) write(neighbour, similarities[neighbour] as number);
    return work;
  };
}

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
  const { items, similarities, width } = neighbours;
  return {
    maxHistory,
    recommend(request) {
      const scores = prior.slice();
      for (const { item, weight } of recentHistory({ request, maxHistory, itemCount })) {
        for (let place = item * width; place < (item + 1) * width; place += 1) {
          const neighbour = items[place] as number;
          scores[neighbour] = (scores[neighbour] as number) + Math.fround((similarities[place] as number) * weight);
        }
      }
      return rankScores({ scores, itemCount, request });
    },
    exportGraph() {
      const graph = new OnnxBuilder({ name: 'item-knn' });
      const inputs = declareInputs(graph, itemCount);
      const shape = [itemCount + 1, width];
      const flat = graph.int64(-1);
      const nearItems = graph.node('Gather', [graph.constant(items, shape, 'neighbour_items'), inputs.history]);
      const nearSimilarities = graph.node('Gather', [graph.constant(similarities, shape, 'neighbour_similarities'), inputs.history]);
      const weighted = graph.node('Mul', [nearSimilarities, graph.node('Unsqueeze', [inputs.historyWeight, graph.int64(1)])]);
      const scores = graph.node(
        'ScatterElements',
        [graph.constant(prior, [itemCount + 1], 'item_prior'), graph.node('Reshape', [nearItems, flat]), graph.node('Reshape', [weighted, flat])],
        { axis: { int: 0 }, reduction: { string: 'add' } },
      );
      declareAnswer(graph, inputs, scores, itemCount);
      return graph.build();
    },
  };
}
