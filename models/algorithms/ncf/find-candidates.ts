import { elementCodes, type OnnxBuilder, type Value } from '../../graph/onnx-builder.ts';
import type { RecommendInputs } from '../../graph/recommend-interface.ts';
import type { ItemScoring } from '../../graph/retrieval/item-scoring.ts';
import type { Model, Products, Ranked, ScoreRequest } from '../algorithm.ts';
import { recentHistory } from '../rank.ts';

/** How much each entry of a history counts of the one after it, in the means that candidates are compared with: the last alone, the latest, all alike. */
export const decays = [0, 0.7, 1] as const;
/** Numbers of a candidate beside its score: whether the history has it, how long that is, and what it has in common with its means. */
export const pairFacts = 2 + decays.length;
/** Keeps 0 / 0 out where nothing of a history weighs anything. */
const smallest = 1e-30;

export type Found = {
  /** Of the first stage, best first: the candidates, and as many behind them as were asked for. */
  items: number[];
  scores: number[];
  /** How many are candidates. */
  candidates: number;
  /** The score of the best that is none; -Infinity where all that may be answered are candidates. */
  boundary: number;
  /** [candidates, pairFacts] */
  facts: Float64Array;
};

/** What a first stage finds for a request, and how its candidates stand to the history: nothing of it depends on the basis of the first stage's vectors. */
export class CandidateFinder {
  readonly candidates: number;
  readonly itemCount: number;
  readonly first: Model;
  readonly products: Products;
  /** [itemCount + 1] 1 / length of an item's vector; 0 where it has none, and of padding */
  readonly #inverses: Float32Array;
  /** [decays][maxHistory] what an entry counts by its place from the end of the longest history, the last 1 */
  readonly #powers: Float32Array[];

  constructor({ first, itemCount, candidates }: { first: Model; itemCount: number; candidates: number }) {
    this.first = first;
    this.itemCount = itemCount;
    this.candidates = Math.min(candidates, itemCount);
    const products = first.products?.();
    if (products === undefined) throw new Error('A first stage scores by products of vectors');
    this.products = products;
    const { width, vectors } = products;
    this.#inverses = new Float32Array(itemCount + 1);
    for (let item = 0; item < itemCount; item += 1) {
      let squares = 0;
      for (let f = item * width; f < (item + 1) * width; f += 1) squares += (vectors[f] as number) ** 2;
      this.#inverses[item] = squares > smallest ? 1 / Math.sqrt(squares) : 0;
    }
    this.#powers = decays.map((decay) => Float32Array.from({ length: first.maxHistory }, (_, place) => decay ** (first.maxHistory - 1 - place)));
  }

  /** @param count of items that are asked for, candidates or not */
  find(request: ScoreRequest, count: number): Found {
    return this.describe(request, this.first.recommend({ ...request, count: Math.max(count, this.candidates + 1) }));
  }

