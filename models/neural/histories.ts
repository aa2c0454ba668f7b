import { deriveSeed } from './derive-seed.ts';
import { createRandom, type Random } from '../random.ts';
import type { Interactions } from '../algorithms/algorithm.ts';

/** A batch of windows, packed one behind the other. Its arrays are as long as the largest batch; `rows` and `sequences` say how much of them counts. */
export type Batch = {
  rows: number;
  /** What stands at each place: an item, or `itemCount` where a window begins. */
  items: Int32Array;
  /** How far into its window a place is. */
  positions: Int32Array;
  targets: { items: Int32Array; weights: Float32Array };
  sequences: { count: number; starts: Uint32Array };
};

export type HistoriesOptions = {
  interactions: Interactions;
  maxHistory: number;
  seed: number;
  /** Of the users with two entries or more, how many have their last one held out. */
  heldOutShare: number;
  /** Entries, at most. */
  batchEntries: number;
};

/** Of one user, at most: what came before is long ago, and who has more is likely no shopper. */
const windowsPerUser = 20;
/** Fewer users say too little to stop by. */
const leastHeldOut = 20;
const mostHeldOut = 1000;
/** So that a small data set is not one batch. */
const leastBatches = 8;
const smallBatchEntries = 256;

/**
 * Histories as windows of at most maxHistory + 1 entries: each place sees the entries before it in its window, and is to foretell its own. What happened
 * at the same time has no order; each epoch gives it another, and cuts histories elsewhere.
 */
export class Histories {
  readonly mostRows: number;
  readonly batchesPerEpoch: number;
  /** Windows of which the last place is held out. */
  readonly heldOut: readonly { from: number; to: number }[];
  readonly #options: HistoriesOptions;
  readonly #window: number;
  /** Places of the user's entries that are trained on: `begins[u] .. ends[u]`. */
  readonly #begins: Uint32Array;
  readonly #ends: Uint32Array;
  /** Place to entry: in the order of time, and in that of the epoch at hand. */
  readonly #base: Uint32Array;
  readonly #order: Uint32Array;
  readonly #windows: { from: Uint32Array; to: Uint32Array; order: Uint32Array; count: number };
  readonly #batchStarts: Uint32Array;
  #epoch = -1;

