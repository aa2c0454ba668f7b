import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import { pairFacts } from './find-candidates.ts';

/** Numbers of a candidate that the ranker reads; a multiple of 8. */
export const pairWidth = 3 + pairFacts;
/** Scores are read within these bounds, in spreads, so that no request leaves the numbers that there are. */
const furthest = 10;
/** A tenth of the spread is where the logarithm of a score begins to flatten. */
const flatness = 0.1;
/** A history of 50 events is about 1. */
const lengthScale = 4;

const within = (value: number): number => Math.max(-furthest, Math.min(furthest, value));

/**
 * What the ranker reads of one candidate: the first stage's score, how far it lies below the best, its logarithm, and the facts.
 * @param top score of the best candidate
 * @param spread the unit of scores
 * @param facts [pairFacts] at `factsAt`
 */
export function pairFeatures(
  input: { score: number; top: number; spread: number; facts: ArrayLike<number>; factsAt: number },
  into: Float32Array | Float64Array,
  at: number,
): void {
  const { score, top, spread, facts, factsAt } = input;
  const scaled = within(score / spread);
  into[at] = scaled;
  into[at + 1] = within((top - score) / spread);
  into[at + 2] = Math.log1p(Math.max(0, scaled) / flatness);
  for (let fact = 0; fact < pairFacts; fact += 1) into[at + 3 + fact] = (facts[factsAt + fact] as number) / (fact === 1 ? lengthScale : 1);
}

/** The same as nodes. @param scores float32 [candidates] @param facts [candidates, 1] each @returns [candidates, pairWidth] */
export function pairNode(graph: OnnxBuilder, { scores, top, spread, facts }: { scores: Value; top: Value; spread: number; facts: readonly Value[] }): Value {
  const bounded = (values: Value): Value => {
    const scaled = graph.node('Mul', [values, graph.float32(1 / spread)]);
    return graph.node('Clip', [scaled, graph.float32(-furthest), graph.float32(furthest)]);
  };
  const column = (values: Value): Value => graph.node('Unsqueeze', [values, graph.int64(1)]);
  const scaled = bounded(scores);
  const raised = graph.node('Add', [graph.node('Mul', [graph.node('Relu', [scaled]), graph.float32(1 / flatness)]), graph.float32(1)]);
  const scaledFacts = facts.map((fact, index) => (index === 1 ? graph.node('Mul', [fact, graph.float32(1 / lengthScale)]) : fact));
  const columns = [column(scaled), column(bounded(graph.node('Sub', [top, scores]))), column(graph.node('Log', [raised])), ...scaledFacts];
  return graph.node('Concat', columns, { axis: { int: 1 } });
}
