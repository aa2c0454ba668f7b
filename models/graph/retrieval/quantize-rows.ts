export type Bits = 4 | 8;
export type QuantizedRows = {
  /** [rows, blocks, blockSize * bits / 8]; with 4 bits the first of two numbers is in the lower half of a byte. */
  codes: Uint8Array;
  /** [rows * blocks] */
  scales: Float32Array;
  blocks: number;
  blockSize: number;
};

/** Measured for vectors of 40 and 64: a larger block pads more, a smaller one takes up to twice as long. `MatMulNBits` knows powers of two from 16. */
const blockSizes = [16, 32, 64] as const;

/**
 * Rows as `com.microsoft.MatMulNBits` takes them without zero points: of each block of a row, number = scale (code - 2^(bits - 1)), the largest number of the
 * block at the end of the range, so that no code stands for more than half a step. Codes behind the end of a row stand for 0.
 * @param vectors float32 [rows, width]
 */
export function quantizeRows({ vectors, width, bits }: { vectors: Float32Array; width: number; bits: Bits }): QuantizedRows {
  const blockSize = blockSizes.find((size) => size >= width) ?? 64;
  const rows = vectors.length / width;
  const blocks = Math.ceil(width / blockSize);
  const zero = 2 ** (bits - 1);
  const perByte = 8 / bits;
  const scales = new Float32Array(rows * blocks);
  const codes = new Uint8Array((rows * blocks * blockSize) / perByte).fill(bits === 8 ? zero : zero * 17);
  for (let block = 0; block < rows * blocks; block += 1) {
    const first = Math.floor(block / blocks) * width + (block % blocks) * blockSize;
    const size = Math.min(blockSize, width - (block % blocks) * blockSize);
    let largest = 0;
    for (let f = first; f < first + size; f += 1) largest = Math.max(largest, Math.abs(vectors[f] as number));
    const scale = Math.fround(largest / (zero - 1));
    // Nothing but 0, or so little that it cannot be told from it.
    if (scale === 0) continue;
    scales[block] = scale;
    for (let f = 0; f < size; f += 1) {
      const code = zero + Math.max(1 - zero, Math.min(zero - 1, Math.round((vectors[first + f] as number) / scale)));
      const place = block * blockSize + f;
      if (bits === 8) codes[place] = code;
      else codes[place >> 1] = place % 2 === 0 ? ((codes[place >> 1] as number) & 0xf0) | code : ((codes[place >> 1] as number) & 0x0f) | (code << 4);
    }
  }
  return { codes, scales, blocks, blockSize };
}
