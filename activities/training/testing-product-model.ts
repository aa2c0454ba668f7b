import type { Model, ScoreRequest } from '../../models/algorithms/algorithm.ts';
import { rankScores } from '../../models/algorithms/rank.ts';
import { type ItemVectors, roundVectors } from '../../models/graph/retrieval/item-table.ts';
import { productGraph } from '../../models/graph/retrieval/product-graph.ts';

/** Trained in no time: the items with the largest products with the weighted sum of the history's vectors. */
export function productModel({ vectors, width, codes }: ItemVectors): Model {
  const itemCount = vectors.length / width - 1;
  const prior = new Float32Array(itemCount + 1);
  const queryOf = ({ history, historyWeight }: ScoreRequest) =>
    Float64Array.from({ length: width }, (_, f) =>
      history.reduce((sum, item, at) => sum + (historyWeight[at] as number) * (vectors[item * width + f] as number), 0),
    );
  return {
    maxHistory: 10,
    rounded: () => productModel(roundVectors({ vectors, width })),
    exportGraph: ({ retrieval } = {}) => productGraph({ vectors, width, codes, prior, retrieval }),
    products: () => ({ width, vectors, queryOf }),
    recommend(request) {
      const query = queryOf(request);
      const scores = Float32Array.from({ length: itemCount }, (_, item) =>
        query.reduce((sum, value, f) => sum + value * (vectors[item * width + f] as number), 0),
      );
      return rankScores({ scores, itemCount, request });
    },
  };
}
