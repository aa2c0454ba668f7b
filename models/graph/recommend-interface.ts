import type { OnnxBuilder, Value } from './onnx-builder.ts';

/** What an item that may not be answered scores; far below anything a model gives, and finite so that sums stay numbers. */
export const disallowedScore = -1e9;
/** Scores below this mean: not allowed (contracts/artifact.ts). */
export const allowedScoreFloor = -1e8;

export type RecommendInputs = { history: Value; historyWeight: Value; exclude: Value; scopeBias: Value; count: Value };

/** Declares the inputs of `understudy.recommend/1`. */
export function declareInputs(graph: OnnxBuilder, itemCount: number): RecommendInputs {
  return {
    history: graph.input({ name: 'history', type: 'int64', shape: ['h'] }),
    historyWeight: graph.input({ name: 'history_weight', type: 'float32', shape: ['h'] }),
    exclude: graph.input({ name: 'exclude', type: 'int64', shape: ['e'] }),
    scopeBias: graph.input({ name: 'scope_bias', type: 'float32', shape: [itemCount] }),
    count: graph.input({ name: 'count', type: 'int64', shape: [1] }),
  };
}

/** int64 [count] and float32 [count], best first. */
export type Answer = { items: Value; scores: Value };

/**
 * The part that every model shares: from scores to the answer.
 * @param scores float32 [itemCount + 1]; the last one belongs to the padding row, to which `exclude` may point, and is dropped.
 */
export function declareAnswer(graph: OnnxBuilder, inputs: RecommendInputs, scores: Value, itemCount: number): void {
  declareOutputs(graph, bestOf(graph, allowedScores(graph, inputs, scores, itemCount), inputs.count));
}

/** @returns float32 [itemCount], far below all others where an item is excluded or out of scope */
export function allowedScores(graph: OnnxBuilder, inputs: RecommendInputs, scores: Value, itemCount: number): Value {
  const exclusion = graph.node('Expand', [graph.float32(disallowedScore), graph.node('Shape', [inputs.exclude])]);
  const withoutExcluded = graph.node('ScatterElements', [scores, inputs.exclude, exclusion], { axis: { int: 0 } });
  const withoutPadding = graph.node('Slice', [withoutExcluded, graph.int64(0), graph.int64(itemCount), graph.int64(0)]);
  return graph.node('Add', [withoutPadding, inputs.scopeBias]);
}

/** The largest of some scores, and where they stand. */
export function bestOf(graph: OnnxBuilder, scores: Value, count: Value): Answer {
  // ONNX Runtime's TopK puts the lower index first where scores are equal.
  const [best, items] = graph.nodes('TopK', [scores, count], 2, { axis: { int: 0 }, largest: { int: 1 }, sorted: { int: 1 } });
  return { items: items as Value, scores: best as Value };
}

export function declareOutputs(graph: OnnxBuilder, { items, scores }: Answer): void {
  graph.output({ name: 'items', type: 'int64', shape: ['count'], value: items });
  graph.output({ name: 'scores', type: 'float32', shape: ['count'], value: scores });
}
