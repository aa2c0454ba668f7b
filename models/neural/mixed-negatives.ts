import type { Sequences } from './attention.ts';
import type { Flow, Network } from './network.ts';
import { at } from './workspace.ts';

const bytesPerFloat = 4;
const rowsAtOnce = 128;
const nothing = -1e30;
const roundUp = (count: number): number => Math.ceil(count / 8) * 8;

/** The vectors of a step's items, each once: all targets of the batch and all that was drawn beside them. */
export type Candidates = {
  count: number;
  width: number;
  /** [count, width] */
  value: Float32Array;
  grad: Float32Array;
  /** [count] whose vectors they are */
  items: Int32Array;
};

/** A batch, its items by their places among the candidates. */
export type Drawn = {
  rows: number;
  /** [rows] */
  targets: Int32Array;
  weights: Float32Array;
  sequences: Sequences;
  /** [candidates] how often it was drawn beside the batch */
  drawnBeside: Uint32Array;
};

/** How likely an item is to come into a step. */
export type Chances = {
  /** [items] share of the batch's targets that it is expected to be */
  asTarget: Float64Array;
  /** How often any item is expected among those drawn beside the batch. */
  beside: number;
};

type Options = { from: Flow; candidates: Candidates; mostCandidates: number; chances: Chances };

/**
 * Cross entropy of the target, -log softmax(V u) [target], weighted, divided by the sum of the weights, over a sample of the catalog: the targets of the other
 * sequences of the batch, and items drawn uniformly (mixed negative sampling, Yang et al., "Mixed negative sampling for learning two-tower neural networks in
 * recommendations", 2020). A negative that came n times and was expected q times stands for n / q: to its score log(n / q) is added, so that being popular,
 * and therefore often in the batch, makes no item a worse answer (Yi et al., "Sampling-bias-corrected neural modeling for large corpus item
 * recommendations", 2019, section 3, with q counted and not estimated, as all entries are there). The target is there for certain, and stands for itself
 * alone: that makes the sum an unbiased estimate of the one over the catalog. What follows in a row's own sequence is no negative of it, nor is its target.
 */
