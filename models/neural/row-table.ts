import type { Workspace } from './workspace.ts';

/** Which rows of a table a step touches, and the place of each among them. In a `whole` table every row is touched in every step, and has the place r. */
export class TouchedRows {
  readonly whole: boolean;
  /** [count] by place */
  readonly rows: Int32Array;
  count = 0;
  readonly #places: Int32Array;

  /** @param mostTouched how many different rows a step can touch; absent: all, always */
  constructor({ rows, mostTouched }: { rows: number; mostTouched?: number | undefined }) {
    this.whole = mostTouched === undefined || mostTouched >= rows;
    this.rows = new Int32Array(this.whole ? rows : (mostTouched as number));
    this.#places = new Int32Array(this.whole ? 0 : rows).fill(-1);
    if (!this.whole) return;
    for (let row = 0; row < rows; row += 1) this.rows[row] = row;
    this.count = rows;
  }

  /** Forgets the step before. */
  clear(): void {
    if (this.whole) return;
    for (let place = 0; place < this.count; place += 1) this.#places[this.rows[place] as number] = -1;
    this.count = 0;
  }

  /** The row counts as touched. */
  placeOf(row: number): number {
    if (this.whole) return row;
    let place = this.#places[row] as number;
    if (place < 0) {
      place = this.count;
      this.count += 1;
      this.#places[row] = place;
      this.rows[place] = row;
    }
    return place;
  }
}

/** A table of vectors of which a step may touch few: [rows, width], with the gradients of the touched rows alone, by their places. */
export class RowTable {
  readonly rows: number;
  readonly width: number;
  readonly value: Float32Array;
  readonly grad: Float32Array;
  readonly #touched: TouchedRows;

  /** @param mostTouched how many different rows a step can touch; absent: all, always */
  constructor({ workspace, rows, width, mostTouched }: { workspace: Workspace; rows: number; width: number; mostTouched?: number | undefined }) {
    this.rows = rows;
    this.width = width;
    this.#touched = new TouchedRows({ rows, mostTouched });
    this.value = workspace.floats(rows * width);
    this.grad = workspace.floats(this.#touched.rows.length * width);
  }

  get whole(): boolean {
    return this.#touched.whole;
  }

  /** [touched] the rows that have a gradient, by place. */
  get touchedRows(): Int32Array {
    return this.#touched.rows;
  }

  get touched(): number {
    return this.#touched.count;
  }

  /** Forgets the gradients of the step before. */
  clear(): void {
    this.grad.fill(0, 0, this.touched * this.width);
    this.#touched.clear();
  }

  /** Where in `grad` the gradient of a row begins; the row counts as touched. */
  gradOf(row: number): number {
    return this.#touched.placeOf(row) * this.width;
  }
}