  /** @param ranked the first stage's answer, of one more than are candidates at least */
  describe(request: ScoreRequest, ranked: Ranked): Found {
    const candidates = Math.min(this.candidates, ranked.items.length);
    const { width, vectors } = this.products;
    const history = recentHistory({ request, maxHistory: this.first.maxHistory, itemCount: this.itemCount });
    const seen = new Set(history.map(({ item }) => item));
    const means = this.#powers.map((powers) => this.#meanOf(history, powers));
    const facts = new Float64Array(candidates * pairFacts);
    for (let place = 0; place < candidates; place += 1) {
      const item = ranked.items[place] as number;
      facts[place * pairFacts] = seen.has(item) ? 1 : 0;
      facts[place * pairFacts + 1] = Math.log1p(history.length);
      for (const [index, mean] of means.entries()) {
        let product = 0;
        for (let f = 0; f < width; f += 1) product += (vectors[item * width + f] as number) * (mean[f] as number);
        facts[place * pairFacts + 2 + index] = product * (this.#inverses[item] as number);
      }
    }
    return { ...ranked, candidates, boundary: ranked.scores[this.candidates] ?? Number.NEGATIVE_INFINITY, facts };
  }

  #meanOf(history: readonly { item: number; weight: number }[], powers: Float32Array): Float64Array {
    const { width, vectors } = this.products;
    const sums = new Float64Array(width);
    let total = 0;
    for (const [place, { item, weight }] of history.entries()) {
      const counts = weight * (powers[powers.length - history.length + place] as number);
      total += counts;
      if (counts === 0) continue;
      const scale = counts * (this.#inverses[item] as number);
      for (let f = 0; f < width; f += 1) sums[f] = (sums[f] as number) + scale * (vectors[item * width + f] as number);
    }
    return sums.map((value) => value / Math.max(total, smallest));
  }

  /**
   * The facts of candidates as nodes.
   * @param items int64 [candidates]
   * @returns the columns, float32 [candidates, 1] each
   */
  factNodes({ graph, inputs, table, itemCount }: ItemScoring, items: Value): Value[] {
    const { maxHistory } = this.first;
    const one = graph.int64(1);
    const column = (values: Value): Value => graph.node('Unsqueeze', [values, one]);
    const isItem = graph.node('Less', [inputs.history, graph.int64(itemCount)]);
    const length = graph.node('ReduceSum', [graph.node('Cast', [isItem], { to: { int: elementCodes.float32 } })], { keepdims: { int: 1 } });
    const nobody = graph.node('Expand', [graph.float32(0), graph.int64(itemCount + 1)]);
    const ones = graph.node('Expand', [graph.float32(1), graph.node('Shape', [inputs.history])]);
    const seen = graph.node('Gather', [graph.node('ScatterElements', [nobody, inputs.history, ones]), items]);
    const logLength = graph.node('Expand', [graph.node('Log', [graph.node('Add', [length, graph.float32(1)])]), graph.node('Shape', [items])]);

    const { entries, weights } = recentEntries(graph, inputs, { isItem, itemCount });
    const inverses = graph.constant(this.#inverses, [itemCount + 1], 'item_inverse_lengths');
    const numbers = Float32Array.from(this.#powers.flatMap((powers) => [0, ...powers]));
    const powers = graph.constant(numbers, [decays.length, maxHistory + 1], 'ranker_decays');
    const from = graph.node('Sub', [graph.int64(maxHistory + 1), graph.node('Shape', [entries])]);
    const counts = graph.node('Mul', [graph.node('Slice', [powers, from, graph.int64(maxHistory + 1), one]), weights]);
    const totals = graph.node('ReduceSum', [counts, one], { keepdims: { int: 1 } });
    const scaled = graph.node('Mul', [counts, graph.node('Gather', [inverses, entries])]);
    const sums = graph.node('MatMul', [scaled, table.rows(entries)]);
    const means = graph.node('Div', [sums, graph.node('Max', [totals, graph.float32(smallest)])]);
    const products = graph.node('MatMul', [table.rows(items), graph.node('Transpose', [means], { perm: { ints: [1, 0] } })]);
    const alike = graph.node('Mul', [products, column(graph.node('Gather', [inverses, items]))]);
    const each = graph.nodes(
      'Split',
      [
        alike,
        graph.constant(
          decays.map(() => 1),
          [decays.length],
        ),
      ],
      decays.length,
      { axis: { int: 1 } },
    );
    return [column(seen), column(logLength), ...each];
  }
}

/** Without padding; one entry of it, which weighs nothing, stands before them, so that there is always one. */
function recentEntries(graph: OnnxBuilder, inputs: RecommendInputs, { isItem, itemCount }: { isItem: Value; itemCount: number }) {
  const kept = (values: Value): Value => graph.node('Compress', [values, isItem], { axis: { int: 0 } });
  const concat = (before: Value, values: Value): Value => graph.node('Concat', [before, values], { axis: { int: 0 } });
  return {
    entries: concat(graph.int64(itemCount), kept(inputs.history)),
    weights: concat(graph.constant(Float32Array.of(0), [1]), kept(inputs.historyWeight)),
  };
}
