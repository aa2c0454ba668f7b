import type { Targets } from '../neural/full-softmax.ts';
import { correctionOf, rowsPerDraw, targetWeightOf } from '../neural/sampled-loss.ts';
import { createRandom } from '../random.ts';
import { rowCode } from './code.ts';
import { bitsOf, GpuGather } from './gather.ts';
import type { Dispatch, GpuArray } from './gpu.ts';
import { groupsOf } from './least-squares.ts';
import { type LossOnGpu, lossRows } from './loss-rows.ts';
import type { GpuFlow, GpuNetwork, GpuTable, Work } from './network.ts';

const drawnCode = rowCode(
  ['drawn:u32', 'table', '&vectors'],
  `
  if (row >= shape[1] || batch[0] == 0u) { return; }
  for (var f = t; f < width; f += 64u) { vectors[row * width + f] = table[drawn[row] * width + f]; }`,
);

const ownCode = rowCode(
  ['targets:u32', 'x', 'table', '&own'],
  `
  if (row >= batch[0]) { return; }
  var sum = 0f;
  for (var f = t; f < width; f += 64u) { sum += x[row * width + f] * table[targets[row] * width + f]; }
  let score = total(t, sum);
  if (t == 0u) { own[row] = score; }`,
);

/** Scores become the loss's slopes, and so does the target's own. */
const slopesCode = (body: string): string =>
  rowCode(
    ['targets:u32', 'weights', 'drawn:u32', '&scores', '&own', '&losses'],
    `
  if (row >= batch[0]) { return; }
  let first = row * width;
  let place = batch[1] + row;
  let weight = weights[place];
  let wanted = targets[place];
  let number = bitcast<f32>(shape[1]);
  for (var c = t; c < width; c += 64u) { if (drawn[c] == wanted) { scores[first + c] = -1e30f; } }
  ${body}`,
  );

/** `number` is taken off the target's score, instead of added to all others. */
const softmaxCode = slopesCode(`
  let mine = own[place] - number;
  var most = mine;
  for (var c = t; c < width; c += 64u) { most = max(most, scores[first + c]); }
  let top = largest(t, most);
  var sum = 0f;
  for (var c = t; c < width; c += 64u) { sum += exp(scores[first + c] - top); }
  let others = total(t, sum);
  let all = others + exp(mine - top);
  for (var c = t; c < width; c += 64u) { scores[first + c] = weight * exp(scores[first + c] - top) / all; }
  if (t == 0u) {
    losses[place] = weight * (log(all) + top - mine);
    own[place] = -weight * others / all;
  }`);

/** `number` is how often the target counts. `power` is at most 1, and where it is small, log(1 + power) would round it away. */
const bceCode = slopesCode(`
  let mine = own[place];
  var sum = 0f;
  for (var c = t; c < width; c += 64u) {
    let score = scores[first + c];
    let power = exp(-abs(score));
    sum += max(score, 0f) + select(log(1f + power), power - power * power / 2f, power < 1e-3f);
    scores[first + c] = weight * select(power, 1f, score > 0f) / (1f + power);
  }
  let others = total(t, sum);
  if (t == 0u) {
    let power = exp(-abs(mine));
    losses[place] = weight * (others + number * (max(-mine, 0f) + select(log(1f + power), power - power * power / 2f, power < 1e-3f)));
    own[place] = -weight * number * select(1f, power, mine > 0f) / (1f + power);
  }`);

/** What the targets do to the gradient of what flows in; and `pulled` is what they do to their own. */
const targetsCode = rowCode(
  ['targets:u32', 'own', 'table', 'x', '&dFrom', '&pulled'],
  `
  if (row >= batch[0]) { return; }
  for (var f = t; f < width; f += 64u) {
    dFrom[row * width + f] += own[row] * table[targets[row] * width + f];
    pulled[row * width + f] = own[row] * x[row * width + f];
  }`,
);

