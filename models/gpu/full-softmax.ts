import type { Targets } from '../neural/full-softmax.ts';
import { rowCode } from './code.ts';
import type { GpuArray } from './gpu.ts';
import { groupsOf } from './least-squares.ts';
import { type LossOnGpu, lossRows } from './loss-rows.ts';
import type { GpuFlow, GpuNetwork, GpuParameter, Work } from './network.ts';

/** Of scores that are held at a time: 128 MiB. */
export const scoresAtOnce = 32 * 2 ** 20;

/** Scores become the loss's slopes. A target counts by its weight, which is a share of all weights already. */
const slopesCode = rowCode(
  ['targets:u32', 'weights', '&scores', '&losses'],
  `
  if (row >= batch[0]) { return; }
  let first = row * width;
  let place = batch[1] + row;
  var most = -1e30f;
  for (var c = t; c < width; c += 64u) { most = max(most, scores[first + c]); }
  let top = largest(t, most);
  var sum = 0f;
  for (var c = t; c < width; c += 64u) { sum += exp(scores[first + c] - top); }
  let all = total(t, sum);
  let weight = weights[place];
  if (t == 0u) { losses[place] = weight * (log(all) + top - scores[first + targets[place]]); }
  storageBarrier();
  workgroupBarrier();
  for (var c = t; c < width; c += 64u) { scores[first + c] = weight * (exp(scores[first + c] - top) / all - select(0f, 1f, c == targets[place])); }`,
);

/**
 * models/neural/full-softmax.ts, which says what is computed, on a GPU. `run` adds the gradients to those of `from` and the table and does not wait; what the
 * loss then is, `value` waits for.
 */
export function gpuFullSoftmax({ network, from, table, items }: { network: GpuNetwork; from: GpuFlow; table: GpuParameter; items: number }): LossOnGpu {
  const { gpu, mostRows } = network;
  const { width } = from;
  const rowsAtOnce = Math.max(1, Math.min(mostRows, Math.floor(scoresAtOnce / items)));
  const scores = network.array(rowsAtOnce * items);
  const { targets, weights, losses, place, value } = lossRows(network);
  const shape = network.shape(items);
  const parts = Array.from({ length: Math.ceil(mostRows / rowsAtOnce) }, (_, number) => partOf(number * rowsAtOnce));

  function partOf(first: number): { batch: GpuArray; first: number; work: Work[] } {
    const batch = network.array(2);
    const work = [
      network.matmul({ a: { part: true }, b: { turned: true }, add: false }, { batch, sizes: [0, items, width], arrays: [from.value, table.on.value, scores] }),
      { kernel: gpu.kernel(slopesCode, [batch, shape, targets, weights, scores, losses]), groups: groupsOf },
      network.matmul({ c: { part: true }, add: true }, { batch, sizes: [0, width, items], arrays: [scores, table.on.value, from.grad] }),
      network.matmul({ a: { turned: true }, b: { part: true }, add: true }, { batch, sizes: [items, width, 0], arrays: [scores, from.value, table.on.grad] }),
    ];
    return { batch, first, work };
  }

  return {
    run(wanted: Targets): void {
      const { rows } = network;
      place(wanted);
      for (const { batch, first, work } of parts) {
        const count = Math.min(rowsAtOnce, rows - first);
        if (count <= 0) break;
        gpu.write(batch, Uint32Array.of(count, first));
        network.run(work, count);
      }
    },
    value,
  };
}
