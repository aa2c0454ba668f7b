import type { Parameter } from './network.ts';
import type { RowTable } from './row-table.ts';

/**
 * Adam (Kingma and Ba 2015, algorithm 1). Of a table only the rows that a step touched are changed, and the moments of the others wait for their next turn
 * ("lazy"), so that a step costs what it touches and not what there is.
 */
export class Adam {
  readonly #rate: number;
  readonly #decays: readonly [number, number];
  /** 1 - decay^steps, by which the moments are too small after so many steps. */
  #first = 0;
  #second = 0;

  constructor({ learningRate, decays = [0.9, 0.98] }: { learningRate: number; decays?: readonly [number, number] }) {
    this.#rate = learningRate;
    this.#decays = decays;
  }

  /** Begins the next step. By products, not powers: those are the same everywhere. */
  advance(): void {
    this.#first = 1 - (1 - this.#first) * this.#decays[0];
    this.#second = 1 - (1 - this.#second) * this.#decays[1];
  }

  /** Of the step at hand, for whoever takes it elsewhere. */
  get rates(): AdamRates {
    return { decays: this.#decays, rate: this.#rate / this.#first, root: 1 / this.#second, epsilon };
  }

  changeParameter({ value, grad }: Parameter, moments: Moments): void {
    this.#change({ value, grad, moments, to: 0, from: 0, count: value.length });
  }

  changeTable(table: RowTable, moments: Moments): void {
    const { width } = table;
    for (let place = 0; place < table.touched; place += 1)
      this.#change({ value: table.value, grad: table.grad, moments, to: (table.touchedRows[place] as number) * width, from: place * width, count: width });
  }

  #change(work: { value: Float32Array; grad: Float32Array; moments: Moments; to: number; from: number; count: number }): void {
    const { value, grad, to, from, count } = work;
    const { first, second } = work.moments;
    const {
      decays: [decay1, decay2],
      rate,
      root,
    } = this.rates;
    for (let cell = 0; cell < count; cell += 1) {
      const g = grad[from + cell] as number;
      const m = decay1 * (first[to + cell] as number) + (1 - decay1) * g;
      const v = decay2 * (second[to + cell] as number) + (1 - decay2) * g * g;
      first[to + cell] = m;
      second[to + cell] = v;
      value[to + cell] = (value[to + cell] as number) - (rate * m) / (Math.sqrt(v * root) + epsilon);
    }
  }
}

/** A step: value -= rate m / (sqrt(root v) + epsilon). */
export type AdamRates = { decays: readonly [number, number]; rate: number; root: number; epsilon: number };
export type Moments = { first: Float32Array; second: Float32Array };
export const noMoments = (length: number): Moments => ({ first: new Float32Array(length), second: new Float32Array(length) });

const epsilon = 1e-8;
