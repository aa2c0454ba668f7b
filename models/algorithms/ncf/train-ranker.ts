import { deriveSeed } from '../../neural/derive-seed.ts';
import { type Schedule, trainNetwork, type Trainee } from '../../neural/train-network.ts';
import { createRandom } from '../../random.ts';
import type { ItemAttributes, TrainHooks } from '../algorithm.ts';
import type { CandidateLists } from './candidate-lists.ts';
import { meanGain } from './held-out.ts';
import { ListBatches } from './list-batches.ts';
import { ListLoss, logitOf } from './list-loss.ts';
import { emptyPairBatch, type PairBatch, RankerNetwork, type RankerShape } from './ranker-network.ts';

/** What rankers learn from. */
export type RankerData = {
  lists: CandidateLists;
  /** Of the lists: those that are trained on, those of which nobody knows what came next, and those that say when to stop. */
  trained: Uint32Array;
  unanswered: Uint32Array;
  heldOut: Uint32Array;
  itemCount: number;
  attributes: ItemAttributes;
  /** [itemCount, factsPerItem] as of the split */
  facts: Float32Array;
  /** Of scores: how far those of a list lie apart. */
  spread: number;
};

export type RankerSettings = {
  shape: RankerShape;
  dropout: number;
  idDropout: number;
  perBatch: number;
  listed: number;
  schedule: Schedule;
  seed: number;
};

export type TrainedRanker = {
  network: RankerNetwork;
  /** Its words on one batch without dropout, into `words`. */
  say(batch: PairBatch, words: Float32Array): void;
  /** The order in which it puts the candidates of each list that was held out, by places in the lists. */
  orders(): Uint32Array[];
};

const outWidth = 8;

/** The same data, settings and teacher give the same ranker. */
export async function trainRanker(input: {
  data: RankerData;
  settings: RankerSettings;
  teacher?: { ranker: TrainedRanker; temperature: number; share: number } | undefined;
  fingerprint: string;
  hooks: TrainHooks;
}): Promise<TrainedRanker> {
  const { data, settings, teacher, fingerprint, hooks } = input;
  const { lists, spread, itemCount, attributes, facts } = data;
  const { seed, dropout, idDropout, shape, perBatch, listed } = settings;
  // Whom a teacher helps can learn of every history.
  const of = teacher === undefined ? data.trained : Uint32Array.from([...data.trained, ...data.unanswered]);
  const batches = new ListBatches({ lists, of, perBatch, listed, seed });
  // As many as any batch of these settings may have: a teacher is asked about its pupil's.
  const mostLists = Math.max(1, Math.min(perBatch, lists.count));
  const mostPairs = Math.max(mostLists * Math.min(listed, lists.most), lists.most);
  const network = new RankerNetwork({
    ...{ itemCount, attributes, facts, shape, dropout, idDropout, spread, mostPairs },
    seed: deriveSeed(seed, 0),
  });
  const batch = emptyPairBatch(mostLists, mostPairs);
  const words = new Float32Array(mostPairs);
  const loss = new ListLoss({ lists, spread, standsFor: batches.standsFor, mostPairs });
  const ranker = rankerOf({ network, data, mostLists, mostPairs });
  const trainee: Trainee = {
    parameters: network.parameters,
    tables: network.tables,
    batchesPerEpoch: batches.batchesPerEpoch,
    step(at) {
      batches.fill(batch, at);
      teacher?.ranker.say(batch, words);
      network.masks.begin(deriveSeed(seed, 14, at.step));
      network.forward(lists, batch, createRandom(deriveSeed(seed, 18, at.step)));
      const value = loss.run(network, batch, teacher && { ...teacher, words });
      network.backward();
      return value;
    },
    evaluate: () => (data.heldOut.length === 0 ? undefined : meanGain(data, ranker.orders())),
  };
  await trainNetwork({ trainee, schedule: settings.schedule, fingerprint, hooks });
  return ranker;
}

function rankerOf({ network, data, mostLists, mostPairs }: { network: RankerNetwork; data: RankerData; mostLists: number; mostPairs: number }): TrainedRanker {
  const { lists, heldOut, spread } = data;
  const whole = emptyPairBatch(mostLists, mostPairs);
  const logits = new Float64Array(lists.most);
  const perBatch = Math.min(mostLists, Math.floor(mostPairs / Math.max(1, lists.most)));
  const orderOf = (row: number): Uint32Array => {
    const from = whole.starts[row] as number;
    const count = (whole.starts[row + 1] as number) - from;
    for (let place = 0; place < count; place += 1)
      logits[place] = logitOf(lists, whole.places[from + place] as number, spread, network.out.value[(from + place) * outWidth] as number);
    const order = Uint32Array.from({ length: count }, (_, place) => place);
    order.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
    return order.map((place) => whole.places[from + place] as number);
  };
  return {
    network,
    say(batch, words) {
      network.forward(lists, batch);
      const pairs = batch.starts[batch.lists] as number;
      for (let pair = 0; pair < pairs; pair += 1) words[pair] = network.out.value[pair * outWidth] as number;
    },
    orders() {
      const found: Uint32Array[] = [];
      for (let first = 0; first < heldOut.length; first += perBatch) {
        fillWhole(whole, lists, heldOut.subarray(first, first + perBatch));
        network.forward(lists, whole);
        for (let row = 0; row < whole.lists; row += 1) found.push(orderOf(row));
      }
      return found;
    },
  };
}

function fillWhole(batch: PairBatch, lists: CandidateLists, of: Uint32Array): void {
  batch.lists = of.length;
  let pair = 0;
  for (const [row, list] of of.entries()) {
    batch.of[row] = list;
    batch.starts[row] = pair;
    for (let place = 0; place < (lists.lengths[list] as number); place += 1, pair += 1) batch.places[pair] = list * lists.most + place;
  }
  batch.starts[of.length] = pair;
}
