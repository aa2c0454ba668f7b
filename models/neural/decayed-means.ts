import type { Sequences } from './attention.ts';
import type { Flow, Network } from './network.ts';

/** Vectors of which the rows of a batch read one each. */
export type Entries = {
  /** By place. */
  value: Float32Array;
  grad: Float32Array;
  /** [rows] which of them; -1: the parameter that begins a sequence */
  places: Int32Array;
  /** [rows] > 0 */
  weights: Float32Array;
};

/**
 * Weighted means of what stands before and at each row of its sequence, one for each decay d, beside each other:
 *
 *   mean_r = sum_j w_j d^(r - j) v_j / sum_j w_j d^(r - j),   j = start .. r
 *
 * Both sums go on from row to row, so that a row costs the same whatever stands before it.
 */
export function decayedMeans(
  network: Network,
  { entries, width, decays, sequences, name }: { entries: Entries; width: number; decays: readonly number[]; sequences: Sequences; name: string },
): Flow {
  const into = network.flow(decays.length * width);
  const start = network.parameter(name, 1, width);
  const totals = new Float64Array(network.mostRows * decays.length);
  const sums = new Float64Array(width);
  network.add({
    forward() {
      for (let sequence = 0; sequence < sequences.count; sequence += 1) {
        const [begin, end] = [sequences.starts[sequence] as number, sequences.starts[sequence + 1] as number];
        for (const [index, decay] of decays.entries()) {
          sums.fill(0);
          let total = 0;
          for (let row = begin; row < end; row += 1) {
            const place = entries.places[row] as number;
            const weight = entries.weights[row] as number;
            const [from, first] = place < 0 ? [start.value, 0] : [entries.value, place * width];
            total = decay * total + weight;
            totals[row * decays.length + index] = total;
            const to = row * into.width + index * width;
            for (let f = 0; f < width; f += 1) {
              const sum = decay * (sums[f] as number) + weight * (from[first + f] as number);
              sums[f] = sum;
              into.value[to + f] = sum / total;
            }
          }
        }
      }
    },
    backward() {
      for (let sequence = 0; sequence < sequences.count; sequence += 1) {
        const [begin, end] = [sequences.starts[sequence] as number, sequences.starts[sequence + 1] as number];
        for (const [index, decay] of decays.entries()) {
          sums.fill(0);
          for (let row = end - 1; row >= begin; row -= 1) {
            const place = entries.places[row] as number;
            const weight = entries.weights[row] as number;
            const [to, first] = place < 0 ? [start.grad, 0] : [entries.grad, place * width];
            const total = totals[row * decays.length + index] as number;
            const from = row * into.width + index * width;
            for (let f = 0; f < width; f += 1) {
              const sum = decay * (sums[f] as number) + (into.grad[from + f] as number) / total;
              sums[f] = sum;
              to[first + f] = (to[first + f] as number) + weight * sum;
            }
          }
        }
      }
    },
  });
  return into;
}
