import { elementCodes, type OnnxBuilder, type Value } from '../onnx-builder.ts';
import { type QuantizedRows, quantizeRows } from './quantize-rows.ts';

/** Vectors of items as a graph is to hold them. */
export type ItemVectors = {
  /** float32 [itemCount + 1, width]; the last row is the padding's. */
  vectors: Float32Array;
  width: number;
  /** Present: the graph holds these, which are `vectors` to the bit (`roundVectors`), and no float32 of them. */
  codes?: QuantizedRows | undefined;
};

/** The vectors of items in a graph. */
export type ItemTable = ItemVectors & {
  /** Every one, float32 [itemCount + 1, width], or codes of 8 bits with their scales as `com.microsoft.MatMulNBits` takes them. */
  held: { whole: Value } | { codes: Value; scales: Value };
  /** float32 [m, width]. @param indexes int64 or int32 [m] */
  rows(indexes: Value): Value;
};

const zeroCode = 128;

/** The nearest vectors that 8 bits hold, and their codes. */
export function roundVectors({ vectors, width }: ItemVectors): Required<ItemVectors> {
  const codes = quantizeRows({ vectors, width, bits: 8 });
  const { blocks, blockSize } = codes;
  const rounded = new Float32Array(vectors.length);
  for (let row = 0; row < vectors.length / width; row += 1) {
    for (let f = 0; f < width; f += 1) {
      const scale = codes.scales[row * blocks + Math.floor(f / blockSize)] as number;
      rounded[row * width + f] = scale * ((codes.codes[row * blocks * blockSize + f] as number) - zeroCode);
    }
  }
  return { vectors: rounded, width, codes };
}

export function itemTable(graph: OnnxBuilder, { name, ...of }: ItemVectors & { name: string }): ItemTable {
  const { vectors, width, codes } = of;
  const rowCount = vectors.length / width;
  if (codes === undefined) {
    const whole = graph.constant(vectors, [rowCount, width], name);
    return { ...of, held: { whole }, rows: (indexes) => graph.node('Gather', [whole, indexes]) };
  }
  const { blocks, blockSize } = codes;
  const held = {
    codes: graph.constant(codes.codes, [rowCount, blocks, blockSize], `${name}_codes`),
    scales: graph.constant(codes.scales, [rowCount, blocks], `${name}_scales`),
  };
  return {
    ...of,
    held,
    // Of what is asked for alone: as float32, the whole table would be in memory again.
    rows(indexes) {
      const numbers = graph.node('Cast', [graph.node('Gather', [held.codes, indexes])], { to: { int: elementCodes.float32 } });
      const scales = graph.node('Unsqueeze', [graph.node('Gather', [held.scales, indexes]), graph.int64(2)]);
      const scaled = graph.node('Mul', [graph.node('Sub', [numbers, graph.float32(zeroCode)]), scales]);
      const flat = graph.node('Reshape', [scaled, graph.constant([-1, blocks * blockSize], [2])]);
      return blocks * blockSize === width ? flat : graph.node('Slice', [flat, graph.int64(0), graph.int64(width), graph.int64(1)]);
    },
  };
}
