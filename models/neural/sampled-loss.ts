import type { NetworkKernels } from '../kernels/team.ts';
import { createRandom } from '../random.ts';
import type { Loss, Targets } from './full-softmax.ts';
import { type Flow, type Network, transposeInto } from './network.ts';
import type { RowTable } from './row-table.ts';
import { at } from './workspace.ts';

const bytesPerFloat = 4;
/** Rows that share the same negatives: as many products at the price of one gathering. */
export const rowsPerDraw = 128;

/** Some rows' scores, on the way to their derivatives. All but the numbers is in the memory of the kernels. */
export type SampledPart = {
  kernels: NetworkKernels;
  rows: number;
  negatives: number;
  /** [rows] the target's score; becomes the loss's derivative with respect to it. */
  own: Float32Array;
  /** [rows, negatives] the others' scores; become the derivatives with respect to them, but for `scale`. */
  scores: Float32Array;
  /** [rows] by which those of a row are still to be multiplied. */
  scale: Float32Array;
  /** [rows] room to work in */
  largest: Float32Array;
  /** [rows] */
  losses: Float32Array;
};
export type SampledLoss = (part: SampledPart) => void;

/** How many items there are, and how many of them a row is given beside its target. */
type Sample = { items: number; negatives: number };

/** What is added to the score of a negative. */
export const correctionOf = ({ items, negatives }: Sample): number => Math.log((items - 1) / negatives);

/** beta, of `generalizedBce`. */
export function targetWeightOf({ items, negatives, calibration }: Sample & { calibration: number }): number {
  const alpha = Math.min(1, negatives / (items - 1));
  return alpha * (calibration * (1 - 1 / alpha) + 1 / alpha);
}

/**
 * What a full softmax would say, estimated: the negatives stand for all other items. Drawn uniformly, each is one of (items - 1) / negatives, so that
 * log of it is added to its score. Jean et al., "On using very large target vocabulary" (2015), eq. 8.
 */
export function sampledSoftmax(sample: Sample): SampledLoss {
  const correction = correctionOf(sample);
  return ({ kernels, rows, negatives, own, scores, scale, largest, losses }) => {
    const scoreRow = negatives * bytesPerFloat;
    // Taken off the one instead of added to all others.
    for (let r = 0; r < rows; r += 1) largest[r] = own[r] = (own[r] as number) - correction;
    kernels.rowMax(at(scores), scoreRow, rows, negatives, at(largest));
    for (let r = 0; r < rows; r += 1) {
      losses[r] = (largest[r] as number) - (own[r] as number);
      own[r] = scale[r] = Math.exp(-(losses[r] as number));
    }
    kernels.rowExp(at(scores), scoreRow, rows, negatives, at(largest), at(scale));
    for (let r = 0; r < rows; r += 1) {
      const sum = scale[r] as number;
      losses[r] = (losses[r] as number) + Math.log(sum);
      own[r] = (own[r] as number) / sum - 1;
      scale[r] = 1 / sum;
    }
  };
}

/**
 * Binary cross entropy whose target counts `beta` times, so that scores do not come out too sure of themselves although most negatives are never seen.
 * Petrov and Macdonald, "gSASRec" (2023), eq. 9 and 13: beta = alpha (t (1 - 1 / alpha) + 1 / alpha), alpha = negatives / (items - 1).
 */
