import { exactKernelsOver, Layout, type NetworkKernels } from '../../kernels/team.ts';

/** float32 [rows, width] at least. */
export type Points = { vectors: Float32Array; width: number };

const rowsAtOnce = 128;
const lanes = 8;

type Memory = { kernels: NetworkKernels; columns: number; at: Places<number>; rows: Float32Array; centroids: Float32Array; products: Float32Array };
type Places<T> = { rows: T; centroids: T; products: T };

/** Distances of rows to centroids by the kernels, which give the same bits on every machine. */
export class NearestCentroids {
  readonly #points: Points;
  #memory: Memory | undefined;

  constructor(points: Points) {
    this.#points = points;
  }

  /**
   * |c|^2 / 2 - x . c of each row x and centroid c, which orders the centroids as their distances do.
   * @param centroids float32 [count, width]
   * @param visit is given the place of a row among `rows`, and its numbers [count], which are others at the next
   */
  forEach(rows: Uint32Array, centroids: Float32Array, visit: (place: number, distances: Float32Array) => void): void {
    const { vectors, width } = this.#points;
    const count = centroids.length / width;
    const columns = columnsFor(count);
    const memory = this.#memoryFor(columns);
    const halves = this.#place(memory.centroids, centroids, columns);
    const distances = new Float32Array(count);
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const size = Math.min(rowsAtOnce, rows.length - from);
      for (let place = 0; place < size; place += 1) {
        const row = rows[from + place] as number;
        memory.rows.set(vectors.subarray(row * width, (row + 1) * width), place * width);
      }
      const { rows: a, centroids: b, products: c } = memory.at;
      memory.kernels.matmul(a, 4 * width, 4, b, 4 * columns, c, 4 * columns, size, columns, width, 1);
      for (let place = 0; place < size; place += 1) {
        const first = place * columns;
        for (let index = 0; index < count; index += 1) distances[index] = (halves[index] as number) - (memory.products[first + index] as number);
        visit(from + place, distances);
      }
    }
  }

  /** Index of the nearest centroid of each row; ties to the lower one. */
  nearest(rows: Uint32Array, centroids: Float32Array): Uint32Array {
    const nearest = new Uint32Array(rows.length);
    this.forEach(rows, centroids, (place, distances) => {
      nearest[place] = leastOf(distances);
    });
    return nearest;
  }

  /** As columns, for the kernel. @returns half the square of each one's length */
  #place(into: Float32Array, centroids: Float32Array, columns: number): Float64Array {
    const { width } = this.#points;
    const halves = new Float64Array(centroids.length / width);
    into.fill(0);
    for (let place = 0; place < centroids.length; place += 1) {
      const value = centroids[place] as number;
      const index = Math.floor(place / width);
      into[(place % width) * columns + index] = value;
      halves[index] = (halves[index] as number) + (value * value) / 2;
    }
    return halves;
  }

  #memoryFor(columns: number): Memory {
    if (this.#memory !== undefined && this.#memory.columns >= columns) return this.#memory;
    const sizes: Places<number> = { rows: rowsAtOnce * this.#points.width, centroids: this.#points.width * columns, products: rowsAtOnce * columns };
    const layout = new Layout();
    const at: Places<number> = {
      rows: layout.reserve(4 * sizes.rows),
      centroids: layout.reserve(4 * sizes.centroids),
      products: layout.reserve(4 * sizes.products),
    };
    const memory = layout.memory();
    const over = (place: keyof Places<number>) => new Float32Array(memory.buffer, at[place], sizes[place]);
    this.#memory = { kernels: exactKernelsOver(memory), columns, at, rows: over('rows'), centroids: over('centroids'), products: over('products') };
    return this.#memory;
  }
}

const columnsFor = (count: number): number => Math.ceil(count / lanes) * lanes;

export function leastOf(numbers: Float32Array): number {
  let least = 0;
  for (let index = 1; index < numbers.length; index += 1) if ((numbers[index] as number) < (numbers[least] as number)) least = index;
  return least;
}
