import type { RetrievalWay } from '../../contracts/artifact.ts';
import { type GraphBytes, OnnxBuilder } from '../onnx-builder.ts';
import { declareInputs } from '../recommend-interface.ts';
import { declareRetrieval } from './declare-retrieval.ts';
import { type ItemVectors, itemTable } from './item-table.ts';

/**
 * Retrieval and nothing else: answers the items with the largest products with the weighted sum of the history's vectors, score = v . sum w_h v_h + prior.
 * For tests and measurements, where a model would only be in the way.
 * @param vectors float32 [itemCount + 1, width], the last row 0
 * @param prior float32 [itemCount + 1]
 */
export function productGraph({ prior, retrieval, ...vectors }: ItemVectors & { prior: Float32Array; retrieval?: RetrievalWay | undefined }): GraphBytes {
  const itemCount = prior.length - 1;
  const graph = new OnnxBuilder({ name: 'product' });
  const inputs = declareInputs(graph, itemCount);
  const table = itemTable(graph, { ...vectors, name: 'item_vectors' });
  const columns = graph.node('Transpose', [table.rows(inputs.history)], { perm: { ints: [1, 0] } });
  const query = graph.node('MatMul', [columns, graph.node('Unsqueeze', [inputs.historyWeight, graph.int64(1)])]);
  declareRetrieval(
    {
      ...{ graph, inputs, itemCount, table, query, productsDecide: true },
      scoresOf: (products, rows) => graph.node('Add', [products, rows.column('item_prior', prior)]),
    },
    retrieval,
  );
  return graph.build();
}
