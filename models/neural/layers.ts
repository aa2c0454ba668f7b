import { causalAttention, type Sequences } from './attention.ts';
import { addDropped, type DropoutMasks, type Flow, layerNorm, linear, type Network, relu } from './network.ts';

/** What networks are put together of, wherever they are computed: a network is written once over these. */
export type Layers<F extends { readonly width: number }> = {
  linear(input: { from: F; width: number; name: string }): F;
  layerNorm(input: { from: F; name: string }): F;
  relu(from: F): F;
  addDropped(input: { base?: F; branch: F }): F;
  causalAttention(input: { from: F; heads: number }): F;
};

/** On the CPU. @param mostLength of a sequence */
export function cpuLayers(network: Network, { masks, sequences, mostLength }: { masks: DropoutMasks; sequences: Sequences; mostLength: number }): Layers<Flow> {
  return {
    linear: (input) => linear(network, input),
    layerNorm: (input) => layerNorm(network, input),
    relu: (from) => relu(network, from),
    addDropped: (input) => addDropped(network, { ...input, masks }),
    causalAttention: (input) => causalAttention(network, { ...input, sequences, mostLength }),
  };
}
