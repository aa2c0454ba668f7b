import { createRandom } from '../random.ts';
import type { Loss, Targets } from './full-softmax.ts';
import { type Flow, type Network, transposeInto } from './network.ts';
import type { RowTable } from './row-table.ts';
import { at } from './workspace.ts';

const bytesPerFloat = 4;
/** Rows that share the same negatives: as many products at the price of one gathering. */
const rowsPerDraw = 32;

/** The loss of a row's target and negatives, and its derivative with respect to each score. */
export type SampledLoss = (own: number, drawn: Float32Array, first: number, count: number) => { loss: number; own: number };

/**
 * What a full softmax would say, estimated: the negatives stand for all other items. Drawn uniformly, each is one of (items - 1) / negatives, so that
 * log of it is added to its score. Jean et al., "On using very large target vocabulary" (2015), eq. 8.
 * `drawn` becomes the derivatives.
 */
export function sampledSoftmax({ items, negatives }: { items: number; negatives: number }): SampledLoss {
  const correction = Math.log((items - 1) / negatives);
  return (own, drawn, first, count) => {
    let largest = own;
    for (let cell = first; cell < first + count; cell += 1) largest = Math.max(largest, (drawn[cell] as number) + correction);
    const mine = Math.exp(own - largest);
    let sum = mine;
    for (let cell = first; cell < first + count; cell += 1) {
      const share = Math.exp((drawn[cell] as number) + correction - largest);
      drawn[cell] = share;
      sum += share;
    }
    for (let cell = first; cell < first + count; cell += 1) drawn[cell] = (drawn[cell] as number) / sum;
    return { loss: Math.log(sum) + largest - own, own: mine / sum - 1 };
  };
}

/**
 * Binary cross entropy whose target counts `beta` times, so that scores do not come out too sure of themselves although most negatives are never seen.
 * Petrov and Macdonald, "gSASRec" (2023), eq. 9 and 13: beta = alpha (t (1 - 1 / alpha) + 1 / alpha), alpha = negatives / (items - 1).
 */
export function generalizedBce({ items, negatives, calibration }: { items: number; negatives: number; calibration: number }): SampledLoss {
  const alpha = Math.min(1, negatives / (items - 1));
  const beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha);
  return (own, drawn, first, count) => {
    let loss = beta * softplus(-own);
    for (let cell = first; cell < first + count; cell += 1) {
      const score = drawn[cell] as number;
      loss += softplus(score);
      drawn[cell] = sigmoid(score);
    }
    return { loss, own: beta * (sigmoid(own) - 1) };
  };
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const nothing = -1e30;

/** How many rows of the table a batch can touch by its targets and negatives. */
export const mostSampled = (rows: number, negatives: number): number => rows + Math.ceil(rows / rowsPerDraw) * negatives;

/**
 * A loss over each row's target and `negatives` items drawn uniformly, 32 rows at a time sharing them; where the target is drawn, it is no negative.
 * @param key of the step at hand: the same key draws the same
 */
export function sampledLoss(
  network: Network,
  { from, table, items, negatives, of, key }: { from: Flow; table: RowTable; items: number; negatives: number; of: SampledLoss; key: () => number },
): Loss {
  const { workspace } = network;
  const { width } = table;
  const drawn = new Int32Array(negatives);
  const vectors = workspace.floats(negatives * width);
  const turned = workspace.floats(negatives * width);
  const grads = workspace.floats(negatives * width);
  const scores = workspace.floats(rowsPerDraw * negatives);
  const [row, scoreRow] = [width * bytesPerFloat, negatives * bytesPerFloat];

  const gather = (random: ReturnType<typeof createRandom>): void => {
    for (let place = 0; place < negatives; place += 1) {
      const item = random.below(items);
      drawn[place] = item;
      vectors.set(table.value.subarray(item * width, (item + 1) * width), place * width);
    }
    transposeInto(vectors, turned, negatives, width);
  };
  const part = (targets: Targets, first: number, rows: number, total: number): number => {
    const { matmul } = workspace.kernels;
    const begin = first * width;
    matmul(at(from.value, begin), row, bytesPerFloat, at(turned), scoreRow, at(scores), scoreRow, rows, negatives, width, 1);
    let loss = 0;
    for (let r = 0; r < rows; r += 1) {
      const target = targets.items[first + r] as number;
      const weight = (targets.weights[first + r] as number) / total;
      let own = 0;
      for (let f = 0; f < width; f += 1) own += (from.value[begin + r * width + f] as number) * (table.value[target * width + f] as number);
      for (let place = 0; place < negatives; place += 1) if (drawn[place] === target) scores[r * negatives + place] = nothing;
      const result = of(own, scores, r * negatives, negatives);
      loss += weight * result.loss;
      for (let cell = r * negatives; cell < (r + 1) * negatives; cell += 1) scores[cell] = (scores[cell] as number) * weight;
      const slope = result.own * weight;
      const grad = table.gradOf(target);
      for (let f = 0; f < width; f += 1) {
        const cell = begin + r * width + f;
        from.grad[cell] = (from.grad[cell] as number) + slope * (table.value[target * width + f] as number);
        table.grad[grad + f] = (table.grad[grad + f] as number) + slope * (from.value[cell] as number);
      }
    }
    matmul(at(scores), scoreRow, bytesPerFloat, at(vectors), row, at(from.grad, begin), row, rows, width, negatives, 0);
    matmul(at(scores), bytesPerFloat, scoreRow, at(from.value, begin), row, at(grads), row, negatives, width, rows, 1);
    for (let place = 0; place < negatives; place += 1) {
      const grad = table.gradOf(drawn[place] as number);
      for (let f = 0; f < width; f += 1) table.grad[grad + f] = (table.grad[grad + f] as number) + (grads[place * width + f] as number);
    }
    return loss;
  };
  return {
    run(targets) {
      let total = 0;
      for (let r = 0; r < network.rows; r += 1) total += targets.weights[r] as number;
      const random = createRandom(key());
      let loss = 0;
      for (let first = 0; first < network.rows; first += rowsPerDraw) {
        gather(random);
        loss += part(targets, first, Math.min(rowsPerDraw, network.rows - first), total);
      }
      return loss;
    },
  };
}
