import type { Entries } from '../neural/decayed-means.ts';
import type { GpuSequences } from './attention.ts';
import { rowCode } from './code.ts';
import { bitsOf, GpuGather } from './gather.ts';
import type { GpuArray } from './gpu.ts';
import type { GpuFlow, GpuNetwork } from './network.ts';

/** shape: [decays, width of an entry, the decays]. entries: [rows, 2] place and weight. A group is a sequence, named by the row that it begins with. */
const sequence = `
  let size = shape[1];
  if (begin >= batch[0] || bounds[2u * begin] != begin) { return; }
  let end = bounds[2u * begin + 1u];`;

/** A group for each decay of a sequence. */
const forwardCode = rowCode(
  ['bounds:u32', 'entries:u32', 'vectors', 'start', '&totals', '&y'],
  `
  let begin = row / width;
  let number = row % width;${sequence}
  let decay = bitcast<f32>(shape[2u + number]);
  for (var f = t; f < size; f += 64u) {
    var all = 0f;
    var sum = 0f;
    for (var r = begin; r < end; r++) {
      let place = entries[2u * r];
      let weight = bitcast<f32>(entries[2u * r + 1u]);
      all = decay * all + weight;
      var cell = 0f;
      if (place == 0xffffffffu) { cell = start[f]; } else { cell = vectors[place * size + f]; }
      sum = decay * sum + weight * cell;
      y[(r * width + number) * size + f] = sum / all;
      if (f == 0u) { totals[r * width + number] = all; }
    }
  }`,
);

/** What the rows of a sequence do to the entries that they read, [rows, width]. */
const backwardCode = rowCode(
  ['bounds:u32', 'entries:u32', 'totals', 'dY', '&pulled'],
  `
  let begin = row;${sequence}
  for (var f = t; f < size; f += 64u) {
    for (var number = 0u; number < width; number++) {
      let decay = bitcast<f32>(shape[2u + number]);
      var sum = 0f;
      for (var r = end; r > begin; r--) {
        let own = r - 1u;
        sum = decay * sum + dY[(own * width + number) * size + f] / totals[own * width + number];
        pulled[own * size + f] = select(pulled[own * size + f], 0f, number == 0u) + bitcast<f32>(entries[2u * own + 1u]) * sum;
      }
    }
  }`,
);

type Options = {
  /** `value` and `grad` are [most, width] on the GPU; the rest is of the batch at hand. */
  entries: Omit<Entries, 'value' | 'grad'> & { value: GpuArray; grad: GpuArray; most: number };
  width: number;
  decays: readonly number[];
  sequences: GpuSequences;
  name: string;
};

/** models/neural/decayed-means.ts, which says what is computed, on a GPU. */
export function gpuDecayedMeans(network: GpuNetwork, { entries, width, decays, sequences, name }: Options): GpuFlow {
  const { gpu, mostRows } = network;
  const into = network.flow(decays.length * width);
  const start = network.parameter(name, 1, width);
  const [totals, pulled] = [network.array(mostRows * decays.length), network.array(mostRows * width)];
  const shape = network.shape(decays.length, width, ...decays.map(bitsOf));
  const read = network.array(2 * mostRows);
  const pairs = new Int32Array(2 * mostRows);
  const weights = new Float32Array(pairs.buffer);
  const from = { network, from: pulled, width, mostEntries: mostRows };
  const ofEntries = new GpuGather({ ...from, into: entries.grad, counts: new Int32Array(entries.most) });
  const ofStart = new GpuGather({ ...from, into: start.on.grad, counts: new Int32Array(1) });
  network.add({
    prepare(training) {
      const { rows } = network;
      for (let row = 0; row < rows; row += 1) {
        pairs[2 * row] = entries.places[row] as number;
        weights[2 * row + 1] = entries.weights[row] as number;
      }
      gpu.write(read, pairs.subarray(0, 2 * rows));
      if (!training) return;
      const places = entries.places.subarray(0, rows);
      ofEntries.place(places);
      ofStart.place(places.map((place) => (place < 0 ? 0 : -1)));
    },
    forward: [network.perRow(forwardCode, [shape, sequences, read, entries.value, start.on.value, totals, into.value], decays.length)],
    backward: [network.perRow(backwardCode, [shape, sequences, read, totals, into.grad, pulled]), ofEntries.work, ofStart.work],
  });
  return into;
}
