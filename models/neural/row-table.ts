import type { Workspace } from './workspace.ts';

/**
 * A table of vectors of which a step may touch few: [rows, width], with the gradients of the touched rows alone. In a `whole` table every row is touched in
 * every step, and row r's gradient stands at place r.
 */
export class RowTable {
  readonly rows: number;
  readonly width: number;
  readonly value: Float32Array;
  readonly grad: Float32Array;
  readonly whole: boolean;
  /** [touched] the rows that have a gradient, by place. */
  readonly touchedRows: Int32Array;
  touched = 0;
  readonly #places: Int32Array;

  /** @param mostTouched how many different rows a step can touch; absent: all, always */
  constructor({ workspace, rows, width, mostTouched }: { workspace: Workspace; rows: number; width: number; mostTouched?: number | undefined }) {
    this.rows = rows;
    this.width = width;
    this.whole = mostTouched === undefined || mostTouched >= rows;
    const places = this.whole ? rows : (mostTouched as number);
    this.value = workspace.floats(rows * width);
    this.grad = workspace.floats(places * width);
    this.touchedRows = new Int32Array(places);
    this.#places = new Int32Array(this.whole ? 0 : rows).fill(-1);
    if (!this.whole) return;
    for (let row = 0; row < rows; row += 1) this.touchedRows[row] = row;
    this.touched = rows;
  }

  /** Forgets the gradients of the step before. */
  clear(): void {
    this.grad.fill(0, 0, this.touched * this.width);
    if (this.whole) return;
    for (let place = 0; place < this.touched; place += 1) this.#places[this.touchedRows[place] as number] = -1;
    this.touched = 0;
  }

  /** Where in `grad` the gradient of a row begins; the row counts as touched. */
  gradOf(row: number): number {
    if (this.whole) return row * this.width;
    let place = this.#places[row] as number;
    if (place < 0) {
      place = this.touched;
      this.touched += 1;
      this.#places[row] = place;
      this.touchedRows[place] = row;
    }
    return place * this.width;
  }
}
