import type { Batch } from '../../neural/histories.ts';
import type { Random } from '../../random.ts';
import type { StepItems } from './step-items.ts';

/** A batch of histories by the places that its items have in the step, and what is drawn beside it. */
export class StepBatch {
  readonly batch: Batch;
  /** [rows] */
  readonly targets: Int32Array;
  /** [rows] what each reads, -1 where a history begins, and what that weighs */
  readonly places: Int32Array;
  readonly weights: Float32Array;
  /** [items of the step] how often each was drawn */
  readonly drawnBeside: Uint32Array;
  /** The items there are to draw. */
  readonly #drawable: Uint32Array;
  readonly #negatives: number;

  constructor({ batch, mostRows, drawable, negatives }: { batch: Batch; mostRows: number; drawable: Uint32Array; negatives: number }) {
    this.batch = batch;
    this.targets = new Int32Array(mostRows);
    this.places = new Int32Array(mostRows);
    this.weights = new Float32Array(mostRows);
    this.drawnBeside = new Uint32Array(mostRows + negatives);
    this.#drawable = drawable;
    this.#negatives = negatives;
  }

  /** Different items of a step, at most. */
  get mostItems(): number {
    return this.drawnBeside.length;
  }

  /** The step's items are those of the batch. */
  place(items: StepItems): void {
    const { rows, targets, positions } = this.batch;
    items.clear();
    for (let row = 0; row < rows; row += 1) this.targets[row] = items.placeOf(targets.items[row] as number);
    // What a row reads is what the row before it foretold.
    for (let row = 0; row < rows; row += 1) {
      const begins = positions[row] === 0;
      this.places[row] = begins ? -1 : (this.targets[row - 1] as number);
      this.weights[row] = begins ? 1 : (targets.weights[row - 1] as number);
    }
  }

  /** And those drawn beside it. */
  draw(items: StepItems, random: Random): void {
    this.drawnBeside.fill(0);
    for (let draw = 0; draw < this.#negatives; draw += 1) {
      const drawn = items.placeOf(this.#drawable[random.below(this.#drawable.length)] as number);
      this.drawnBeside[drawn] = (this.drawnBeside[drawn] as number) + 1;
    }
  }
}
