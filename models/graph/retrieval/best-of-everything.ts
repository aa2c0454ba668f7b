import { type Answer, allowedScores, bestOf } from '../recommend-interface.ts';
import { type ItemScoring, type RowsOf, scoresOfAll } from './item-scoring.ts';
import { quantizedScan } from './quantized-scan.ts';

/** Each of as many candidates is scored again as are nearly never too few. */
export const rerankOfCodes = 2;

/** Looks at every item the plainest way there is: in float32, or where the graph holds codes, by these and then the best of them in float32. */
export function bestOfEverything(items: ItemScoring, rows: RowsOf): Answer {
  const { graph, inputs, itemCount, table } = items;
  if (!('whole' in table.held)) return quantizedScan(items, rows, { bits: 8, rerank: rerankOfCodes });
  return bestOf(graph, allowedScores(graph, inputs, scoresOfAll(items, rows, table.held.whole), itemCount), inputs.count);
}
