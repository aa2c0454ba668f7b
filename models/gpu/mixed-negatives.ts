import type { Chances, Drawn } from '../neural/mixed-negatives.ts';
import { rowCode } from './code.ts';
import { scoresAtOnce } from './full-softmax.ts';
import { bitsOf } from './gather.ts';
import type { GpuArray } from './gpu.ts';
import { groupsOf } from './least-squares.ts';
import { lossRows } from './loss-rows.ts';
import { batchColumns } from './matmul.ts';
import type { GpuFlow, GpuNetwork, Work } from './network.ts';

/**
 * Scores become the loss's slopes. batch: [rows, first row, columns, rows of all]. own: [rows, 4] the target, where the sequence begins and ends, and how
 * often the target is one in it, 0 but where it is one first. candidates: [columns, 2] how often each came, and its share of all targets.
 */
const slopesCode = rowCode(
  ['own:u32', 'weights', 'candidates', '&scores', '&losses'],
  `
  if (row >= batch[0]) { return; }
  let columns = batch[2];
  let first = row * columns;
  let place = batch[1] + row;
  let wanted = own[4u * place];
  let begin = own[4u * place + 1u];
  let end = own[4u * place + 2u];
  let weight = weights[place];
  let mine = scores[first + wanted];
  var most = -1e30f;
  for (var c = t; c < columns; c += 64u) { most = max(most, scores[first + c]); }
  let top = largest(t, most);
  let elsewhere = f32(batch[3] - (end - begin));
  for (var c = t; c < columns; c += 64u) {
    scores[first + c] = exp(scores[first + c] - top) * candidates[2u * c] / (elsewhere * candidates[2u * c + 1u] + bitcast<f32>(shape[0]));
  }
  storageBarrier();
  workgroupBarrier();
  for (var r = begin + t; r < end; r += 64u) {
    let times = own[4u * r + 3u];
    let c = own[4u * r];
    if (times > 0u) { scores[first + c] *= (candidates[2u * c] - f32(times)) / candidates[2u * c]; }
  }
  storageBarrier();
  workgroupBarrier();
  var sum = 0f;
  for (var c = t; c < columns; c += 64u) { sum += select(scores[first + c], 0f, c == wanted); }
  let others = total(t, sum);
  let all = others + exp(mine - top);
  for (var c = t; c < columns; c += 64u) { scores[first + c] = weight * select(scores[first + c], -others, c == wanted) / all; }
  if (t == 0u) { losses[place] = weight * (log(all) + top - mine); }`,
);

type Options = {
  network: GpuNetwork;
  from: GpuFlow;
  /** `value` and `grad`: [most, width] on the GPU; the rest is of the step at hand. */
  candidates: { value: GpuArray; grad: GpuArray; readonly count: number; readonly items: Int32Array };
  mostCandidates: number;
  chances: Chances;
};

/**
 * models/neural/mixed-negatives.ts, which says what is computed, on a GPU. `run` adds the gradients to those of `from` and the candidates and does not wait;
 * what the loss then is, `value` waits for.
 */
export function gpuMixedNegatives({ network, from, candidates, mostCandidates, chances }: Options): {
  run(drawn: Drawn): void;
  value(): Promise<number>;
} {
  const { gpu, mostRows } = network;
  const { width } = from;
  const { weights, losses, place, value } = lossRows(network);
  const rowsAtOnce = Math.max(1, Math.min(mostRows, Math.floor(scoresAtOnce / mostCandidates)));
  const scores = network.array(rowsAtOnce * mostCandidates);
  const [own, came] = [network.array(4 * mostRows), network.array(2 * mostCandidates)];
  const shape = network.shape(bitsOf(chances.beside));
  const firstRows = new Int32Array(mostCandidates);
  const parts = Array.from({ length: Math.ceil(mostRows / rowsAtOnce) }, (_, number) => partOf(number * rowsAtOnce));

  function partOf(first: number): { batch: GpuArray; first: number; work: Work[] } {
    const batch = network.array(4);
    const work = [
      network.matmul(
        { a: { part: true }, b: { turned: true }, add: false },
        { batch, sizes: [0, batchColumns, width], arrays: [from.value, candidates.value, scores] },
      ),
      { kernel: gpu.kernel(slopesCode, [batch, shape, own, weights, came, scores, losses]), groups: groupsOf },
      network.matmul({ c: { part: true }, add: true }, { batch, sizes: [0, width, batchColumns], arrays: [scores, candidates.value, from.grad] }),
      network.matmul(
        { a: { turned: true }, b: { part: true }, add: true },
        { batch, sizes: [batchColumns, width, 0], arrays: [scores, from.value, candidates.grad] },
      ),
    ];
    return { batch, first, work };
  }

  /** @returns [rows, 4] as the code reads it */
  function ownOf({ rows, targets, sequences: { count, starts } }: Drawn): Uint32Array {
    const all = new Uint32Array(4 * rows);
    firstRows.fill(-1);
    for (let sequence = 0; sequence < count; sequence += 1) {
      const [begin, end] = [starts[sequence] as number, starts[sequence + 1] as number];
      for (let row = begin; row < end; row += 1) {
        const target = targets[row] as number;
        if ((firstRows[target] as number) < begin) firstRows[target] = row;
        const counted = 4 * (firstRows[target] as number) + 3;
        all.set([target, begin, end], 4 * row);
        all[counted] = (all[counted] as number) + 1;
      }
    }
    return all;
  }

  function cameOf({ rows, targets, drawnBeside }: Drawn): Float32Array {
    const { count, items } = candidates;
    const all = new Float32Array(2 * count);
    for (let candidate = 0; candidate < count; candidate += 1)
      all.set([drawnBeside[candidate] as number, chances.asTarget[items[candidate] as number] as number], 2 * candidate);
    for (let row = 0; row < rows; row += 1) all[2 * (targets[row] as number)] = (all[2 * (targets[row] as number)] as number) + 1;
    return all;
  }

  return {
    run(drawn) {
      const { rows } = drawn;
      place({ items: drawn.targets, weights: drawn.weights });
      gpu.write(own, ownOf(drawn));
      gpu.write(came, cameOf(drawn));
      for (const { batch, first, work } of parts) {
        const count = Math.min(rowsAtOnce, rows - first);
        if (count <= 0) break;
        gpu.write(batch, Uint32Array.of(count, first, candidates.count, rows));
        network.run(work, count, candidates.count);
      }
    },
    value,
  };
}
