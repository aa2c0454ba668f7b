import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareInputs } from '../../graph/recommend-interface.ts';
import { declareRetrieval } from '../../graph/retrieval/declare-retrieval.ts';
import { type ItemVectors, itemTable, roundVectors } from '../../graph/retrieval/item-table.ts';
import type { Model, ScoreRequest } from '../algorithm.ts';
import { rankScores, recentHistory } from '../rank.ts';
import { type FoldInItems, foldIn, foldInGraph } from './fold-in.ts';
import { keepItems } from './warm-items.ts';

/**
 * Recommends by fold-in: the history becomes a user's vector (fold-in.ts), score = item . user + popularity prior.
 * @param learned float32 [itemCount, width] the items as training left them
 * @param prior float32 [itemCount + 1]
 */
export function ialsModel({
  items,
  learned,
  prior,
  maxHistory,
  codes,
}: {
  items: FoldInItems;
  learned: Float32Array;
  prior: Float32Array;
  maxHistory: number;
  codes?: ItemVectors['codes'];
}): Model {
  const { factors, itemCount, width } = items;
  const queryOf = (request: ScoreRequest) => foldIn({ items, history: recentHistory({ request, maxHistory, itemCount }) });
  let padded: Float32Array | undefined;
  const paddedOf = (): Float32Array => (padded ??= withPaddingRow(factors, width));
  const declareItems: NonNullable<Model['declareItems']> = (graph, inputs) => {
    const table = itemTable(graph, { vectors: paddedOf(), width, codes, name: 'item_factors' });
    return {
      ...{ graph, inputs, itemCount, table, productsDecide: true },
      query: foldInGraph({ graph, inputs, rows: table.rows(inputs.history), items }),
      scoresOf: (products, rows) => graph.node('Add', [products, rows.column('item_prior', prior)]),
    };
  };
  return {
    maxHistory,
    keep: () => keepItems({ items: learned, width }),
    // As they are folded in, their product is the model's own similarity: what one event of the one adds to the score of the other, whoever it is of
    // (Hu, Koren, Volinsky 2008, section 5, without the user's weights). Its size says how sure the model is, so it is not divided out.
    embeddings: () => ({ dimensions: width, measure: 'dot', vectors: factors }),
    declareItems,
    rounded() {
      const { vectors, codes } = roundVectors({ vectors: paddedOf(), width });
      return ialsModel({ items: { ...items, factors: vectors.subarray(0, itemCount * width) }, learned, prior, maxHistory, codes });
    },
    products: () => ({ width, vectors: paddedOf(), queryOf }),
    recommend(request) {
      const user = queryOf(request);
      const scores = new Float32Array(itemCount);
      for (let item = 0; item < itemCount; item += 1) {
        let sum = 0;
        for (let f = 0; f < width; f += 1) sum += (factors[item * width + f] as number) * (user[f] as number);
        scores[item] = Math.fround(sum) + (prior[item] as number);
      }
      return rankScores({ scores, itemCount, request });
    },
    exportGraph({ retrieval } = {}) {
      const graph = new OnnxBuilder({ name: 'ials' });
      declareRetrieval(declareItems(graph, declareInputs(graph, itemCount)), retrieval);
      return graph.build();
    },
  };
}

function withPaddingRow(factors: Float32Array, width: number): Float32Array {
  const padded = new Float32Array(factors.length + width);
  padded.set(factors);
  return padded;
}
