import type { RetrievalWay } from '../../contracts/artifact.ts';
import { UnderstudyError } from '../../contracts/problem.ts';
import { type Answer, declareOutputs } from '../recommend-interface.ts';
import { bestOfEverything, rerankOfCodes } from './best-of-everything.ts';
import { invertedLists } from './inverted-lists.ts';
import { type ItemScoring, type RowsOf, rowsOf } from './item-scoring.ts';
import { quantizedScan } from './quantized-scan.ts';

export const exactWay: RetrievalWay = { way: 'exact' };
/** The plainest over items that the graph holds as codes. */
export const codesWay: RetrievalWay = { way: 'exact-8bit', rerank: rerankOfCodes };

/**
 * From a model's query and items to the graph's answer, the way it is told. Every way answers with scores in float32 that are the model's own; they differ in
 * which items they look at. `exact` and, as far as their candidates hold the best, `exact-8bit` and `exact-4bit` answer what the model does, in any scope.
 *
 * Whether a host's ONNX Runtime can do what a way asks of it is found out when it loads the graph: an operator that is not there fails the loading, and
 * one that reckons wrongly fails the parity record that every replica checks before it serves (serving/models/model-worker.ts, parity.ts).
 * @param way absent: the plainest, over every item
 * @throws UND-INPUT where the way is none for the model
 */
export function declareRetrieval(items: ItemScoring, way?: RetrievalWay): void {
  declareOutputs(items.graph, answerOf(items, rowsOf(items.graph), way));
}

/** The same without naming it as the graph's answer. */
export function answerOf(items: ItemScoring, rows: RowsOf, way = items.table.codes === undefined ? exactWay : codesWay): Answer {
  switch (way.way) {
    case 'exact':
      if (items.table.codes !== undefined) throw new UnderstudyError('UND-INPUT', 'Of items that are kept in 8 bits, a graph has no float32 to look at');
      return bestOfEverything(items, rows);
    case 'exact-8bit':
      return quantizedScan(items, rows, { bits: 8, rerank: way.rerank });
    case 'exact-4bit':
      return quantizedScan(items, rows, { bits: 4, rerank: way.rerank });
    case 'inverted-lists':
      return invertedLists(items, rows, way);
  }
}
