import { deriveSeed } from '../../neural/derive-seed.ts';
import { createRandom, type Random } from '../../random.ts';
import type { CandidateLists } from './candidate-lists.ts';
import type { PairBatch } from './ranker-network.ts';

type Options = {
  lists: CandidateLists;
  /** The lists that are trained on. */
  of: Uint32Array;
  perBatch: number;
  /** Candidates of a list that a step looks at. */
  listed: number;
  seed: number;
};

/** In small data a batch has fewer lists, so that an epoch is more than a step or two. */
const leastBatches = 8;
const leastPerBatch = 8;

/** Lists in batches, in another order each epoch. Of a long list a step looks at what came next, at the best of the first stage, and at some others. */
export class ListBatches {
  readonly batchesPerEpoch: number;
  readonly mostLists: number;
  readonly mostPairs: number;
  /** [pairs] of the batch at hand: the logarithm of how many candidates of its list each stands for */
  readonly standsFor: Float32Array;
  readonly #options: Options;
  readonly #order: Uint32Array;
  readonly #others: Uint32Array;
  #epoch = -1;

  constructor(options: Options) {
    const { of, perBatch, listed, lists } = options;
    this.#options = options;
    this.mostLists = Math.max(1, Math.min(perBatch, Math.max(leastPerBatch, Math.ceil(of.length / leastBatches))));
    this.batchesPerEpoch = Math.ceil(of.length / this.mostLists);
    this.mostPairs = this.mostLists * Math.min(listed, lists.most);
    this.standsFor = new Float32Array(this.mostPairs);
    this.#order = of.slice();
    this.#others = new Uint32Array(lists.most);
  }

  fill(batch: PairBatch, at: { epoch: number; batch: number; step: number }): void {
    const { of, seed } = this.#options;
    if (at.epoch !== this.#epoch) this.#shuffle(at.epoch);
    const random = createRandom(deriveSeed(seed, 13, at.step));
    batch.lists = 0;
    const first = at.batch * this.mostLists;
    for (let place = first; place < Math.min(of.length, first + this.mostLists); place += 1) this.#append(batch, this.#order[place] as number, random);
  }

  #append(batch: PairBatch, list: number, random: Random): void {
    const { lists, listed } = this.#options;
    const [begin, length] = [list * lists.most, lists.lengths[list] as number];
    let pair = batch.lists === 0 ? 0 : (batch.starts[batch.lists] as number);
    batch.starts[batch.lists] = pair;
    batch.of[batch.lists] = list;
    const end = pair + Math.min(listed, length);
    let others = 0;
    for (let place = 0; place < length; place += 1) {
      const isCertain = length <= listed || place < listed / 4 || (lists.shares[begin + place] as number) > 0;
      if (isCertain && pair < end) {
        this.standsFor[pair] = 0;
        batch.places[pair] = begin + place;
        pair += 1;
      } else {
        this.#others[others] = begin + place;
        others += 1;
      }
    }
    const each = Math.log(others / Math.max(1, end - pair));
    for (let drawn = 0; pair < end; pair += 1, drawn += 1) {
      const other = drawn + random.below(others - drawn);
      const chosen = this.#others[other] as number;
      this.#others[other] = this.#others[drawn] as number;
      this.#others[drawn] = chosen;
      this.standsFor[pair] = each;
      batch.places[pair] = chosen;
    }
    batch.lists += 1;
    batch.starts[batch.lists] = end;
  }

  #shuffle(epoch: number): void {
    const random = createRandom(deriveSeed(this.#options.seed, 12, epoch));
    this.#order.set(this.#options.of);
    for (let last = this.#order.length - 1; last > 0; last -= 1) {
      const other = random.below(last + 1);
      const kept = this.#order[last] as number;
      this.#order[last] = this.#order[other] as number;
      this.#order[other] = kept;
    }
    this.#epoch = epoch;
  }
}
