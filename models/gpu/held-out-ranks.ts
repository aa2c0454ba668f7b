import { askedAtMost } from '../neural/held-out-ranks.ts';
import type { Batch, Histories } from '../neural/histories.ts';
import { rowCode } from './code.ts';
import { groupsOf } from './least-squares.ts';
import type { GpuArray } from './gpu.ts';
import type { GpuFlow, GpuNetwork } from './network.ts';

const ranksCode = rowCode(
  ['lasts:u32', 'targets:u32', 'vectors', 'table', 'known:u32', '&better'],
  `
  if (row >= batch[0]) { return; }
  let from0 = lasts[row] * width;
  var own = 0f;
  for (var f = 0u; f < width; f++) { own += vectors[from0 + f] * table[targets[row] * width + f]; }
  var count = 0f;
  for (var item = t; item < shape[1]; item += 64u) {
    var score = 0f;
    for (var f = 0u; f < width; f++) { score += vectors[from0 + f] * table[item * width + f]; }
    if (item != targets[row] && known[item] != 0u && score >= own) { count += select(0.5f, 1f, score > own); }
  }
  let all = total(t, count);
  if (t == 0u) { better[row] = all; }`,
);

type Options = {
  network: GpuNetwork;
  from: GpuFlow;
  /** [items, width] */
  vectors: GpuArray;
  items: number;
  /** [items] 0 where an item is never better than another; absent: nowhere */
  known?: Uint8Array;
  batch: Batch /** Called when the batch is filled, before it goes through the network. */;
  prepare: () => void;
};

/** models/neural/held-out-ranks.ts, which says what is measured, on a GPU. @returns undefined where nothing is held out */
export function gpuHeldOutRanks({ network, from, vectors, items, known, batch, prepare }: Options): (histories: Histories) => Promise<number | undefined> {
  const { gpu, mostRows } = network;
  const [count, lasts, targets, better] = [network.array(1), network.array(mostRows), network.array(mostRows), network.array(mostRows)];
  const knownOnes = network.array(items);
  gpu.write(knownOnes, known === undefined ? new Uint32Array(items).fill(1) : Uint32Array.from(known));
  const kernel = gpu.kernel(ranksCode, [count, network.shape(from.width, items), lasts, targets, from.value, vectors, knownOnes, better]);
  return async (histories) => {
    const asked = Math.min(histories.heldOut.length, askedAtMost(items));
    let sum = 0;
    let scored = 0;
    for (let next = 0; next < asked; ) {
      next = histories.fillHeldOut(batch, next);
      prepare();
      network.forward({ rows: batch.rows, training: false });
      const sequences = batch.sequences.count;
      const last = Uint32Array.from({ length: sequences }, (_, sequence) => (batch.sequences.starts[sequence + 1] as number) - 1);
      gpu.write(count, Uint32Array.of(sequences));
      gpu.write(lasts, last);
      gpu.write(
        targets,
        Uint32Array.from(last, (row) => batch.targets.items[row] as number),
      );
      gpu.run([{ kernel, groups: groupsOf(sequences) }]);
      const counted = new Float32Array(sequences);
      await gpu.read([{ from: better, into: counted }]);
      sum += counted.reduce((total, one) => total + 1 / Math.log2(2 + one), 0);
      scored += sequences;
    }
    return scored === 0 ? undefined : sum / scored;
  };
}
