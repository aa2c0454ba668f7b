import type { CandidateLists } from './candidate-lists.ts';
import { gateOf, lift, liftOf } from './lift.ts';
import type { PairBatch, RankerNetwork } from './ranker-network.ts';

/** What a candidate's final score is worth as a logarithm: sureness . final / spread (lift.ts). @param word the ranker's */
export function logitOf(lists: CandidateLists, place: number, spread: number, word: number): number {
  return (lift.sureness * (lists.scores[place] as number)) / spread + gateOf(lists.margins[place] as number, spread) * liftOf(word).value;
}

type Options = {
  lists: CandidateLists;
  spread: number;
  /** [pairs] of the batch */
  standsFor: Float32Array;
  mostPairs: number;
};

/** What a heavier ranker says of the same pairs, and how its odds are flattened. */
export type Taught = { words: Float32Array; temperature: number /** How much its word counts beside what came next, where that is known. */; share: number };

/** A ranker that says so much is far beyond where its word still has a slope, and does not come back. */
const largestWord = 1e4;

const wordAt = 8;

/**
 * Cross entropy over a list's candidates with the probabilities softmax(logits) ("ListNet", Cao, Qin, Liu, Tsai, Li, "Learning to rank: from pairwise approach
 * to listwise approach", 2007, top one): of what came next, and of what a teacher makes of it, both flattened by a temperature, times its square (Hinton,
 * Vinyals, Dean, "Distilling the knowledge in a neural network", 2015, section 2; over the candidates of a ranking as Tang and Wang, "Ranking distillation",
 * 2018). A candidate that stands for n has log n added to its logit.
 */
export class ListLoss {
  readonly #options: Options;
  readonly #own: Float64Array;
  readonly #shares: Float64Array;
  readonly #taught: Float64Array;

  constructor(options: Options) {
    this.#options = options;
    this.#own = new Float64Array(options.mostPairs);
    this.#shares = new Float64Array(options.mostPairs);
    this.#taught = new Float64Array(options.mostPairs);
  }

  /** @returns the mean over the lists, Infinity where the ranker is lost; the gradients go to the network's `out` */
  run(network: RankerNetwork, batch: PairBatch, taught?: Taught): number {
    const { lists, spread, standsFor } = this.#options;
    const { value, grad } = network.out;
    let loss = 0;
    for (let row = 0; row < batch.lists; row += 1) {
      const [from, to] = [batch.starts[row] as number, batch.starts[row + 1] as number];
      let known = 0;
      for (let pair = from; pair < to; pair += 1) {
        const place = batch.places[pair] as number;
        this.#own[pair] = logitOf(lists, place, spread, value[pair * wordAt] as number) + (standsFor[pair] as number);
        known += lists.shares[place] as number;
        if (taught !== undefined) this.#taught[pair] = logitOf(lists, place, spread, taught.words[pair] as number) + (standsFor[pair] as number);
      }
      const ofTeacher = taught === undefined ? 0 : known > 0 ? taught.share : 1;
      const scale = 1 / batch.lists;
      if (known > 0)
        loss += this.#learn(
          { from, to, weight: scale * (1 - ofTeacher), temperature: 1 },
          grad,
          (pair) => lists.shares[batch.places[pair] as number] as number,
        );
      if (taught === undefined) continue;
      const { temperature } = taught;
      const total = sharesInto(this.#taught, from, to, temperature, this.#taught);
      loss += this.#learn({ from, to, weight: scale * ofTeacher * temperature ** 2, temperature }, grad, (pair) => (this.#taught[pair] as number) / total);
    }
    // From gradients of logits to those of the ranker's words.
    for (let pair = 0; pair < (batch.starts[batch.lists] as number); pair += 1) {
      const place = batch.places[pair] as number;
      if (!(Math.abs(value[pair * wordAt] as number) <= largestWord)) return Number.POSITIVE_INFINITY;
      const slope = gateOf(lists.margins[place] as number, spread) * liftOf(value[pair * wordAt] as number).slope;
      grad[pair * wordAt] = (grad[pair * wordAt] as number) * slope;
    }
    return loss;
  }

  #learn(
    { from, to, weight, temperature }: { from: number; to: number; weight: number; temperature: number },
    grad: Float32Array,
    target: (pair: number) => number,
  ): number {
    const total = sharesInto(this.#own, from, to, temperature, this.#shares);
    let loss = 0;
    for (let pair = from; pair < to; pair += 1) {
      const [share, wanted] = [(this.#shares[pair] as number) / total, target(pair)];
      if (wanted > 0) loss -= wanted * Math.log(Math.max(share, Number.MIN_VALUE));
      grad[pair * wordAt] = (grad[pair * wordAt] as number) + (weight / temperature) * (share - wanted);
    }
    return weight * loss;
  }
}

/** exp(logit / temperature), up to one factor. @returns their sum */
function sharesInto(logits: Float64Array, from: number, to: number, temperature: number, into: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let pair = from; pair < to; pair += 1) largest = Math.max(largest, logits[pair] as number);
  let total = 0;
  for (let pair = from; pair < to; pair += 1) {
    const share = Math.exp(((logits[pair] as number) - largest) / temperature);
    into[pair] = share;
    total += share;
  }
  return total;
}
