import { UnderstudyError } from '../../contracts/problem.ts';
import { Layout, Team } from '../../kernels/team.ts';
import type { Interactions } from '../algorithm.ts';
import { fillRows, reserveRows, type SharedMatrix, type SharedRows, shapeOf } from './shared-rows.ts';
import type { Stretch } from './warm-items.ts';

export type IalsSettings = {
  /** Weight of an observed entry of confidence 1; an unobserved pair has weight 1. */
  alpha: number;
  lambda: number;
  /** 0: lambda for every row; 1: lambda times the row's total weight (Rendle et al. 2021, eq. 6: nu). */
  frequencyScaling: number;
  solver: 'preconditioned' | 'plain';
};

export type Side = 'users' | 'items';

/** The Gram matrix is summed in so many parts at most, whatever the number of threads. */
const gramPartsAtMost = 32;
const rowsPerGramPart = 1024;
/** A part of a half-sweep has about so many numbers to read, once a solver step. */
const numbersPerPart = 1 << 20;

/**
 * Users and items of the weighted problem in the kernels' memory. Both sides always stand in one basis: before the one side is solved, all are turned to where
 * the other's Gram matrix is diagonal. That changes no product of a user and an item, makes the part of the equations that all rows share a diagonal, and with
 * it as preconditioner few steps suffice: the matrix is then the identity and one rank an entry.
 *
 * Hu, Koren, Volinsky 2008 (eq. 4 and 5) with the conjugate gradient of Takács, Pilászy, Tikk 2011. The right side is that of Rendle et al.
 * 2021 (the weight-1 term is summed over all pairs, the observed ones too), so that an entry that comes twice is an entry of twice the confidence.
 */
export class HalfSweeps {
  /** float32 [rows, width] each */
  readonly users: Float32Array;
  readonly items: Float32Array;
  /** float32 [width] the diagonal, largest first, as `turn` left it */
  readonly spectrum: Float32Array;
  readonly #width: number;
  readonly #settings: IalsSettings;
  readonly #matrix: SharedMatrix;
  readonly #memory: WebAssembly.Memory;
  readonly #team: Team;
  readonly #at: Record<Side | 'spectrum' | 'parts' | 'gram' | 'values' | 'eigenScratch' | 'rotation', number>;

