import { UnderstudyError } from '../../contracts/problem.ts';
import { Basis, type DenseRows, entryBounds, numbersPerPart, scratchBytesOf } from '../../kernels/basis.ts';
import { fillRows, reserveRows, type SharedMatrix, type SharedRows, shapeOf } from '../../kernels/shared-rows.ts';
import { Layout, Team } from '../../kernels/team.ts';
import type { Interactions } from '../algorithm.ts';
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
/** float32 [rows, width] each, and [width] the diagonal that `turn` left. */
export type IalsArrays = { users: Float32Array; items: Float32Array; spectrum: Float32Array };

/** The weighted problem, wherever it is worked on. Both sides always stand in one basis. */
export interface IalsProblem {
  /** uint32 [rows + 1] where each row's entries begin. */
  indptr(side: Side): Uint32Array;
  load(arrays: Partial<IalsArrays>): void;
  /** As they are now; to be read before the next step. */
  arrays(): IalsArrays | Promise<IalsArrays>;
  /** Turns both sides to where the Gram matrix of the given one is diagonal. @throws UND-TRAINING-DIVERGED where its numbers have grown out of all bounds */
  turn(fixed: Side): Promise<void>;
  /** Solves rows of one side against the other, to which both were turned. */
  solve(side: Side, rows: Stretch & { steps: number }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Users and items of the weighted problem in the kernels' memory. Both sides always stand in one basis: before the one side is solved, all are turned to where
 * the other's Gram matrix is diagonal. That changes no product of a user and an item, makes the part of the equations that all rows share a diagonal, and with
 * it as preconditioner few steps suffice: the matrix is then the identity and one rank an entry.
 *
 * Hu, Koren, Volinsky 2008 (eq. 4 and 5) with the conjugate gradient of Takács, Pilászy, Tikk 2011. The right side is that of Rendle et al.
 * 2021 (the weight-1 term is summed over all pairs, the observed ones too), so that an entry that comes twice is an entry of twice the confidence.
 */
export class HalfSweeps implements IalsProblem {
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
  readonly #basis: Basis;
  readonly #at: Record<Side | 'spectrum', number>;

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
    const useful = Math.max(1, Math.min(threads, Math.ceil((interactions.items.length * width) / numbersPerPart)));
    const team = Team.reserve(layout, { threads: useful, scratchBytes: scratchBytesOf(width), fused });
    const basis = Basis.reserve(layout, width);
    this.#at = { spectrum: layout.reserve(4 * width), users: layout.reserve(4 * width * userCount), items: layout.reserve(4 * width * itemCount) };
    const shape = shapeOf(interactions);
    this.#matrix = reserveRows(layout, interactions, shape);
    this.#memory = layout.memory();
    fillRows(this.#memory, interactions, { matrix: this.#matrix, table: shape.table });
    this.users = new Float32Array(this.#memory.buffer, this.#at.users, userCount * width);
    this.items = new Float32Array(this.#memory.buffer, this.#at.items, itemCount * width);
    this.spectrum = new Float32Array(this.#memory.buffer, this.#at.spectrum, width);
    this.#team = team(this.#memory);
    this.#basis = basis(this.#memory, this.#team);
  }

  /** uint32 [rows + 1] where each row's entries begin. */
  indptr(side: Side): Uint32Array {
    const { indptr, rowCount } = this.#rows(side);
    return new Uint32Array(this.#memory.buffer, indptr, rowCount + 1);
  }

  load(arrays: Partial<IalsArrays>): void {
    const own = this.arrays();
    for (const [name, numbers] of Object.entries(arrays)) own[name as keyof IalsArrays].set(numbers);
  }

  arrays(): IalsArrays {
    return { users: this.users, items: this.items, spectrum: this.spectrum };
  }

  /**
   * Turns both sides to where the Gram matrix of the given one is diagonal.
   * @throws UND-TRAINING-DIVERGED where its numbers have grown out of all bounds
   */
  async turn(fixed: Side): Promise<void> {
    await this.#basis.gram(this.#dense(fixed));
    const eigen = this.#basis.eigen();
    if (eigen === undefined) throw new UnderstudyError('UND-TRAINING-DIVERGED', `The vectors of the ${fixed} have grown out of all bounds`);
    // Rounding may leave an eigenvalue of 0 just below it.
    this.spectrum.set(eigen.values.map((value) => Math.max(0, value)));
    await this.#basis.rotate([this.#dense('users'), this.#dense('items')], eigen.vectors);
  }

  /** Solves rows of one side against the other, to which both were turned. */
  async solve(side: Side, { from, to, steps }: Stretch & { steps: number }): Promise<void> {
    const rows = this.#rows(side);
    const { alpha, lambda, frequencyScaling, solver } = this.#settings;
    const other = side === 'users' ? this.#at.items : this.#at.users;
    await this.#team.run({
      kernel: 'solveRows',
      bounds: entryBounds(this.indptr(side), { from, to, width: this.#width }),
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

  #dense(side: Side): DenseRows {
    return { at: this.#at[side], rowCount: this.#rows(side).rowCount };
  }
}
