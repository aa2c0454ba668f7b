import { z } from 'zod';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareInputs } from '../../graph/recommend-interface.ts';
import { declareRetrieval } from '../../graph/retrieval/declare-retrieval.ts';
import { type ItemVectors, itemTable, roundVectors } from '../../graph/retrieval/item-table.ts';
import { type Round, TruncatedSvd } from '../../kernels/truncated-svd.ts';
import type { Algorithm, Interactions, Model } from '../algorithm.ts';
import { giveWay, packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { addNearNodes, addNeighbours, emptyNeighbours, findNeighbours, type Near, nearNodes, type Neighbours } from '../neighbours.ts';
import { popularityPrior } from '../prior.ts';
import { rankScores, recentHistory } from '../rank.ts';
import { accumulate, transpose } from '../sparse.ts';

const gfCfParams = z.strictObject({
  /** Singular vectors; as many as there are items where these are fewer. */
  factors: z.number().int().min(1).max(1024).default(512),
  /** The filter's response to a singular value s is s^response: 0 lets all that is kept through alike (the ideal low-pass), 2 is the item-item filter's own. */
  response: z.number().min(0).max(4).default(1),
  /** Neighbours kept of each item for what the singular vectors leave out; 0 for none. */
  neighbours: z.number().int().min(0).max(2000).default(100),
  /** Weight of the neighbours beside the singular vectors. */
  neighbourWeight: z.number().min(0).max(1000).default(1),
  /** What a user's row holds: 1 for every item touched, or the sum of the events' confidence. */
  rows: z.enum(['binary', 'confidence']).default('binary'),
  /** Rounds in which the singular vectors are found. */
  rounds: z.number().int().min(1).max(50).default(5),
  /** `fused`: products are added in one rounding where the hardware can. Faster there, but no longer the same bits on every machine. */
  arithmetic: z.enum(['exact', 'fused']).default('exact'),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
export type GfCfParams = z.output<typeof gfCfParams>;

/**
 * A graph filter over the items. With R the user by item matrix, d_u and d_i the sums of its rows and columns, N = D_u^-1/2 R D_i^-1/2, its singular values s
 * and item vectors V, and r the history,
 *
 *   score = D_i^1/2 V s^response V^T D_i^-1/2 r + neighbourWeight C r + popularity prior,     C = N^T N, of each column the largest entries
 *
 * Shen, Wu, Zhang, Shan, Zhang, Letaief, Li, "How powerful is graph convolution for recommendation?" (CIKM 2021, eq. 14): there the response is 0 and C is whole, a linear
 * filter that on large catalogs no graph holds. A response of 1 is in between the two filters, and takes the place of what is left out of C.
 */
export const gfCf: Algorithm<GfCfParams> = {
  name: 'gf-cf',
  retrieval: 'product',
  params: gfCfParams,
  embeddings: 'made',
  async train({ interactions: given, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'gf-cf', params, seed, interactions: given });
    const { itemCount } = given;
    const byUser = accumulate(given);
    if (params.rows === 'binary') byUser.values.fill(1);
    const matrix: Interactions = {
      ...{ userCount: given.userCount, itemCount, indptr: byUser.indptr, items: byUser.columns, weights: byUser.values },
      atMs: new Float64Array(0),
    };
    const degrees = { users: sumsOf(byUser.indptr, byUser.values), items: new Float64Array(itemCount) };
    const byItem = transpose(byUser);
    degrees.items.set(sumsOf(byItem.indptr, byItem.values));
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const neighbours = emptyNeighbours(itemCount, Math.min(params.neighbours, itemCount));
    if (resumed) {
      neighbours.items.set(resumed.arrays.items as Int32Array);
      neighbours.similarities.set(resumed.arrays.similarities as Float32Array);
    }
    // All items count as one round: they take a fraction of its time.
    const total = itemCount + params.rounds;
    const step = (done: number, note: string, round?: Round) => {
      const found = () => round && { ritz: round.ritz, vectors: round.vectors() };
      const arrays = () => ({ items: neighbours.items, similarities: neighbours.similarities, ...found() });
      return hooks.onStep?.({ done, total, note, checkpoint: () => packCheckpoint({ fingerprint, done, arrays: arrays() }) });
    };
    if (params.neighbours > 0) {
      // Of each user's row but one share: C = sum over users of r_i r_j / (d_u sqrt(d_i d_j)).
      const shared = { ...byItem, values: byItem.values.map((value, entry) => value / (degrees.users[byItem.columns[entry] as number] as number)) };
      const similarity = (item: number, other: number, product: number) =>
        product / Math.sqrt((degrees.items[item] as number) * (degrees.items[other] as number));
      const from = Math.min(resumed?.done ?? 0, itemCount);
      await findNeighbours({ byUser, byItem: shared, neighbours, kept: 0, similarity, from }, (done) => step(done, 'items compared'));
    }
    const svd = new TruncatedSvd({
      ...{ interactions: matrix, count: Math.min(params.factors, itemCount), threads: hooks.threads ?? 1, fused: params.arithmetic === 'fused' },
      scales: { users: degrees.users.map(rootInverse), items: degrees.items.map(rootInverse) },
    });
    try {
      const done = (resumed?.done ?? 0) - itemCount;
      const known = resumed?.arrays as { ritz: Float64Array; vectors: Float32Array } | undefined;
      const { values, vectors } = await svd.solve({
        ...{ rounds: params.rounds, seed },
        start: known && done > 0 ? { done, ritz: known.ritz, vectors: () => known.vectors } : undefined,
        async onRound(round) {
          await giveWay();
          await step(itemCount + round.done, `round ${round.done} of ${params.rounds}: singular vectors`, round);
        },
      });
      return gfCfModel({ params, degrees: degrees.items, values, vectors, neighbours, prior: popularityPrior(given) });
    } finally {
      await svd.close();
    }
  },
};

const rootInverse = (degree: number): number => (degree > 0 ? 1 / Math.sqrt(degree) : 0);

function sumsOf(indptr: Uint32Array, values: Float32Array): Float64Array {
  return Float64Array.from({ length: indptr.length - 1 }, (_, row) => values.subarray(indptr[row], indptr[row + 1]).reduce((sum, value) => sum + value, 0));
}

type Made = {
  params: GfCfParams;
  degrees: Float64Array;
  values: Float64Array;
  /** [itemCount, factors] */
  vectors: Float32Array;
  /** Of the vectors and a row of 0. */
  codes?: ItemVectors['codes'];
  neighbours: Neighbours;
  prior: Float32Array;
};

function gfCfModel(made: Made): Model {
  const { params, degrees, values, vectors, codes, neighbours: found, prior } = made;
  const { maxHistory } = params;
  const itemCount = degrees.length;
  const factors = values.length;
  const neighbours = { ...found, similarities: found.similarities.map((similarity) => similarity * params.neighbourWeight) };
  const into = Float32Array.from({ length: itemCount + 1 }, (_, item) => rootInverse(degrees[item] ?? 0));
  const outOf = Float32Array.from({ length: itemCount + 1 }, (_, item) => Math.sqrt(degrees[item] ?? 0));
  const response = Float32Array.from(values, (value) => value ** params.response);
  const padded = (): Float32Array => {
    const all = new Float32Array((itemCount + 1) * factors);
    all.set(vectors);
    return all;
  };
  return {
    maxHistory,
    rounded() {
      const rounded = roundVectors({ vectors: padded(), width: factors });
      return gfCfModel({ ...made, vectors: rounded.vectors.subarray(0, itemCount * factors), codes: rounded.codes });
    },
    embeddings: () => ({
      ...{ dimensions: factors, measure: 'cosine' },
      vectors: vectors.map((number, place) => number * Math.sqrt(response[place % factors] as number)),
    }),
    recommend(request) {
      const history = [...recentHistory({ request, maxHistory, itemCount })];
      const query = new Float64Array(factors);
      for (const { item, weight } of history) {
        const scale = weight * (into[item] as number);
        for (let f = 0; f < factors; f += 1) query[f] = (query[f] as number) + scale * (vectors[item * factors + f] as number);
      }
      for (let f = 0; f < factors; f += 1) query[f] = (query[f] as number) * (response[f] as number);
      const scores = prior.slice();
      for (let item = 0; item < itemCount; item += 1) {
        let sum = 0;
        for (let f = 0; f < factors; f += 1) sum += (vectors[item * factors + f] as number) * (query[f] as number);
        scores[item] = sum * (outOf[item] as number) + (prior[item] as number);
      }
      if (neighbours.width > 0) addNeighbours(scores, neighbours, history);
      return rankScores({ scores, itemCount, request });
    },
    exportGraph({ retrieval } = {}) {
      const graph = new OnnxBuilder({ name: 'gf-cf' });
      const inputs = declareInputs(graph, itemCount);
      const column = (data: Float32Array, name: string) => graph.constant(data, [data.length], name);
      const table = itemTable(graph, { vectors: padded(), width: factors, codes, name: 'item_vectors' });
      const weights = graph.node('Mul', [inputs.historyWeight, graph.node('Gather', [column(into, 'item_scale_in'), inputs.history])]);
      const summed = graph.node('MatMul', [graph.node('Unsqueeze', [weights, graph.int64(0)]), table.rows(inputs.history)]);
      const query = graph.node('Mul', [graph.node('Reshape', [summed, graph.int64(-1)]), column(response, 'response')]);
      let near: Near | undefined;
      declareRetrieval(
        {
          ...{ graph, inputs, itemCount, table, query: graph.node('Unsqueeze', [query, graph.int64(1)]) },
          // Each item has a scale of its own, and neighbours may lift any.
          productsDecide: false,
          scoresOf(products, rows) {
            const scaled = graph.node('Mul', [products, rows.column('item_scale_out', outOf)]);
            const filtered = graph.node('Add', [scaled, rows.column('item_prior', prior)]);
            if (neighbours.width === 0) return filtered;
            near ??= nearNodes({ graph, inputs, neighbours });
            if (rows.all) return addNearNodes(graph, filtered, near);
            const nothing = graph.node('Expand', [graph.float32(0), graph.int64(itemCount + 1)]);
            return graph.node('Add', [filtered, rows.of(addNearNodes(graph, nothing, near))]);
          },
        },
        retrieval,
      );
      return graph.build();
    },
  };
}
