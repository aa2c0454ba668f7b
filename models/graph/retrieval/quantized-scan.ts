import type { Value } from '../onnx-builder.ts';
import { type Answer, allowedScoreFloor, allowedScores, bestOf, disallowedScore } from '../recommend-interface.ts';
import { byIndex, type ItemScoring, type RowsOf, scoresOfSome } from './item-scoring.ts';
import { type Bits, quantizeRows } from './quantize-rows.ts';

/** Of fewer that are to be answered, as many candidates are taken as of these: they cost next to nothing. */
const answersAtLeast = 100;

/**
 * Every item by few bits, then the best of them by float32. What may not be answered goes before candidates are chosen, so that the narrowest scope has
 * its full answer; where all items are candidates, it is the exact one.
 */
export function quantizedScan(items: ItemScoring, rows: RowsOf, { bits, rerank }: { bits: Bits; rerank: number }): Answer {
  const { graph, inputs, itemCount, query, scoresOf } = items;
  const { width } = items.table;
  const row = graph.node('Reshape', [query, graph.constant([1, width], [2])]);
  const { codes, scales, blockSize } = codesOf(items, bits);
  const products = graph.node('com.microsoft.MatMulNBits', [row, codes, scales], {
    K: { int: width },
    N: { int: itemCount + 1 },
    bits: { int: bits },
    block_size: { int: blockSize },
    // The query in 8 bits too: without it, it takes twenty times as long.
    accuracy_level: { int: 4 },
  });
  const about = allowedScores(graph, inputs, scoresOf(graph.node('Reshape', [products, graph.int64(-1)]), rows()), itemCount);
  const wanted = graph.node('Mul', [graph.node('Max', [inputs.count, graph.int64(answersAtLeast)]), graph.int64(rerank)]);
  const candidates = bestOf(graph, about, graph.node('Min', [wanted, graph.int64(itemCount)]));
  const { indexes, places } = byIndex(graph, candidates.items, graph.node('Shape', [candidates.items]));
  const disallowed = graph.node('Less', [graph.node('Gather', [candidates.scores, places]), graph.float32(allowedScoreFloor)]);
  const scores = graph.node('Where', [disallowed, graph.float32(disallowedScore), scoresOfSome(items, rows, indexes)]);
  const best = bestOf(graph, scores, inputs.count);
  return { items: graph.node('Gather', [indexes, best.items]), scores: best.scores };
}

/** The table's own, where it holds such; else they stand beside it. */
function codesOf({ graph, itemCount, table }: ItemScoring, bits: Bits): { codes: Value; scales: Value; blockSize: number } {
  const { codes: own, held } = table;
  if (own !== undefined && 'codes' in held && bits === 8) return { ...held, blockSize: own.blockSize };
  const { codes, scales, blocks, blockSize } = quantizeRows({ ...table, bits });
  return {
    codes: graph.constant(codes, [itemCount + 1, blocks, (blockSize * bits) / 8], 'item_codes'),
    scales: graph.constant(scales, [(itemCount + 1) * blocks], 'item_code_scales'),
    blockSize,
  };
}
