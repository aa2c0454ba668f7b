import { causalAttention, type Sequences } from '../../neural/attention.ts';
import { addDropped, DropoutMasks, type Flow, layerNorm, linear, type Network, relu } from '../../neural/network.ts';
import type { RowTable } from '../../neural/row-table.ts';

export type Shape = {
  width: number;
  heads: number;
  blocks: number;
  /** Of the hidden layer of a feed-forward network. */
  inner: number;
};

export type Transformer = { network: Network; masks: DropoutMasks; out: Flow };

/**
 * Kang and McAuley, "Self-attentive sequential recommendation" (2018), section III, with each part's normalization before it and one more at the end, as
 * later implementations have it: embedding sqrt(width) E [item] + P [position], then blocks of attention and a feed-forward network of two layers, both
 * added to what goes by.
 * @param mostRows of a batch
 * @param mostLength of a sequence
 */
export function transformer(
  network: Network,
  {
    items,
    shape,
    dropout,
    batch,
    mostLength,
  }: { items: RowTable; shape: Shape; dropout: number; batch: { items: Int32Array; positions: Int32Array; sequences: Sequences }; mostLength: number },
): Transformer {
  const { width, heads, blocks, inner } = shape;
  const masks = new DropoutMasks(dropout);
  let stream = addDropped(network, { branch: embedded(network, { items, batch, mostLength }), masks });
  for (let block = 0; block < blocks; block += 1) {
    const name = `block ${block}`;
    const attended = causalAttention(network, {
      from: linear(network, { from: layerNorm(network, { from: stream, name: `${name}.before attention` }), width: 3 * width, name: `${name}.attention` }),
      ...{ heads, sequences: batch.sequences, mostLength },
    });
    stream = addDropped(network, { base: stream, branch: linear(network, { from: attended, width, name: `${name}.attended` }), masks });
    const hidden = linear(network, { from: layerNorm(network, { from: stream, name: `${name}.before inner` }), width: inner, name: `${name}.inner` });
    stream = addDropped(network, { base: stream, branch: linear(network, { from: relu(network, hidden), width, name: `${name}.outer` }), masks });
  }
  return { network, masks, out: layerNorm(network, { from: stream, name: 'last' }) };
}

function embedded(
  network: Network,
  { items, batch, mostLength }: { items: RowTable; batch: { items: Int32Array; positions: Int32Array }; mostLength: number },
): Flow {
  const { width } = items;
  const into = network.flow(width);
  const positions = network.parameter('positions', mostLength, width);
  const scale = Math.sqrt(width);
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
