import { panelItems } from '../kernels/softmax-jobs.ts';
import type { ItemVectors, Panels } from './full-softmax.ts';
import type { Flow, Network } from './network.ts';
import type { Batch, Histories } from './histories.ts';

const rowsAtOnce = 512;
/** Of one look, so that it takes seconds whatever the catalog: with more, fewer of what is held out are asked. */
const mostScores = 2 ** 28;
export const askedAtMost = (items: number): number => Math.ceil(mostScores / items);

type Options = {
  network: Network;
  from: Flow;
  table: ItemVectors;
  panels: Panels;
  /** Called when a batch of what is held out is filled, before it goes through the network. */
  prepare?: () => void;
  /** [items] 0 where an item is never better than another; absent: nowhere */
  known?: Uint8Array;
};

/** How well what was held out is foretold, among all items. */
export class HeldOutRanks {
  readonly #network: Network;
  readonly #from: Flow;
  readonly #table: ItemVectors;
  readonly #panels: Panels;
  readonly #prepare: (() => void) | undefined;
  readonly #known: Uint8Array | undefined;
  readonly #vectors: Float32Array;
  readonly #scores: Float32Array;

  constructor({ network, from, table, panels, prepare, known }: Options) {
    this.#network = network;
    this.#from = from;
    this.#table = table;
    this.#panels = panels;
    this.#prepare = prepare;
    this.#known = known;
    this.#vectors = network.workspace.floats(rowsAtOnce * table.width);
    this.#scores = network.workspace.floats(rowsAtOnce * panelItems);
  }

  /** Mean of 1 / log2(1 + rank), which is NDCG without an end to the list: that moves less by chance than one of 10. Undefined where nothing is held out. */
  score(histories: Histories, batch: Batch): number | undefined {
    const { heldOut } = histories;
    if (heldOut.length === 0) return undefined;
    const asked = Math.min(heldOut.length, askedAtMost(this.#panels.items));
    let sum = 0;
    let scored = 0;
    for (let next = 0; next < asked; ) {
      next = histories.fillHeldOut(batch, next);
      this.#prepare?.();
      this.#network.forward({ rows: batch.rows, training: false });
      for (let first = 0; first < batch.sequences.count; first += rowsAtOnce)
        sum += this.#ofSome(batch, first, Math.min(rowsAtOnce, batch.sequences.count - first));
      scored += batch.sequences.count;
    }
    return sum / scored;
  }

  #ofSome(batch: Batch, first: number, rows: number): number {
    const { width, value } = this.#from;
    const [vectors, scores] = [this.#vectors, this.#scores];
    const targets = new Int32Array(rows);
    const own = new Float32Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const last = (batch.sequences.starts[first + row + 1] as number) - 1;
      vectors.set(value.subarray(last * width, (last + 1) * width), row * width);
      targets[row] = batch.targets.items[last] as number;
      own[row] = this.#scoreOf(targets[row] as number, row);
    }
    const better = new Float64Array(rows);
    for (let panel = 0; panel < this.#panels.count; panel += 1) {
      this.#panels.score(panel, { vectors, first: 0, rows, scores, place: 0 });
      for (let cell = 0; cell < rows * panelItems; cell += 1) {
        const row = Math.floor(cell / panelItems);
        const difference = (scores[cell] as number) - (own[row] as number);
        if (difference < 0) continue;
        const item = panel * panelItems + (cell % panelItems);
        if (item === targets[row] || this.#known?.[item] === 0) continue;
        // What ties with the target stands half before it: a network that says the same of all items earns nothing by that.
        if (difference > 0) better[row] = (better[row] as number) + 1;
        else better[row] = (better[row] as number) + 0.5;
      }
    }
    return better.reduce((sum, count) => sum + 1 / Math.log2(2 + count), 0);
  }

  /** As the kernel sums it up, to the bit. */
  #scoreOf(item: number, row: number): number {
    const { width, value } = this.#table;
    let sum = 0;
    for (let f = 0; f < width; f += 1) sum = Math.fround(sum + Math.fround((this.#vectors[row * width + f] as number) * (value[item * width + f] as number)));
    return sum;
  }
}
