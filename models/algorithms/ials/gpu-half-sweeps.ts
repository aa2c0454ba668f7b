import { UnderstudyError } from '../../contracts/problem.ts';
import { GpuBasis, type GpuRows } from '../../gpu/basis.ts';
import type { Gpu, GpuArray } from '../../gpu/gpu.ts';
import { groupsOf, solveRowsCode } from '../../gpu/least-squares.ts';
import type { Interactions } from '../algorithm.ts';
import { accumulate, type SparseRows, transpose } from '../sparse.ts';
import type { IalsArrays, IalsProblem, IalsSettings, Side } from './half-sweeps.ts';
import type { Stretch } from './warm-items.ts';

type Sparse = { indptr: GpuArray; columns: GpuArray; weights: GpuArray; ridges: GpuArray };

/** The half sweeps of half-sweeps.ts on a GPU: the same steps in the same order, whose sums are added up in another. */
export class GpuHalfSweeps implements IalsProblem {
  readonly #gpu: Gpu;
  readonly #width: number;
  readonly #rows: Record<Side, SparseRows>;
  readonly #sparse: Record<Side, Sparse>;
  readonly #dense: Record<Side, GpuRows>;
  readonly #spectrum: GpuArray;
  readonly #batch: GpuArray;
  readonly #basis: GpuBasis;
  readonly #code: string;

  /** @param width a multiple of 4 @throws UND-GPU-MEMORY where it takes more than there is */
  constructor({ gpu, interactions, width, settings }: { gpu: Gpu; interactions: Interactions; width: number; settings: IalsSettings }) {
    this.#gpu = gpu;
    this.#width = width;
    const users = accumulate(interactions);
    this.#rows = { users, items: transpose(users) };
    const dense = (side: Side): GpuRows => ({
      array: vectorsOf(gpu, { side, width, rowCount: this.#rows[side].rowCount }),
      rowCount: this.#rows[side].rowCount,
    });
    this.#dense = { users: dense('users'), items: dense('items') };
    this.#sparse = { users: sparseOf(gpu, this.#rows.users, settings), items: sparseOf(gpu, this.#rows.items, settings) };
    this.#spectrum = gpu.array(width, entriesAre);
    this.#batch = gpu.array(3, entriesAre);
    this.#basis = new GpuBasis({ gpu, width });
    this.#code = solveRowsCode({ width, preconditioned: settings.solver === 'preconditioned' });
  }

  indptr(side: Side): Uint32Array {
    return this.#rows[side].indptr;
  }

  load({ users, items, spectrum }: Partial<IalsArrays>): void {
    if (users !== undefined) this.#gpu.write(this.#dense.users.array, users);
    if (items !== undefined) this.#gpu.write(this.#dense.items.array, items);
    if (spectrum !== undefined) this.#gpu.write(this.#spectrum, spectrum);
  }

  async arrays(): Promise<IalsArrays> {
    const { users, items } = this.#dense;
    const into = {
      users: new Float32Array(users.rowCount * this.#width),
      items: new Float32Array(items.rowCount * this.#width),
      spectrum: new Float32Array(this.#width),
    };
    await this.#gpu.read([
      { from: users.array, into: into.users },
      { from: items.array, into: into.items },
      { from: this.#spectrum, into: into.spectrum },
    ]);
    return into;
  }

  /** @throws UND-TRAINING-DIVERGED where its numbers have grown out of all bounds; UND-GPU-LOST, UND-GPU-MEMORY */
  async turn(fixed: Side): Promise<void> {
    const eigen = await this.#basis.eigenOfGram(this.#dense[fixed]);
    if (eigen === undefined) throw new UnderstudyError('UND-TRAINING-DIVERGED', `The vectors of the ${fixed} have grown out of all bounds`);
    // Rounding may leave an eigenvalue of 0 just below it.
    this.#gpu.write(
      this.#spectrum,
      Float32Array.from(eigen.values, (value) => Math.max(0, value)),
    );
    this.#basis.rotate([this.#dense.users, this.#dense.items], eigen.vectors);
  }

  /** @throws UND-GPU-LOST, UND-GPU-MEMORY */
  async solve(side: Side, { from, to, steps }: Stretch & { steps: number }): Promise<void> {
    const { indptr, columns, weights, ridges } = this.#sparse[side];
    const other = this.#dense[side === 'users' ? 'items' : 'users'].array;
    this.#gpu.write(this.#batch, Uint32Array.of(from, to - from, steps));
    const kernel = this.#gpu.kernel(this.#code, [this.#batch, indptr, columns, weights, ridges, other, this.#spectrum, this.#dense[side].array]);
    this.#gpu.run([{ kernel, groups: groupsOf(to - from) }]);
    await this.#gpu.done();
  }

  async close(): Promise<void> {
    // The GPU takes its memory back when whoever opened it closes it.
  }
}

const entriesAre = { what: 'The events', fits: (share: number) => `${Math.floor(100 * share)} % of them fit` };

function vectorsOf(gpu: Gpu, { side, width, rowCount }: { side: Side; width: number; rowCount: number }): GpuArray {
  const fits = (share: number) => `${Math.floor((share * width) / 4) * 4} factors fit, or ${Math.floor(share * rowCount)} ${side} with ${width}`;
  return gpu.array(rowCount * width, { what: `The vectors of ${rowCount} ${side}`, fits });
}

/** lambda of a row is lambda (columns + alpha sum r)^scaling, as of `solveRows` of the CPU's kernels. */
function sparseOf(gpu: Gpu, { indptr, columns, values, rowCount, columnCount }: SparseRows, { alpha, lambda, frequencyScaling }: IalsSettings): Sparse {
  const ridges = new Float32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    let total = columnCount;
    for (let entry = indptr[row] as number; entry < (indptr[row + 1] as number); entry += 1) total += alpha * (values[entry] as number);
    ridges[row] = lambda * total ** frequencyScaling;
  }
  const weights = values.map((value) => Math.fround(alpha) * value);
  return {
    indptr: gpu.arrayOf(indptr, entriesAre),
    columns: gpu.arrayOf(columns, entriesAre),
    weights: gpu.arrayOf(weights, entriesAre),
    ridges: gpu.arrayOf(ridges, entriesAre),
  };
}
