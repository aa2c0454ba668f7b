import { OnnxBuilder, type Value } from '../../graph/onnx-builder.ts';
import { allowedScoreFloor, bestOf, declareInputs, declareOutputs } from '../../graph/recommend-interface.ts';
import { answerOf } from '../../graph/retrieval/declare-retrieval.ts';
import { byIndex, rowsOf } from '../../graph/retrieval/item-scoring.ts';
import type { Model, Ranked, ScoreRequest } from '../algorithm.ts';
import { CandidateFinder, pairFacts } from './find-candidates.ts';
import { type Ranker, wordNodes, wordOf } from './fold-ranker.ts';
import { gateOf, lift, liftOf } from './lift.ts';
import { pairFeatures, pairNode, pairWidth } from './pair-features.ts';

/** A first stage's candidates in the ranker's order (lift.ts); what lies behind them follows as the first stage has it. */
export function ncfModel({ finder, ranker }: { finder: CandidateFinder; ranker: Ranker }): Model {
  const { first, itemCount } = finder;
  return {
    maxHistory: first.maxHistory,
    recommend: (request) => recommend({ finder, ranker }, request),
    rounded() {
      const { candidates } = finder;
      return ncfModel({ finder: new CandidateFinder({ first: first.rounded?.() ?? first, itemCount, candidates }), ranker });
    },
    exportGraph: ({ retrieval } = {}) => {
      const graph = new OnnxBuilder({ name: 'ncf' });
      const inputs = declareInputs(graph, itemCount);
      const items = first.declareItems?.(graph, inputs);
      if (items === undefined) throw new Error('A first stage declares its items');
      const { candidates } = finder;
      const [zero, end] = [graph.int64(0), graph.constant([candidates], [1])];
      // One more than are candidates, whose score is the boundary.
      const count = graph.node('Max', [inputs.count, graph.int64(Math.min(candidates + 1, itemCount))]);
      const found = answerOf({ ...items, inputs: { ...inputs, count } }, rowsOf(graph), retrieval);
      const upTo = (values: Value): Value => graph.node('Slice', [values, zero, end, zero]);
      const behind = (values: Value): Value => graph.node('Slice', [values, end, graph.constant([2 ** 31 - 1], [1]), zero]);
      const chosen = { items: upTo(found.items), scores: upTo(found.scores) };
      const top = graph.node('Slice', [found.scores, zero, graph.int64(1), zero]);
      const pairs = pairNode(graph, { scores: chosen.scores, top, spread: ranker.spread, facts: finder.factNodes(items, chosen.items) });
      const words = wordNodes(graph, ranker, { items: chosen.items, pairs });
      // Where all that may be answered are candidates, there is none behind them: or one that may not be answered, which lies as far below.
      const boundary = candidates < itemCount ? graph.node('Slice', [found.scores, end, graph.int64(candidates + 1), zero]) : undefined;
      const lifted = liftedNode(graph, { scores: chosen.scores, words, boundary, spread: ranker.spread });
      const all = {
        items: graph.node('Concat', [chosen.items, behind(found.items)], { axis: { int: 0 } }),
        scores: graph.node('Concat', [lifted, behind(found.scores)], { axis: { int: 0 } }),
      };
      const { indexes, places } = byIndex(graph, all.items, graph.node('Shape', [all.items]));
      const best = bestOf(graph, graph.node('Gather', [all.scores, places]), inputs.count);
      declareOutputs(graph, { items: graph.node('Gather', [indexes, best.items]), scores: best.scores });
      return graph.build();
    },
  };
}

function recommend({ finder, ranker }: { finder: CandidateFinder; ranker: Ranker }, request: ScoreRequest): Ranked {
  const { items, scores, candidates, boundary, facts } = finder.find(request, request.count);
  const { spread } = ranker;
  const pair = new Float64Array(pairWidth);
  const top = scores[0] ?? 0;
  const final = scores.map((score, place) => {
    if (place >= candidates) return score;
    pairFeatures({ score, top, spread, facts, factsAt: place * pairFacts }, pair, 0);
    const word = wordOf(ranker, items[place] as number, pair);
    return Math.fround(score + (spread / lift.sureness) * gateOf(score - boundary, spread) * liftOf(word).value);
  });
  const order = items.map((_, place) => place);
  order.sort((a, b) => (final[b] as number) - (final[a] as number) || (items[a] as number) - (items[b] as number));
  const best = order.slice(0, request.count);
  return { items: best.map((place) => items[place] as number), scores: best.map((place) => final[place] as number) };
}

type Lifting = { scores: Value; words: Value; boundary: Value | undefined; spread: number };

/** `lift.ts` as nodes; what may not be answered stays where it is. */
function liftedNode(graph: OnnxBuilder, { scores, words, boundary, spread }: Lifting): Value {
  const mul = (a: Value, b: number): Value => graph.node('Mul', [a, graph.float32(b)]);
  const share = graph.node('Sigmoid', [mul(words, 4 / lift.reach)]);
  const lifting = mul(share, (spread / lift.sureness) * lift.reach);
  const gated = (from: Value): Value => {
    const margin = mul(graph.node('Sub', [scores, from]), 1 / (lift.zone * spread));
    return graph.node('Mul', [lifting, graph.node('Min', [margin, graph.float32(1)])]);
  };
  const final = graph.node('Add', [scores, boundary === undefined ? lifting : gated(boundary)]);
  return graph.node('Where', [graph.node('Less', [scores, graph.float32(allowedScoreFloor)]), scores, final]);
}