export function generalizedBce(sample: Sample & { calibration: number }): SampledLoss {
  const beta = targetWeightOf(sample);
  return ({ rows, negatives, own, scores, scale, losses }) => {
    for (let r = 0; r < rows; r += 1) {
      let loss = beta * softplus(-(own[r] as number));
      for (let cell = r * negatives; cell < (r + 1) * negatives; cell += 1) {
        const score = scores[cell] as number;
        const power = Math.exp(-Math.abs(score));
        loss += Math.max(score, 0) + Math.log1p(power);
        scores[cell] = (score > 0 ? 1 : power) / (1 + power);
      }
      losses[r] = loss;
      own[r] = beta * (sigmoid(own[r] as number) - 1);
      scale[r] = 1;
    }
  };
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const nothing = -1e30;

/** How many rows of the table a batch can touch by its targets and negatives. */
export const mostSampled = (rows: number, negatives: number): number => rows + Math.ceil(rows / rowsPerDraw) * negatives;

/** Negatives of a part, and which of them are a given item. */
class Drawn {
  readonly items: Int32Array;
  /** By item, the last place where it was drawn; by place, the one before of the same item. */
  readonly #last: Int32Array;
  readonly #before: Int32Array;

  constructor({ items, negatives }: { items: number; negatives: number }) {
    this.items = new Int32Array(negatives);
    this.#last = new Int32Array(items).fill(-1);
    this.#before = new Int32Array(negatives);
  }

  draw(below: () => number): void {
    for (const item of this.items) this.#last[item] = -1;
    for (let place = 0; place < this.items.length; place += 1) {
      const item = below();
      this.items[place] = item;
      this.#before[place] = this.#last[item] as number;
      this.#last[item] = place;
    }
  }

  hide(item: number, scores: Float32Array, first: number): void {
    for (let place = this.#last[item] as number; place >= 0; place = this.#before[place] as number) scores[first + place] = nothing;
  }
}

/**
 * A loss over each row's target and `negatives` items drawn uniformly, 128 rows at a time sharing them; where the target is drawn, it is no negative.
 * @param negatives multiple of 8
 * @param key of the step at hand: the same key draws the same
 */
export function sampledLoss(
  network: Network,
  { from, table, items, negatives, of, key }: { from: Flow; table: RowTable; items: number; negatives: number; of: SampledLoss; key: () => number },
): Loss {
  const { workspace } = network;
  const { width } = table;
  const drawn = new Drawn({ items, negatives });
  const vectors = workspace.floats(negatives * width);
  const turned = workspace.floats(negatives * width);
  const grads = workspace.floats(negatives * width);
  const scores = workspace.floats(rowsPerDraw * negatives);
  const scaled = workspace.floats(rowsPerDraw * width);
  const [own, scale, largest, losses] = [0, 1, 2, 3].map(() => workspace.floats(rowsPerDraw)) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const [row, scoreRow] = [width * bytesPerFloat, negatives * bytesPerFloat];

  const gather = (random: ReturnType<typeof createRandom>): void => {
    drawn.draw(() => random.below(items));
    for (let place = 0; place < negatives; place += 1) {
      const item = (drawn.items[place] as number) * width;
      for (let f = 0; f < width; f += 1) vectors[place * width + f] = table.value[item + f] as number;
    }
    transposeInto(vectors, turned, negatives, width);
  };
  const part = (targets: Targets, first: number, rows: number, total: number): number => {
    const { kernels } = workspace;
    const { matmul } = kernels;
    const begin = first * width;
    matmul(at(from.value, begin), row, bytesPerFloat, at(turned), scoreRow, at(scores), scoreRow, rows, negatives, width, 1);
    for (let r = 0; r < rows; r += 1) {
      const target = targets.items[first + r] as number;
      let score = 0;
      for (let f = 0; f < width; f += 1) score += (from.value[begin + r * width + f] as number) * (table.value[target * width + f] as number);
      own[r] = score;
      drawn.hide(target, scores, r * negatives);
    }
    of({ kernels, rows, negatives, own, scores, scale, largest, losses });
    for (let r = 0; r < rows; r += 1) {
      const factor = ((targets.weights[first + r] as number) / total) * (scale[r] as number);
      for (let f = 0; f < width; f += 1) scaled[r * width + f] = (from.value[begin + r * width + f] as number) * factor;
    }
    matmul(at(scores), bytesPerFloat, scoreRow, at(scaled), row, at(grads), row, negatives, width, rows, 1);
    // The scaled rows have done their part; what takes their place is the products with the negatives.
    matmul(at(scores), scoreRow, bytesPerFloat, at(vectors), row, at(scaled), row, rows, width, negatives, 1);
    let loss = 0;
    for (let r = 0; r < rows; r += 1) {
      const target = (targets.items[first + r] as number) * width;
      const weight = (targets.weights[first + r] as number) / total;
      const [slope, factor] = [weight * (own[r] as number), weight * (scale[r] as number)];
      const grad = table.gradOf(targets.items[first + r] as number);
      loss += weight * (losses[r] as number);
      for (let f = 0; f < width; f += 1) {
        const cell = begin + r * width + f;
        from.grad[cell] = (from.grad[cell] as number) + factor * (scaled[r * width + f] as number) + slope * (table.value[target + f] as number);
        table.grad[grad + f] = (table.grad[grad + f] as number) + slope * (from.value[cell] as number);
      }
    }
    for (let place = 0; place < negatives; place += 1) {
      const grad = table.gradOf(drawn.items[place] as number);
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