type Options = {
  network: GpuNetwork;
  from: GpuFlow;
  table: GpuTable;
  items: number;
  negatives: number;
  /** Absent: a softmax. */
  calibration?: number | undefined;
  key: () => number;
};

/**
 * models/neural/sampled-loss.ts, which says what is computed, on a GPU: of the same negatives, which are drawn here. `run` adds the gradients to those of
 * `from` and the table and does not wait; what the loss then is, `value` waits for.
 */
export function gpuSampledLoss({ network, from, table, items, negatives, calibration, key }: Options): LossOnGpu {
  const { gpu, mostRows } = network;
  const { width } = from;
  const { targets, weights, losses, place, value } = lossRows(network);
  const [own, pulled] = [network.array(mostRows), network.array(mostRows * width)];
  const [vectors, grads] = [network.array(negatives * width), network.array(negatives * width)];
  const scores = network.array(rowsPerDraw * negatives);
  const [wide, gathered] = [network.shape(width), network.shape(width, negatives)];
  const number = calibration === undefined ? correctionOf({ items, negatives }) : targetWeightOf({ items, negatives, calibration });
  const shape = network.shape(negatives, bitsOf(number));
  const slopes = calibration === undefined ? softmaxCode : bceCode;
  const counts = new Int32Array(table.touched.rows.length);
  const ofTargets = new GpuGather({ network, from: pulled, into: table.on.grad, width, mostEntries: mostRows, counts });
  const before = [network.perRow(ownCode, [wide, targets, from.value, table.on.value, own])];
  const behind = [network.perRow(targetsCode, [wide, targets, own, table.on.value, from.value, from.grad, pulled]), ofTargets.work];
  const parts = Array.from({ length: Math.ceil(mostRows / rowsPerDraw) }, (_, number) => partOf(number * rowsPerDraw));

  function partOf(first: number): { batch: GpuArray; first: number; drawn: GpuArray; ofDrawn: GpuGather; work: Work[] } {
    const batch = network.array(2);
    const drawn = network.array(negatives);
    const ofDrawn = new GpuGather({ network, from: grads, into: table.on.grad, width, mostEntries: negatives, counts });
    const work = [
      { kernel: gpu.kernel(drawnCode, [batch, gathered, drawn, table.on.value, vectors]), groups: () => groupsOf(negatives) },
      network.matmul({ a: { part: true }, b: { turned: true }, add: false }, { batch, sizes: [0, negatives, width], arrays: [from.value, vectors, scores] }),
      { kernel: gpu.kernel(slopes, [batch, shape, targets, weights, drawn, scores, own, losses]), groups: groupsOf },
      network.matmul({ c: { part: true }, add: true }, { batch, sizes: [0, width, negatives], arrays: [scores, vectors, from.grad] }),
      network.matmul({ a: { turned: true }, b: { part: true }, add: false }, { batch, sizes: [negatives, width, 0], arrays: [scores, from.value, grads] }),
      ofDrawn.work,
    ];
    return { batch, first, drawn, ofDrawn, work };
  }

  return {
    run(wanted: Targets): void {
      const { rows } = network;
      place(wanted);
      ofTargets.place(wanted.items.subarray(0, rows).map((item) => table.touched.placeOf(item)));
      const random = createRandom(key());
      const dispatches: Dispatch[] = [];
      for (const { batch, first, drawn, ofDrawn, work } of parts) {
        const count = Math.min(rowsPerDraw, rows - first);
        if (count <= 0) break;
        const some = Int32Array.from({ length: negatives }, () => random.below(items));
        gpu.write(batch, Uint32Array.of(count, first));
        gpu.write(drawn, some);
        ofDrawn.place(some.map((item) => table.touched.placeOf(item)));
        dispatches.push(...work.map(({ kernel, groups }) => ({ kernel, groups: groups(count, 0) })));
      }
      network.run(before);
      gpu.run(dispatches);
      network.run(behind);
    },
    value,
  };
}
