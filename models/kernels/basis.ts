import { type Eigen, eigenAt } from './eigen.ts';
import type { Layout, Team } from './team.ts';

/** A Gram matrix is summed in so many parts at most, whatever the number of threads. */
const gramPartsAtMost = 32;
const rowsPerGramPart = 1024;
/** A part of a product of matrices multiplies about so often. */
export const productsPerPart = 1 << 24;
/** How `rotateRows` reads its matrix, and rows of scratch that it takes. */
export const panelColumns = 8;
const rotationScratchRows = 32;

/** Bytes of scratch that a thread takes for rows of this width: `rotateRows` takes most. */
export const scratchBytesOf = (width: number): number => 4 * rotationScratchRows * (width + panelColumns);

/** Rows of float32 in the kernels' memory. */
export type DenseRows = { at: number; rowCount: number };

type Places = Record<'gram' | 'values' | 'scratch' | 'rotation' | 'parts', number>;

/** What is done with rows of one width: their Gram matrix, its eigenvectors, and their product with a small matrix. */
export class Basis {
  readonly #width: number;
  readonly #at: Places;
  readonly #memory: WebAssembly.Memory;
  readonly #team: Team;

  /** Places are reserved first and used when the memory is there. */
  static reserve(layout: Layout, width: number): (memory: WebAssembly.Memory, team: Team) => Basis {
    const square = width * width;
    const at = {
      values: layout.reserve(8 * width),
      gram: layout.reserve(8 * square),
      scratch: layout.reserve(8 * width * (width + 2)),
      rotation: layout.reserve(4 * width * (width + panelColumns)),
      parts: layout.reserve(8 * square * gramPartsAtMost),
    };
    return (memory, team) => new Basis({ width, at, memory, team });
  }

  private constructor(input: { width: number; at: Places; memory: WebAssembly.Memory; team: Team }) {
    this.#width = input.width;
    this.#at = input.at;
    this.#memory = input.memory;
    this.#team = input.team;
  }

  /** float64 [width, width], symmetric; good until the next call of `gram` or `eigen`. */
  async gram({ at, rowCount }: DenseRows): Promise<Float64Array> {
    const width = this.#width;
    const square = width * width;
    const bounds = evenBounds(rowCount, Math.min(gramPartsAtMost, Math.ceil(rowCount / rowsPerGramPart)));
    const parts = new Float64Array(this.#memory.buffer, this.#at.parts, square * (bounds.length - 1)).fill(0);
    await this.#team.run({ kernel: 'gramRows', bounds, args: [at, width, this.#at.parts] });
    const gram = new Float64Array(this.#memory.buffer, this.#at.gram, square).fill(0);
    for (let start = 0; start < parts.length; start += square)
      for (let place = 0; place < square; place += 1) gram[place] = (gram[place] as number) + (parts[start + place] as number);
    for (let i = 0; i < width; i += 1) for (let j = 0; j < i; j += 1) gram[i * width + j] = gram[j * width + i] as number;
    return gram;
  }

  /** Of the matrix that `gram` gave, which is overwritten. Undefined where its numbers are none. */
  eigen(): Eigen | undefined {
    return eigenAt({ memory: this.#memory, kernels: this.#team.kernels, at: this.#at, width: this.#width });
  }

  /**
   * Rows times a matrix, in place, for each of the sets of rows.
   * @param column float64 [width] of each column
   */
  async rotate(sets: readonly DenseRows[], column: (k: number) => ArrayLike<number>): Promise<void> {
    const width = this.#width;
    const { rotation } = this.#at;
    const panels = new Float32Array(this.#memory.buffer, rotation, width * Math.ceil(width / panelColumns) * panelColumns).fill(0);
    for (let k = 0; k < width; k += 1) {
      const numbers = column(k);
      const at = Math.floor(k / panelColumns) * width * panelColumns + (k % panelColumns);
      for (let f = 0; f < width; f += 1) panels[at + f * panelColumns] = numbers[f] as number;
    }
    for (const { at, rowCount } of sets) {
      const bounds = evenBounds(rowCount, Math.ceil((rowCount * width * width) / productsPerPart));
      await this.#team.run({ kernel: 'rotateRows', bounds, args: [at, width, rotation] });
    }
  }
}

/** Bounds of `parts` parts, at least one, that are equally long but for one row. */
export function evenBounds(rowCount: number, parts: number): number[] {
  const count = Math.max(1, parts);
  return Array.from({ length: count + 1 }, (_, part) => Math.floor((part * rowCount) / count));
}

/**
 * Bounds of parts of rows `from .. to - 1` that have about the same number of entries.
 * @param indptr uint32 [rows + 1] where each row's entries begin
 */
export function entryBounds(indptr: Uint32Array, { from, to, width }: { from: number; to: number; width: number }): number[] {
  const bounds = [from];
  let begin = from;
  for (let row = from + 1; row <= to; row += 1) {
    const numbers = ((indptr[row] as number) - (indptr[begin] as number) + (row - begin)) * width;
    if (row < to && numbers < numbersPerPart) continue;
    bounds.push(row);
    begin = row;
  }
  return bounds;
}

/** A part of sparse rows reads about so many numbers, its entries times their width. */
export const numbersPerPart = 1 << 20;
