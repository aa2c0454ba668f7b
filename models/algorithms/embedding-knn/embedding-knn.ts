import { z } from 'zod';
import { digestBytes } from '../../contracts/digest.ts';
import { UnderstudyError } from '../../contracts/problem.ts';
import { rowLengths } from '../../embeddings/search.ts';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareInputs } from '../../graph/recommend-interface.ts';
import { declareRetrieval } from '../../graph/retrieval/declare-retrieval.ts';
import { type ItemVectors, itemTable, roundVectors } from '../../graph/retrieval/item-table.ts';
import type { Algorithm, Embeddings, Model, ScoreRequest } from '../algorithm.ts';
import { packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { rankScores } from '../rank.ts';

const embeddingKnnParams = z.strictObject({
  /** Each entry of a history counts so many times the one after it: 1 all alike, small ones almost the last alone. */
  decay: z.number().gt(0).max(1).default(0.98),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
export type EmbeddingKnnParams = z.output<typeof embeddingKnnParams>;

/** What history and scores are reckoned with. */
type Similarities = {
  dimensions: number;
  /** [itemCount + 1, dimensions] of length 1 under cosine; 0 where there is no vector, and for padding. */
  vectors: Float32Array;
  codes?: ItemVectors['codes'];
  /** [itemCount + 1] 1 where there is a vector */
  known: Float32Array;
  /** [itemCount + 1] what an item without vector has less than any other, 0 where there is one */
  absence: Float32Array;
};

/** Keeps 0 / 0 out where nothing of the history has a vector; a history that weighs less has as little say as none, in floats of any precision. */
const smallest = 1e-30;

/**
 * Nearest neighbours of a history among given item vectors v: the weighted mean similarity of its entries h = 1 .. H (oldest first) to each item,
 *
 *   score(j) = sum_h w_h s(h, j) / sum_h w_h + popularity prior(j),   w_h = weight_h decay^(H - h),   s(h, j) = v_h . v_j
 *
 * with the vectors scaled to length 1 where they are compared by cosine. Entries without a vector have no say. An item without one scores lowest: its
 * similarity to everything is twice as far below 0 as that of any two vectors can be. It trains nothing: only the prior is counted.
 */
export const embeddingKnn: Algorithm<EmbeddingKnnParams> = {
  name: 'embedding-knn',
  retrieval: 'product',
  params: embeddingKnnParams,
  embeddings: 'given',
  async train({ interactions, params, seed, embeddings }, hooks = {}) {
    const { itemCount } = interactions;
    if (embeddings === undefined)
      throw new UnderstudyError('UND-INPUT', "embedding-knn is made over another candidate's vectors: name it in the charter, `embeddings: { of: 'ials' }`");
    const { vectors, dimensions } = embeddings;
    if (vectors.length !== itemCount * dimensions)
      throw new UnderstudyError('UND-INPUT', `${vectors.length} numbers are no vectors of ${dimensions} for ${itemCount} items`);
    const given = digestBytes(new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength));
    const fingerprint = runFingerprint({ algorithm: 'embedding-knn', params: { ...params, measure: embeddings.measure, given }, seed, interactions });
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const prior = (resumed?.arrays.prior as Float32Array | undefined) ?? popularityPrior(interactions);
    const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done: 1, arrays: { prior } });
    if (!resumed) await hooks.onStep?.({ done: 1, total: 1, note: 'events counted', checkpoint });
    return embeddingKnnModel({ similarities: similaritiesOf(embeddings, itemCount), prior, params });
  },
};

function similaritiesOf({ dimensions, measure, vectors: given }: Embeddings, itemCount: number): Similarities {
  const lengths = rowLengths({ dimensions, vectors: given });
  const vectors = new Float32Array((itemCount + 1) * dimensions);
  const known = new Float32Array(itemCount + 1);
  const absence = new Float32Array(itemCount + 1);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const furthest = measure === 'cosine' ? 1 : longest ** 2;
  for (let item = 0; item < itemCount; item += 1) {
    const length = lengths[item] as number;
    if (length === 0) absence[item] = 2 * furthest;
    else known[item] = 1;
    const scale = measure === 'cosine' && length > 0 ? 1 / length : 1;
    for (let f = item * dimensions; f < (item + 1) * dimensions; f += 1) vectors[f] = (given[f] as number) * scale;
  }
  return { dimensions, vectors, known, absence };
}