export function mixedNegatives(network: Network, { from, candidates, mostCandidates, chances }: Options): { run(drawn: Drawn): number } {
  const { workspace } = network;
  const { width } = candidates;
  const mostColumns = roundUp(mostCandidates);
  const turned = workspace.floats(mostColumns * width);
  const scores = workspace.floats(rowsAtOnce * mostColumns);
  const largest = workspace.floats(rowsAtOnce);
  const sums = workspace.floats(rowsAtOnce);
  const own = new Float32Array(rowsAtOnce);
  const stands = new StandsFor({ candidates, mostCandidates, chances });
  const row = width * bytesPerFloat;
  let columns = 0;

  const turn = (): void => {
    const { count, value } = candidates;
    columns = roundUp(count);
    for (let f = 0; f < width; f += 1) {
      for (let place = 0; place < count; place += 1) turned[f * columns + place] = value[place * width + f] as number;
      turned.fill(0, f * columns + count, (f + 1) * columns);
    }
  };
  /** exp(score - largest) of some rows, in `scores`. */
  const exponentials = (targets: Int32Array, first: number, rows: number): void => {
    const { matmul, rowMax, rowExp } = workspace.kernels;
    const scoreRow = columns * bytesPerFloat;
    matmul(at(from.value, first * width), row, bytesPerFloat, at(turned), scoreRow, at(scores), scoreRow, rows, columns, width, 1);
    for (let r = 0; r < rows; r += 1) {
      own[r] = scores[r * columns + (targets[first + r] as number)] as number;
      scores.fill(nothing, r * columns + candidates.count, (r + 1) * columns);
    }
    largest.fill(nothing, 0, rows);
    sums.fill(0, 0, rows);
    rowMax(at(scores), scoreRow, rows, columns, at(largest));
    rowExp(at(scores), scoreRow, rows, columns, at(largest), at(sums));
  };
  /** The loss of a row; its exponentials become the derivatives with respect to its scores. */
  const differentiate = (r: number, target: number, weight: number): number => {
    const { count } = candidates;
    const begin = r * columns;
    const exponential = scores[begin + target] as number;
    let all = exponential;
    for (let place = 0; place < count; place += 1) {
      const share = (scores[begin + place] as number) * (stands.others[place] as number);
      scores[begin + place] = share;
      if (place !== target) all += share;
    }
    scores[begin + target] = exponential;
    const scale = weight / all;
    for (let cell = begin; cell < begin + count; cell += 1) scores[cell] = (scores[cell] as number) * scale;
    scores[begin + target] = (scores[begin + target] as number) - weight;
    return weight * (Math.log(all) + (largest[r] as number) - (own[r] as number));
  };
  return {
    run(drawn) {
      const { rows, targets, weights } = drawn;
      const { matmul } = workspace.kernels;
      turn();
      stands.begin(drawn);
      let total = 0;
      for (let r = 0; r < rows; r += 1) total += weights[r] as number;
      let loss = 0;
      for (let first = 0; first < rows; first += rowsAtOnce) {
        const some = Math.min(rowsAtOnce, rows - first);
        exponentials(targets, first, some);
        for (let r = 0; r < some; r += 1) {
          stands.enter(drawn, first + r);
          loss += differentiate(r, targets[first + r] as number, (weights[first + r] as number) / total);
        }
        const [scoreRow, begin] = [columns * bytesPerFloat, at(from.value, first * width)];
        matmul(at(scores), scoreRow, bytesPerFloat, at(candidates.value), row, at(from.grad, first * width), row, some, width, candidates.count, 0);
        matmul(at(scores), bytesPerFloat, scoreRow, begin, row, at(candidates.grad), row, candidates.count, width, some, 0);
      }
      return loss;
    },
  };
}

/** For how many items of the catalog each candidate stands, from where a row looks. */
class StandsFor {
  /** [candidates] for rows of the sequence at hand */
  readonly others: Float64Array;
  readonly #candidates: Candidates;
  readonly #chances: Chances;
  /** [candidates] how often it is a target of another sequence than the one at hand */
  readonly #asTarget: Float64Array;
  #sequence = -1;

  constructor({ candidates, mostCandidates, chances }: Pick<Options, 'candidates' | 'mostCandidates' | 'chances'>) {
    this.others = new Float64Array(mostCandidates);
    this.#candidates = candidates;
    this.#chances = chances;
    this.#asTarget = new Float64Array(mostCandidates);
  }

  begin({ rows, targets }: Drawn): void {
    this.#sequence = -1;
    this.#asTarget.fill(0, 0, this.#candidates.count);
    this.#count(targets, 0, rows, 1);
  }

  /** Rows are entered in order. */
  enter(drawn: Drawn, row: number): void {
    const { starts } = drawn.sequences;
    if (row < (starts[this.#sequence + 1] as number) && this.#sequence >= 0) return;
    if (this.#sequence >= 0) this.#count(drawn.targets, starts[this.#sequence] as number, starts[this.#sequence + 1] as number, 1);
    this.#sequence += 1;
    const [from, to] = [starts[this.#sequence] as number, starts[this.#sequence + 1] as number];
    this.#count(drawn.targets, from, to, -1);
    const { count, items } = this.#candidates;
    const { asTarget, beside } = this.#chances;
    for (let place = 0; place < count; place += 1) {
      const expected = (drawn.rows - (to - from)) * (asTarget[items[place] as number] as number) + beside;
      this.others[place] = ((this.#asTarget[place] as number) + (drawn.drawnBeside[place] as number)) / expected;
    }
  }

  #count(targets: Int32Array, from: number, to: number, by: number): void {
    for (let r = from; r < to; r += 1) this.#asTarget[targets[r] as number] = (this.#asTarget[targets[r] as number] as number) + by;
  }
}
