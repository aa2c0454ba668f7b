import type { RowTable } from './row-table.ts';
import type { Flow, Network } from './network.ts';
import { panelItems } from '../kernels/softmax-jobs.ts';
import { at, type Workspace } from './workspace.ts';

/** What each row of a batch should be followed by, and how much that counts. */
export type Targets = { items: Int32Array; weights: Float32Array };
/** The loss of a batch, and its gradients added to `from` and to the table. */
export type Loss = { run(targets: Targets): number };

/** [rows, width], one behind the other: all that a score is a product with. */
export type ItemVectors = Pick<RowTable, 'value' | 'width'>;

const bytesPerFloat = 4;
const nothing = -1e30;
/** Of scores that are held at a time: 32 MiB. */
const scoresAtOnce = 8 * 2 ** 20;

/** The scores of items, a panel of 32 at a time, so that every product runs over what lies together. */
export class Panels {
  readonly items: number;
  readonly count: number;
  readonly #table: ItemVectors;
  readonly #workspace: Workspace;
  readonly #turned: Float32Array;

  /** @param items how many rows of the table are items: what stands behind is scored -1e30 */
  constructor({ workspace, table, items }: { workspace: Workspace; table: ItemVectors; items: number }) {
    this.items = items;
    this.count = Math.ceil(items / panelItems);
    this.#table = table;
    this.#workspace = workspace;
    this.#turned = workspace.floats(panelItems * table.width);
  }

  /** Rows that a table needs, so that its last panel is whole and there is one behind the items. */
  static rowsFor(items: number): number {
    return Math.ceil((items + 1) / panelItems) * panelItems;
  }

  /** Of `rows` vectors from the first: [rows, 32] into `scores`, beginning at `place`. */
  score(
    panel: number,
    { vectors, first, rows, scores, place }: { vectors: Float32Array; first: number; rows: number; scores: Float32Array; place: number },
  ): void {
    const { width } = this.#table;
    this.turn(panel, this.#turned, 0);
    const [row, out] = [width * bytesPerFloat, panelItems * bytesPerFloat];
    const { matmul, hide } = this.#workspace.kernels;
    matmul(at(vectors, first * width), row, bytesPerFloat, at(this.#turned), out, at(scores, place), out, rows, panelItems, width, 1);
    hide(at(scores, place), out, rows, panelItems, Math.max(0, (panel + 1) * panelItems - this.items));
  }

  /** The items of a panel as columns, [width, 32], into the second argument. */
  turn(panel: number, into: Float32Array, place: number): void {
    const { width, value } = this.#table;
    const from = panel * panelItems * width;
    for (let item = 0; item < panelItems; item += 1)
      for (let f = 0; f < width; f += 1) into[place + f * panelItems + item] = value[from + item * width + f] as number;
  }
}

/**
 * Cross entropy over all items: -log softmax(E h) [target], weighted, divided by the sum of the weights. The scores exist for some rows at a time, and what
 * makes them probabilities is folded into the vectors: gradients are products of exp(scores - largest) with scaled rows. The threads of the workspace do it together.
 * @param table whole
 * @param panels of it
 */
export function fullSoftmax({ network, from, table, panels }: { network: Network; from: Flow; table: RowTable; panels: Panels }): Loss {
  const { workspace } = network;
  const { width } = table;
  const { count } = panels;
  const rowsThatFit = Math.floor(scoresAtOnce / (count * panelItems) / 8) * 8;
  const mostRows = Math.min(network.mostRows, Math.max(8, Math.min(512, rowsThatFit)));
  /** [panels][rows][32] */
  const shares = workspace.floats(count * panelItems * mostRows);
  const turned = workspace.floats(count * panelItems * width);
  const largest = workspace.floats(mostRows);
  const sums = workspace.floats(mostRows);
  const scaled = workspace.floats(mostRows * width);
  const drawn = workspace.floats(mostRows * width);

  const part = (targets: Targets, first: number, rows: number, total: number): number => {
    largest.fill(nothing, 0, rows);
    sums.fill(0, 0, rows);
    drawn.fill(0, 0, rows * width);
    const arrays = [at(from.value, first * width), at(turned), at(table.value), at(shares), at(largest), at(sums), at(drawn)];
    workspace.together.run('softmaxRows', { rows, own: [...arrays, rows, count, width, count * panelItems - panels.items] });
    let loss = 0;
    for (let r = 0; r < rows; r += 1) {
      const target = (targets.items[first + r] as number) * width;
      const weight = (targets.weights[first + r] as number) / total;
      const share = weight / (sums[r] as number);
      // Rounded as the kernel rounds the others: what they are too large by, it is too.
      let own = 0;
      for (let f = 0; f < width; f += 1) {
        const cell = (first + r) * width + f;
        own = Math.fround(own + Math.fround((from.value[cell] as number) * (table.value[target + f] as number)));
        scaled[r * width + f] = (from.value[cell] as number) * share;
        from.grad[cell] = (from.grad[cell] as number) + (drawn[r * width + f] as number) * share - weight * (table.value[target + f] as number);
      }
      loss += weight * (Math.log(sums[r] as number) + (largest[r] as number) - own);
    }
    workspace.together.run('softmaxItems', { rows: count, own: [at(shares), at(scaled), at(table.grad), rows, width] });
    for (let r = 0; r < rows; r += 1) {
      const weight = (targets.weights[first + r] as number) / total;
      const target = (targets.items[first + r] as number) * width;
      for (let f = 0; f < width; f += 1) table.grad[target + f] = (table.grad[target + f] as number) - weight * (from.value[(first + r) * width + f] as number);
    }
    return loss;
  };
  return {
    run(targets) {
      let total = 0;
      for (let r = 0; r < network.rows; r += 1) total += targets.weights[r] as number;
      for (let panel = 0; panel < count; panel += 1) panels.turn(panel, turned, panel * panelItems * width);
      let loss = 0;
      for (let first = 0; first < network.rows; first += mostRows) loss += part(targets, first, Math.min(mostRows, network.rows - first), total);
      return loss;
    },
  };
}