type Made = { similarities: Similarities; prior: Float32Array; params: EmbeddingKnnParams };

function embeddingKnnModel({ similarities, prior, params }: Made): Model {
  const { decay, maxHistory } = params;
  const { dimensions, vectors, codes, known, absence } = similarities;
  const itemCount = prior.length - 1;
  /** [maxHistory] by place from the end of the longest history, the last 1 */
  const decays = Float32Array.from({ length: maxHistory }, (_, place) => decay ** (maxHistory - 1 - place));
  const profileOf = ({ history, historyWeight }: ScoreRequest): { profile: Float64Array; total: number } => {
    const profile = new Float64Array(dimensions);
    let total = 0;
    for (let entry = Math.max(0, history.length - maxHistory); entry < history.length; entry += 1) {
      const item = history[entry] as number;
      if (known[item] !== 1) continue;
      const weight = Math.fround(historyWeight[entry] as number) * (decays[maxHistory - history.length + entry] as number);
      total += weight;
      for (let f = 0; f < dimensions; f += 1) profile[f] = (profile[f] as number) + weight * (vectors[item * dimensions + f] as number);
    }
    return { profile, total };
  };
  const declareItems: NonNullable<Model['declareItems']> = (graph, inputs) => {
    const column = (data: Float32Array, name: string) => graph.constant(data, [data.length], name);
    const table = itemTable(graph, { vectors, width: dimensions, codes, name: 'item_vectors' });
    const [zero, one] = [graph.int64(0), graph.int64(1)];
    const from = graph.node('Sub', [graph.int64(maxHistory), graph.node('Shape', [inputs.history])]);
    const decayed = graph.node('Mul', [inputs.historyWeight, graph.node('Slice', [column(decays, 'decays'), from, graph.int64(maxHistory), zero])]);
    const weights = graph.node('Mul', [decayed, graph.node('Gather', [column(known, 'item_known'), inputs.history])]);
    const total = graph.node('ReduceSum', [weights], { keepdims: { int: 1 } });
    const rows = table.rows(inputs.history);
    const summed = graph.node('MatMul', [graph.node('Unsqueeze', [weights, zero]), rows]);
    const profile = graph.node('Div', [summed, graph.node('Max', [total, graph.float32(smallest)])]);
    const flat = graph.node('Reshape', [profile, graph.int64(-1)]);
    return {
      ...{ graph, inputs, itemCount, table, query: graph.node('Unsqueeze', [flat, one]), productsDecide: true },
      scoresOf(similarity, of) {
        const say = graph.node('Min', [graph.node('Div', [total, graph.float32(smallest)]), graph.float32(1)]);
        const missing = graph.node('Mul', [of.column('item_absence', absence), say]);
        return graph.node('Add', [graph.node('Sub', [similarity, missing]), of.column('item_prior', prior)]);
      },
    };
  };
  return {
    maxHistory,
    declareItems,
    rounded: () => embeddingKnnModel({ similarities: { ...similarities, ...roundVectors({ vectors, width: dimensions }) }, prior, params }),
    products: () => ({ width: dimensions, vectors, queryOf: (request) => profileOf(request).profile }),
    recommend(request) {
      const { profile, total } = profileOf(request);
      const divisor = Math.max(total, smallest);
      const say = Math.min(1, total / smallest);
      const scores = new Float32Array(itemCount);
      for (let item = 0; item < itemCount; item += 1) {
        let sum = 0;
        for (let f = 0; f < dimensions; f += 1) sum += (vectors[item * dimensions + f] as number) * (profile[f] as number);
        scores[item] = Math.fround(sum / divisor - say * (absence[item] as number)) + (prior[item] as number);
      }
      return rankScores({ scores, itemCount, request });
    },
    exportGraph({ retrieval } = {}) {
      const graph = new OnnxBuilder({ name: 'embedding-knn' });
      declareRetrieval(declareItems(graph, declareInputs(graph, itemCount)), retrieval);
      return graph.build();
    },
  };
}
