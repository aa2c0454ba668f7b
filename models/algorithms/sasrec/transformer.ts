import type { Layers } from '../../neural/layers.ts';
import type { Flow, Network } from '../../neural/network.ts';
import type { RowTable } from '../../neural/row-table.ts';

export type Shape = {
  width: number;
  heads: number;
  blocks: number;
  /** Of the hidden layer of a feed-forward network. */
  inner: number;
};

/**
 * Kang and McAuley, "Self-attentive sequential recommendation" (2018), section III, with each part's normalization before it and one more at the end, as
 * later implementations have it: embedding sqrt(width) E [item] + P [position], then blocks of attention and a feed-forward network of two layers, both
 * added to what goes by. Written once for wherever it is computed.
 */
export function transformer<F extends { readonly width: number }>(layers: Layers<F>, { embedded, shape }: { embedded: F; shape: Shape }): F {
  const { linear, layerNorm, relu, addDropped, causalAttention } = layers;
  const { width, heads, blocks, inner } = shape;
  let stream = addDropped({ branch: embedded });
  for (let block = 0; block < blocks; block += 1) {
    const name = `block ${block}`;
    const normal = layerNorm({ from: stream, name: `${name}.before attention` });
    const attended = causalAttention({ from: linear({ from: normal, width: 3 * width, name: `${name}.attention` }), heads });
    stream = addDropped({ base: stream, branch: linear({ from: attended, width, name: `${name}.attended` }) });
    const hidden = linear({ from: layerNorm({ from: stream, name: `${name}.before inner` }), width: inner, name: `${name}.inner` });
    stream = addDropped({ base: stream, branch: linear({ from: relu(hidden), width, name: `${name}.outer` }) });
  }
  return layerNorm({ from: stream, name: 'last' });
}

/** By how much the vectors of items are made larger before a position's is added. */
export const embeddingScale = (width: number): number => Math.sqrt(width);

/** On the CPU. @param mostLength of a sequence */
export function embedded(
  network: Network,
  { items, batch, mostLength }: { items: RowTable; batch: { items: Int32Array; positions: Int32Array }; mostLength: number },
): Flow {
  const { width } = items;
  const into = network.flow(width);
  const positions = network.parameter('positions', mostLength, width);
  const scale = embeddingScale(width);
  network.add({
    forward() {
      for (let row = 0; row < network.rows; row += 1) {
        const [item, position] = [(batch.items[row] as number) * width, (batch.positions[row] as number) * width];
        for (let f = 0; f < width; f += 1) into.value[row * width + f] = scale * (items.value[item + f] as number) + (positions.value[position + f] as number);
      }
    },
    backward() {
      for (let row = 0; row < network.rows; row += 1) {
        const [item, position] = [items.gradOf(batch.items[row] as number), (batch.positions[row] as number) * width];
        for (let f = 0; f < width; f += 1) {
          const grad = into.grad[row * width + f] as number;
          items.grad[item + f] = (items.grad[item + f] as number) + scale * grad;
          positions.grad[position + f] = (positions.grad[position + f] as number) + grad;
        }
      }
    },
  });
  return into;
}