  /**
   * @param width a multiple of 4
   * @throws UND-TRAINING-MEMORY where it takes more than there is
   */
  constructor(input: { interactions: Interactions; width: number; settings: IalsSettings; threads: number; fused: boolean }) {
    const { interactions, width, settings, threads, fused } = input;
    const { userCount, itemCount } = interactions;
    this.#width = width;
    this.#settings = settings;
    const layout = new Layout();
    const counter = layout.reserve(64);
    const useful = Math.max(1, Math.min(threads, Math.ceil((interactions.items.length * width) / numbersPerPart)));
    const scratchBytes = 5 * 4 * width;
    const scratch = layout.reserve(useful * scratchBytes);
    const square = width * width;
    this.#at = {
      spectrum: layout.reserve(4 * width),
      values: layout.reserve(8 * width),
      gram: layout.reserve(8 * square),
      eigenScratch: layout.reserve(8 * width * (width + 2)),
      rotation: layout.reserve(4 * square),
      parts: layout.reserve(8 * square * gramPartsAtMost),
      users: layout.reserve(4 * width * userCount),
      items: layout.reserve(4 * width * itemCount),
    };
    const shape = shapeOf(interactions);
    this.#matrix = reserveRows(layout, interactions, shape);
    this.#memory = layout.memory();
    fillRows(this.#memory, interactions, { matrix: this.#matrix, table: shape.table });
    this.users = new Float32Array(this.#memory.buffer, this.#at.users, userCount * width);
    this.items = new Float32Array(this.#memory.buffer, this.#at.items, itemCount * width);
    this.spectrum = new Float32Array(this.#memory.buffer, this.#at.spectrum, width);
    this.#team = new Team({ memory: this.#memory, threads: useful, counter, scratch, scratchBytes, fused });
  }

  /** uint32 [rows + 1] where each row's entries begin. */
  indptr(side: Side): Uint32Array {
    const { indptr, rowCount } = this.#rows(side);
    return new Uint32Array(this.#memory.buffer, indptr, rowCount + 1);
  }

  /**
   * Turns both sides to where the Gram matrix of the given one is diagonal.
   * @throws UND-TRAINING-DIVERGED where its numbers have grown out of all bounds
   */
  async turn(fixed: Side): Promise<void> {
    const width = this.#width;
    const square = width * width;
    const { gram, values, eigenScratch, rotation } = this.#at;
    await this.#sumGram(fixed);
    if (this.#team.kernels.eigenSymmetric(gram, width, values, eigenScratch) !== 1)
      throw new UnderstudyError('UND-TRAINING-DIVERGED', `The vectors of the ${fixed} have grown out of all bounds`);
    const found = new Float64Array(this.#memory.buffer, values, width);
    const vectors = new Float64Array(this.#memory.buffer, gram, square);
    // Largest first: one basis, however the steps found them.
    const order = Array.from(found.keys()).sort((a, b) => (found[b] as number) - (found[a] as number) || a - b);
    const turned = new Float32Array(this.#memory.buffer, rotation, square);
    for (const [column, from] of order.entries()) {
      // Rounding may leave an eigenvalue of 0 just below it.
      this.spectrum[column] = Math.max(0, found[from] as number);
      for (let f = 0; f < width; f += 1) turned[f * width + column] = vectors[from * width + f] as number;
    }
    for (const side of ['users', 'items'] as const) {
      const { rowCount } = this.#rows(side);
      const bounds = evenBounds(rowCount, Math.ceil((rowCount * square) / (16 * numbersPerPart)));
      await this.#team.run({ kernel: 'rotateRows', bounds, args: [this.#at[side], width, rotation] });
    }
  }

  /** Solves rows of one side against the other, to which both were turned. */
  async solve(side: Side, { from, to, steps }: Stretch & { steps: number }): Promise<void> {
    const rows = this.#rows(side);
    const { alpha, lambda, frequencyScaling, solver } = this.#settings;
    const other = side === 'users' ? this.#at.items : this.#at.users;
    await this.#team.run({
      kernel: 'solveRows',
      bounds: this.#solveBounds(this.indptr(side), { from, to }),
      args: [
        ...[rows.indptr, rows.columns, rows.values, rows.table, other, this.#at.spectrum, this.#at[side], this.#width],
        ...[rows.columnCount, alpha, lambda, frequencyScaling, steps, solver === 'preconditioned' ? 1 : 0],
      ],
    });
  }

  close(): Promise<void> {
    return this.#team.close();
  }

  #rows(side: Side): SharedRows {
    return side === 'users' ? this.#matrix.byUser : this.#matrix.byItem;
  }

  async #sumGram(side: Side): Promise<void> {
    const width = this.#width;
    const square = width * width;
    const { rowCount } = this.#rows(side);
    const bounds = evenBounds(rowCount, Math.min(gramPartsAtMost, Math.ceil(rowCount / rowsPerGramPart)));
    const parts = new Float64Array(this.#memory.buffer, this.#at.parts, square * (bounds.length - 1)).fill(0);
    await this.#team.run({ kernel: 'gramRows', bounds, args: [this.#at[side], width, this.#at.parts] });
    const gram = new Float64Array(this.#memory.buffer, this.#at.gram, square).fill(0);
    for (let start = 0; start < parts.length; start += square)
      for (let place = 0; place < square; place += 1) gram[place] = (gram[place] as number) + (parts[start + place] as number);
    for (let i = 0; i < width; i += 1) for (let j = 0; j < i; j += 1) gram[i * width + j] = gram[j * width + i] as number;
  }

  #solveBounds(indptr: Uint32Array, { from, to }: Stretch): number[] {
    const bounds = [from];
    let begin = from;
    for (let row = from + 1; row <= to; row += 1) {
      const numbers = ((indptr[row] as number) - (indptr[begin] as number) + (row - begin)) * this.#width;
      if (row < to && numbers < numbersPerPart) continue;
      bounds.push(row);
      begin = row;
    }
    return bounds;
  }
}

/** Bounds of `parts` parts, at least one, that are equally long but for one row. */
function evenBounds(rowCount: number, parts: number): number[] {
  const count = Math.max(1, parts);
  return Array.from({ length: count + 1 }, (_, part) => Math.floor((part * rowCount) / count));
}
