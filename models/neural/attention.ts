import type { Flow, Network } from './network.ts';
import { at } from './workspace.ts';

/** Rows of a batch that belong together, one after the other: those of sequence s are `starts[s] .. starts[s + 1]`. */
export type Sequences = { count: number; starts: Uint32Array };

const bytesPerFloat = 4;
const nothing = -1e30;
const roundUp = (count: number): number => Math.ceil(count / 8) * 8;

/**
 * Causal attention within each sequence: softmax(Q K' / sqrt(width / heads)) V over what stands before and at a row. Sequences of any lengths lie packed in
 * a batch; nothing is computed across them, or for padding. Vaswani et al., "Attention is all you need" (2017), section 3.2.
 * @param from [rows, 3 width]: queries, keys and values
 */
export function causalAttention(
  network: Network,
  { from, heads, sequences, mostLength }: { from: Flow; heads: number; sequences: Sequences; mostLength: number },
): Flow {
  const { workspace } = network;
  const width = from.width / 3;
  const into = network.flow(width);
  const headWidth = width / heads;
  const scale = 1 / Math.sqrt(headWidth);
  const widest = roundUp(mostLength);
  /** The attention of every row, sequence after sequence and head after head. */
  const shares = workspace.floats(network.mostRows * widest * heads);
  const dShares = workspace.floats(mostLength * widest);
  const turned = workspace.floats(headWidth * widest);
  const largest = workspace.floats(mostLength);
  const sums = workspace.floats(mostLength);
  const [fromRow, intoRow] = [from.width * bytesPerFloat, width * bytesPerFloat];

  /** Keys or values of a head, [headWidth, columns]; 0 behind the last row. */
  const turn = (start: number, length: number, column: number, columns: number): void => {
    for (let f = 0; f < headWidth; f += 1) {
      for (let row = 0; row < length; row += 1) turned[f * columns + row] = from.value[(start + row) * from.width + column + f] as number;
      turned.fill(0, f * columns + length, (f + 1) * columns);
    }
  };
  const each = (visit: (place: { start: number; length: number; columns: number; head: number; share: number }) => void): void => {
    let share = 0;
    for (let sequence = 0; sequence < sequences.count; sequence += 1) {
      const start = sequences.starts[sequence] as number;
      const length = (sequences.starts[sequence + 1] as number) - start;
      const columns = roundUp(length);
      for (let head = 0; head < heads; head += 1) {
        visit({ start, length, columns, head, share });
        share += length * columns;
      }
    }
  };
  network.add({
    forward() {
      const { matmul, rowMax, rowExp } = workspace.kernels;
      each(({ start, length, columns, head, share }) => {
        const query = head * headWidth;
        const row = columns * bytesPerFloat;
        turn(start, length, width + query, columns);
        const first = at(from.value, start * from.width);
        matmul(first + query * bytesPerFloat, fromRow, bytesPerFloat, at(turned), row, at(shares, share), row, length, columns, headWidth, 1);
        for (let i = 0; i < length; i += 1) {
          const begin = share + i * columns;
          for (let j = 0; j <= i; j += 1) shares[begin + j] = (shares[begin + j] as number) * scale;
          shares.fill(nothing, begin + i + 1, begin + columns);
        }
        largest.fill(nothing, 0, length);
        sums.fill(0, 0, length);
        rowMax(at(shares, share), row, length, columns, at(largest));
        rowExp(at(shares, share), row, length, columns, at(largest), at(sums));
        for (let i = 0; i < length; i += 1) {
          const begin = share + i * columns;
          const share1 = 1 / (sums[i] as number);
          for (let j = 0; j <= i; j += 1) shares[begin + j] = (shares[begin + j] as number) * share1;
          shares.fill(0, begin + i + 1, begin + columns);
        }
        const values = first + (2 * width + query) * bytesPerFloat;
        const out = at(into.value, start * width + query);
        matmul(at(shares, share), row, bytesPerFloat, values, fromRow, out, intoRow, length, headWidth, length, 1);
      });
    },
    backward() {
      const { matmul } = workspace.kernels;
      each(({ start, length, columns, head, share }) => {
        const query = head * headWidth;
        const row = columns * bytesPerFloat;
        const dOut = at(into.grad, start * width + query);
        const [first, dFirst] = [at(from.value, start * from.width + query), at(from.grad, start * from.width + query)];
        const [keys, values] = [width * bytesPerFloat, 2 * width * bytesPerFloat];
        matmul(at(shares, share), bytesPerFloat, row, dOut, intoRow, dFirst + values, fromRow, length, headWidth, length, 0);
        turn(start, length, 2 * width + query, columns);
        matmul(dOut, intoRow, bytesPerFloat, at(turned), row, at(dShares), row, length, columns, headWidth, 1);
        for (let i = 0; i < length; i += 1) {
          const [begin, own] = [share + i * columns, i * columns];
          let mean = 0;
          for (let j = 0; j <= i; j += 1) mean += (shares[begin + j] as number) * (dShares[own + j] as number);
          for (let j = 0; j <= i; j += 1) dShares[own + j] = (shares[begin + j] as number) * ((dShares[own + j] as number) - mean) * scale;
          dShares.fill(0, own + i + 1, own + columns);
        }
        matmul(at(dShares), row, bytesPerFloat, first + keys, fromRow, dFirst, fromRow, length, headWidth, length, 0);
        matmul(at(dShares), bytesPerFloat, row, first, fromRow, dFirst + keys, fromRow, length, headWidth, length, 0);
      });
    },
  });
  return into;
}
