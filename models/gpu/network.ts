import type { Parameter } from '../neural/network.ts';
import { TouchedRows } from '../neural/row-table.ts';
import type { Dispatch, Gpu, GpuArray, Kernel } from './gpu.ts';
import { cellsPerGroup } from './code.ts';
import { groupsOf } from './least-squares.ts';
import { batchColumns, type Matmul, matmulCode, matmulTile } from './matmul.ts';

/** What flows through a network, on a GPU: [rows, width], and the gradient of the loss with respect to it. */
export type GpuFlow = { readonly width: number; readonly value: GpuArray; readonly grad: GpuArray };
/** `value` is what was last saved from the GPU, and `grad` empty. */
export type GpuParameter = Parameter & { readonly on: { readonly value: GpuArray; readonly grad: GpuArray } };
/** models/neural/row-table.ts on a GPU: a parameter of whose rows a step touches some, or all. `on.grad` has theirs alone, by their places. */
export type GpuTable = GpuParameter & { readonly touched: TouchedRows };
/** A kernel, and how much of it a batch of so many rows takes; `columns`: of what it scores, where that is another number each time. */
export type Work = { kernel: Kernel; groups: (rows: number, columns: number) => Dispatch['groups'] };
/** As of models/neural/network.ts. `prepare` writes what `forward` reads. */
export type GpuStep = { prepare?: (training: boolean) => void; forward: Work[]; backward: Work[] };

const layersAre = { what: 'A layer of the network', fits: (share: number) => `${Math.floor(100 * share)} % of a batch fit; make it smaller` };
/** `share`: of what it takes, that an array holds. */
const tableIs = (rows: number, columns: number) => ({
  what: `A table of ${rows} vectors`,
  fits: (share: number) => `${Math.floor(rows * share)} of them fit, or all with ${Math.floor(columns * share)} dimensions; or train on the CPU`,
});

/** models/neural/network.ts on a GPU, in whose memory everything stays: what goes there is a batch, and what comes back a loss. */
export class GpuNetwork {
  readonly gpu: Gpu;
  readonly mostRows: number;
  readonly parameters: (GpuParameter | GpuTable)[] = [];
  /** uint32 [rows, 0, whether it trains] */
  readonly batch: GpuArray;
  /** Of the batch at hand. */
  rows = 0;
  readonly #grads: GpuArray[] = [];
  readonly #tables: TouchedRows[] = [];
  readonly #steps: GpuStep[] = [];

  constructor({ gpu, mostRows }: { gpu: Gpu; mostRows: number }) {
    this.gpu = gpu;
    this.mostRows = mostRows;
    this.batch = this.array(3);
  }

  array(length: number): GpuArray {
    return this.gpu.array(length, layersAre);
  }

  shape(...sizes: number[]): GpuArray {
    return this.gpu.arrayOf(Uint32Array.from(sizes), layersAre);
  }

  /** 0 when a step of training begins. */
  gradient(length: number): GpuArray {
    const grad = this.array(length);
    this.#grads.push(grad);
    return grad;
  }

  flow(width: number): GpuFlow {
    return { width, value: this.array(this.mostRows * width), grad: this.gradient(this.mostRows * width) };
  }

  /** @param mostTouched how many different rows a step can touch; absent: all, always */
  table(name: string, rows: number, columns: number, mostTouched?: number): GpuTable {
    const touched = new TouchedRows({ rows, mostTouched });
    const on = {
      value: this.gpu.array(rows * columns, tableIs(rows, columns)),
      grad: this.gpu.array(touched.rows.length * columns, tableIs(rows, columns)),
    };
    this.#grads.push(on.grad);
    this.#tables.push(touched);
    const table = { name, rows, columns, value: new Float32Array(rows * columns), grad: new Float32Array(0), on, touched };
    this.parameters.push(table);
    return table;
  }

  parameter(name: string, rows: number, columns: number): GpuParameter {
    const on = { value: this.array(rows * columns), grad: this.gradient(rows * columns) };
    const parameter = { name, rows, columns, value: new Float32Array(rows * columns), grad: new Float32Array(0), on };
    this.parameters.push(parameter);
    return parameter;
  }

  add(step: GpuStep): void {
    this.#steps.push(step);
  }

  /** @param sizes of the product: [m, n, k]; 0 is the batch's rows, and `batchColumns` its columns */
  matmul(
    matmul: Matmul,
    { batch = this.batch, sizes, arrays }: { batch?: GpuArray; sizes: readonly [number, number, number]; arrays: readonly GpuArray[] },
  ): Work {
    const kernel = this.gpu.kernel(matmulCode(matmul), [batch, this.shape(...sizes), ...arrays]);
    return {
      kernel,
      groups(rows, columns) {
        const tiles = (size: number) => Math.ceil((size === 0 ? rows : size === batchColumns ? columns : size) / matmulTile);
        return [tiles(sizes[1]), tiles(sizes[0])];
      },
    };
  }

  /** One thread for each of the cells of the batch's rows. Behind the batch the arrays are bound as they come. */
  cells(code: string, width: number, arrays: readonly GpuArray[]): Work {
    return { kernel: this.gpu.kernel(code, [this.batch, ...arrays]), groups: (rows) => groupsOf(Math.ceil((rows * width) / cellsPerGroup)) };
  }

  /** A group for each of so many things a row. */
  perRow(code: string, arrays: readonly GpuArray[], times = 1): Work {
    return { kernel: this.gpu.kernel(code, [this.batch, ...arrays]), groups: (rows) => groupsOf(rows * times) };
  }

  forward({ rows, training }: { rows: number; training: boolean }): void {
    this.rows = rows;
    this.gpu.write(this.batch, Uint32Array.of(rows, 0, training ? 1 : 0));
    if (training) for (const touched of this.#tables) touched.clear();
    for (const step of this.#steps) step.prepare?.(training);
    if (training) this.gpu.clear(this.#grads);
    if (rows > 0) this.run(this.#steps.flatMap(({ forward }) => forward));
  }

  backward(): void {
    if (this.rows > 0) this.run(this.#steps.toReversed().flatMap(({ backward }) => backward));
  }

  run(work: readonly Work[], rows = this.rows, columns = 0): void {
    this.gpu.run(work.map(({ kernel, groups }) => ({ kernel, groups: groups(rows, columns) })));
  }
}
