import type { Targets } from '../neural/full-softmax.ts';
import type { GpuNetwork } from './network.ts';

/** A loss of which `run` does not wait, and `value` does. */
export type LossOnGpu = {
  run(wanted: Targets): void;
  /** @throws UND-GPU-LOST, UND-GPU-MEMORY */
  value(): Promise<number>;
};

/** What each row of a batch is to be followed by, how much that counts of all, and what it adds to the loss; on the GPU, [rows]. */
export function lossRows(network: GpuNetwork) {
  const { gpu, mostRows } = network;
  const [targets, weights, losses] = [network.array(mostRows), network.array(mostRows), network.array(mostRows)];
  return {
    ...{ targets, weights, losses },
    place(wanted: Targets): void {
      const { rows } = network;
      const own = wanted.weights.subarray(0, rows);
      const total = own.reduce((sum, weight) => sum + weight, 0);
      gpu.write(targets, Uint32Array.from(wanted.items.subarray(0, rows)));
      gpu.write(
        weights,
        own.map((weight) => weight / total),
      );
    },
    async value(): Promise<number> {
      const each = new Float32Array(network.rows);
      await gpu.read([{ from: losses, into: each }]);
      return each.reduce((sum, one) => sum + one, 0);
    },
  };
}
