import { evenBounds, panelColumns, productsPerPart } from './basis.ts';
import { Layout, Team } from './team.ts';
import { UnderstudyError } from '../contracts/problem.ts';

/** Rows that are exchanged at once: the rest of the matrix is read and written once for so many. */
const block = 64;

/**
 * The inverse of a symmetric positive definite matrix of single precision in place, by Gauss-Jordan exchange of blocks without pivoting, which such a matrix does
 * not need (Golub and Van Loan, "Matrix Computations", 4th ed., 4.2). The same bits for any number of threads.
 */
export class InverseInPlace {
  /** float32 [size, width], the matrix in its first `size` columns */
  readonly matrix: Float32Array;
  /** `size` rounded up to a multiple of 8. */
  readonly width: number;
  readonly #size: number;
  readonly #memory: WebAssembly.Memory;
  readonly #team: Team;
  readonly #at: Record<'matrix' | 'left' | 'right', number>;

  /** @throws UND-TRAINING-MEMORY where it takes more than there is */
  constructor({ size, threads, fused }: { size: number; threads: number; fused: boolean }) {
    this.#size = size;
    this.width = Math.ceil(size / panelColumns) * panelColumns;
    const layout = new Layout();
    const useful = Math.max(1, Math.min(threads, Math.ceil((size * size * block) / productsPerPart)));
    const team = Team.reserve(layout, { threads: useful, scratchBytes: 0, fused });
    this.#at = { matrix: layout.reserve(4 * size * this.width), left: layout.reserve(4 * size * block), right: layout.reserve(4 * this.width * block) };
    this.#memory = layout.memory();
    this.matrix = new Float32Array(this.#memory.buffer, this.#at.matrix, size * this.width);
    this.#team = team(this.#memory);
  }

  /**
   * Exchanges one block after the other; after the last the matrix is its inverse.
   * @param from first row that is not exchanged yet, where what an earlier run had then stands in `matrix`
   * @throws UND-TRAINING-DIVERGED where the matrix is not positive definite
   */
  async invert({ from = 0, onBlock }: { from?: number; onBlock?: (done: number) => Promise<void> | void } = {}): Promise<void> {
    const { matrix, width } = this;
    const size = this.#size;
    for (let begin = from; begin < size; begin += block) {
      const end = Math.min(begin + block, size);
      const inner = end - begin;
      const left = new Float32Array(this.#memory.buffer, this.#at.left, size * inner);
      const pivot = invertSmall(
        Array.from({ length: inner }, (_, i) => Float64Array.from(matrix.subarray((begin + i) * width + begin, (begin + i) * width + end))),
      );
      // The block's own rows become pivot rows: 0 + pivot rows, with the pivot itself in its own columns.
      const own = Array.from({ length: inner }, (_, i) => matrix.slice((begin + i) * width, (begin + i + 1) * width));
      this.#pack(own);
      for (let i = 0; i < inner; i += 1) {
        left.set(pivot[i] as Float64Array, (begin + i) * inner);
        matrix.fill(0, (begin + i) * width, (begin + i + 1) * width);
      }
      await this.#add(begin, end, inner);
      for (let i = 0; i < inner; i += 1) matrix.set(pivot[i] as Float64Array, (begin + i) * width + begin);
      // All others lose their share of them.
      for (let row = 0; row < size; row += 1) {
        if (row >= begin && row < end) continue;
        const place = row * width + begin;
        for (let i = 0; i < inner; i += 1) left[row * inner + i] = -(matrix[place + i] as number);
        matrix.fill(0, place, place + inner);
      }
      this.#pack(Array.from({ length: inner }, (_, i) => matrix.subarray((begin + i) * width, (begin + i + 1) * width)));
      await this.#add(0, begin, inner);
      await this.#add(end, size, inner);
      await onBlock?.(end);
    }
  }

  close(): Promise<void> {
    return this.#team.close();
  }

  #pack(rows: readonly Float32Array[]): void {
    const right = new Float32Array(this.#memory.buffer, this.#at.right, this.width * rows.length);
    for (const [i, row] of rows.entries()) {
      for (let column = 0; column < this.width; column += panelColumns)
        right.set(row.subarray(column, column + panelColumns), column * rows.length + i * panelColumns);
    }
  }

  async #add(from: number, to: number, inner: number): Promise<void> {
    if (from === to) return;
    const bounds = evenBounds(to - from, Math.ceil(((to - from) * this.width * inner) / productsPerPart)).map((bound) => from + bound);
    await this.#team.run({ kernel: 'addProducts', bounds, args: [this.#at.matrix, this.width, this.#at.left, inner, this.#at.right] });
  }
}

/** Gauss-Jordan in double precision. */
function invertSmall(matrix: Float64Array[]): Float64Array[] {
  const size = matrix.length;
  for (let k = 0; k < size; k += 1) {
    const row = matrix[k] as Float64Array;
    const pivot = row[k] as number;
    if (!(pivot > 0)) throw new UnderstudyError('UND-TRAINING-DIVERGED', 'The matrix to be inverted is not positive definite: raise the regularization');
    row[k] = 1;
    for (let j = 0; j < size; j += 1) row[j] = (row[j] as number) / pivot;
    for (let i = 0; i < size; i += 1) {
      if (i === k) continue;
      const other = matrix[i] as Float64Array;
      const factor = other[k] as number;
      other[k] = 0;
      for (let j = 0; j < size; j += 1) other[j] = (other[j] as number) - factor * (row[j] as number);
    }
  }
  return matrix;
}