  constructor(options: HistoriesOptions) {
    const { interactions, maxHistory, batchEntries } = options;
    const { userCount, indptr } = interactions;
    this.#options = options;
    this.#window = maxHistory + 1;
    this.#base = Uint32Array.from({ length: interactions.items.length }, (_, entry) => entry);
    this.#begins = indptr.slice(0, -1);
    this.#ends = indptr.slice(1);
    this.#mixTies(this.#base, createRandom(options.seed));
    this.heldOut = this.#holdOut();
    let entries = 0;
    let mostWindows = 0;
    for (let user = 0; user < userCount; user += 1) {
      const end = this.#ends[user] as number;
      this.#begins[user] = Math.max(indptr[user] as number, end - windowsPerUser * this.#window);
      const length = end - (this.#begins[user] as number);
      entries += length;
      if (length > 0) mostWindows += Math.ceil(length / this.#window) + 1;
    }
    const perBatch = Math.min(batchEntries, Math.max(smallBatchEntries, Math.ceil(entries / leastBatches)));
    this.batchesPerEpoch = Math.ceil(entries / perBatch);
    this.mostRows = perBatch + this.#window;
    this.#windows = { from: new Uint32Array(mostWindows), to: new Uint32Array(mostWindows), order: new Uint32Array(mostWindows), count: 0 };
    this.#batchStarts = new Uint32Array(this.batchesPerEpoch + 1);
    this.#order = this.#base.slice();
  }

  emptyBatch(): Batch {
    const { mostRows } = this;
    return {
      rows: 0,
      items: new Int32Array(mostRows),
      positions: new Int32Array(mostRows),
      targets: { items: new Int32Array(mostRows), weights: new Float32Array(mostRows) },
      sequences: { count: 0, starts: new Uint32Array(mostRows + 1) },
    };
  }

  fill(batch: Batch, place: { epoch: number; batch: number }): void {
    if (place.epoch !== this.#epoch) this.#begin(place.epoch);
    batch.rows = 0;
    batch.sequences.count = 0;
    for (let window = this.#batchStarts[place.batch] as number; window < (this.#batchStarts[place.batch + 1] as number); window += 1) {
      const chosen = this.#windows.order[window] as number;
      this.#append(batch, this.#order, this.#windows.from[chosen] as number, this.#windows.to[chosen] as number);
    }
  }

  /**
   * Windows that end where something was held out: the last place of each sequence foretells it.
   * @returns where the next batch begins
   */
  fillHeldOut(batch: Batch, first: number): number {
    batch.rows = 0;
    batch.sequences.count = 0;
    let next = first;
    for (; next < this.heldOut.length; next += 1) {
      const { from, to } = this.heldOut[next] as { from: number; to: number };
      if (batch.rows + (to - from) > this.mostRows) break;
      this.#append(batch, this.#base, from, to);
    }
    return next;
  }

  /** Each place of `from .. to` is foretold from those before it. */
  #append(batch: Batch, order: Uint32Array, from: number, to: number): void {
    const { items, weights, itemCount } = this.#options.interactions;
    for (let place = from; place < to; place += 1) {
      const row = batch.rows + place - from;
      const entry = order[place] as number;
      batch.items[row] = place === from ? itemCount : (items[order[place - 1] as number] as number);
      batch.positions[row] = place - from;
      batch.targets.items[row] = items[entry] as number;
      batch.targets.weights[row] = weights[entry] as number;
    }
    batch.sequences.starts[batch.sequences.count] = batch.rows;
    batch.sequences.count += 1;
    batch.rows += to - from;
    batch.sequences.starts[batch.sequences.count] = batch.rows;
  }

  #holdOut(): { from: number; to: number }[] {
    const { interactions, heldOutShare, seed } = this.#options;
    const { indptr, userCount } = interactions;
    const random = createRandom(deriveSeed(seed, 1));
    const keys = Float64Array.from({ length: userCount }, () => random.float());
    const able = Array.from(keys.keys()).filter((user) => (indptr[user + 1] as number) - (indptr[user] as number) >= 2);
    const count = Math.min(mostHeldOut, Math.floor(heldOutShare * able.length));
    if (count < leastHeldOut) return [];
    const chosen = able.sort((a, b) => (keys[a] as number) - (keys[b] as number)).slice(0, count);
    return chosen.map((user) => {
      const to = indptr[user + 1] as number;
      this.#ends[user] = to - 1;
      return { from: Math.max(indptr[user] as number, to - this.#window), to };
    });
  }

  #begin(epoch: number): void {
    const random = createRandom(deriveSeed(this.#options.seed, 2, epoch));
    this.#order.set(this.#base);
    this.#mixTies(this.#order, random);
    this.#cut(random);
    const { from, to, order, count } = this.#windows;
    let entries = 0;
    for (let window = 0; window < count; window += 1) entries += (to[window] as number) - (from[window] as number);
    let before = 0;
    let batch = 0;
    for (let window = 0; window < count; window += 1) {
      for (; batch < this.batchesPerEpoch && before >= (batch * entries) / this.batchesPerEpoch; batch += 1) this.#batchStarts[batch] = window;
      before += (to[order[window] as number] as number) - (from[order[window] as number] as number);
    }
    this.#batchStarts.fill(count, batch);
    this.#epoch = epoch;
  }

  /** Another order for what happened to one user at the same time. What is held out stays where it is. */
  #mixTies(order: Uint32Array, random: Random): void {
    const { atMs } = this.#options.interactions;
    for (let user = 0; user < this.#begins.length; user += 1) {
      const end = this.#ends[user] as number;
      for (let first = this.#begins[user] as number; first < end; ) {
        let behind = first + 1;
        // Entries of one time are the same in any order, so that the order of time tells where they begin and end.
        while (behind < end && atMs[behind] === atMs[first]) behind += 1;
        shuffle(order, first, behind, random);
        first = behind;
      }
    }
  }

  /** Into windows, the first of a user of any length, and puts these into a random order. */
  #cut(random: Random): void {
    const windows = this.#windows;
    windows.count = 0;
    for (let user = 0; user < this.#begins.length; user += 1) {
      const [begin, end] = [this.#begins[user] as number, this.#ends[user] as number];
      let from = begin;
      while (from < end) {
        const first = from === begin && end - begin > this.#window ? 1 + random.below(this.#window) : this.#window;
        const to = Math.min(end, from + first);
        windows.from[windows.count] = from;
        windows.to[windows.count] = to;
        windows.order[windows.count] = windows.count;
        windows.count += 1;
        from = to;
      }
    }
    shuffle(windows.order, 0, windows.count, random);
  }
}

function shuffle(array: Uint32Array, from: number, to: number, random: Random): void {
  for (let last = to - 1; last > from; last -= 1) {
    const other = from + random.below(last - from + 1);
    const kept = array[last] as number;
    array[last] = array[other] as number;
    array[other] = kept;
  }
}
