import type { SparseRows } from '../sparse.ts';

export type IalsSettings = {
  /** Weight of an observed entry of confidence 1; an unobserved pair has weight 1. */
  alpha: number;
  lambda: number;
  /** 0: lambda for every row; 1: lambda times the row's total weight (Rendle et al. 2021, eq. 6: nu). */
  frequencyScaling: number;
  /** Conjugate gradient steps. */
  steps: number;
};

/**
 * The normal equations of one row of the weighted problem, solved by conjugate gradient from where `x` stands:
 *
 *   (G + lambda_row I + alpha sum_e r_e y_e y_e^T) x = alpha sum_e r_e y_e,     G = sum over all columns of y y^T
 *
 * Hu, Koren, Volinsky 2008 (eq. 4 and 5) with the conjugate gradient of Takács, Pilászy, Tikk 2011. The right side is that of Rendle et al.
 * 2021 (the weight-1 term is summed over all pairs, the observed ones too), so that an entry that comes twice is an entry of twice the confidence.
 */
export class RowSolver {
  readonly #width: number;
  readonly #settings: IalsSettings;
  readonly #columnCount: number;
  readonly #residual: Float64Array;
  readonly #direction: Float64Array;
  readonly #product: Float64Array;
  #rows: Float64Array;

  constructor({ width, columnCount, settings }: { width: number; columnCount: number; settings: IalsSettings }) {
    this.#width = width;
    this.#settings = settings;
    this.#columnCount = columnCount;
    this.#residual = new Float64Array(width);
    this.#direction = new Float64Array(width);
    this.#product = new Float64Array(width);
    this.#rows = new Float64Array(width * 256);
  }

  /**
   * @param gram [width, width] of all columns' factors
   * @param factors [columns, width]
   * @param columns,values the row's entries `begin .. end - 1`
   * @param x [width] in: the start; out: the solution
   */
  solve(input: {
    gram: Float64Array;
    factors: Float32Array;
    columns: ArrayLike<number>;
    values: ArrayLike<number>;
    begin: number;
    end: number;
    x: Float64Array;
  }): void {
    const { gram, factors, columns, values, begin, end, x } = input;
    const width = this.#width;
    const { alpha, lambda, frequencyScaling, steps } = this.#settings;
    const rows = this.#gather(factors, columns, begin, end);
    let total = this.#columnCount;
    for (let entry = begin; entry < end; entry += 1) total += alpha * (values[entry] as number);
    const rowLambda = lambda * total ** frequencyScaling;

    const r = this.#residual;
    const p = this.#direction;
    const product = this.#product;
    multiplyGram(gram, rowLambda, x, product, width);
    for (let f = 0; f < width; f += 1) r[f] = -(product[f] as number);
    // alpha r_e (1 - y_e . x) y_e: the right side and the observed part of A x in one pass.
    addWeighted({ rows, values, begin, end, alpha, target: 1, sign: -1, x, out: r, width });
    p.set(r);
    let squared = dotSelf(r, width);
    for (let step = 0; step < steps; step += 1) {
      multiplyGram(gram, rowLambda, p, product, width);
      addWeighted({ rows, values, begin, end, alpha, target: 0, sign: 1, x: p, out: product, width });
      let curvature = 0;
      for (let f = 0; f < width; f += 1) curvature += (p[f] as number) * (product[f] as number);
      const stride = squared / Math.max(curvature, smallest);
      for (let f = 0; f < width; f += 1) {
        x[f] = (x[f] as number) + stride * (p[f] as number);
        r[f] = (r[f] as number) - stride * (product[f] as number);
      }
      const next = dotSelf(r, width);
      const momentum = next / Math.max(squared, smallest);
      for (let f = 0; f < width; f += 1) p[f] = (r[f] as number) + momentum * (p[f] as number);
      squared = next;
    }
  }

  /** The row's factors side by side in double precision: they are read steps + 1 times. */
  #gather(factors: Float32Array, columns: ArrayLike<number>, begin: number, end: number): Float64Array {
    const width = this.#width;
    if ((end - begin) * width > this.#rows.length) this.#rows = new Float64Array(2 * (end - begin) * width);
    const rows = this.#rows;
    let place = 0;
    for (let entry = begin; entry < end; entry += 1) {
      const from = (columns[entry] as number) * width;
      for (let f = 0; f < width; f += 1) rows[place + f] = factors[from + f] as number;
      place += width;
    }
    return rows;
  }
}

/** Keeps 0 / 0 out where the residual is 0 already: the step is then 0. */
const smallest = 1e-30;

function dotSelf(vector: Float64Array, width: number): number {
  let sum = 0;
  for (let f = 0; f < width; f += 1) sum += (vector[f] as number) * (vector[f] as number);
  return sum;
}

/** out = (gram + lambda I) x. Four rows at once; `width` is a multiple of 4. */
function multiplyGram(gram: Float64Array, lambda: number, x: Float64Array, out: Float64Array, width: number): void {
  for (let row = 0; row < width; row += 4) {
    const base0 = row * width;
    const base1 = base0 + width;
    const base2 = base1 + width;
    const base3 = base2 + width;
    let sum0 = lambda * (x[row] as number);
    let sum1 = lambda * (x[row + 1] as number);
    let sum2 = lambda * (x[row + 2] as number);
    let sum3 = lambda * (x[row + 3] as number);
    for (let f = 0; f < width; f += 1) {
      const value = x[f] as number;
      sum0 += (gram[base0 + f] as number) * value;
      sum1 += (gram[base1 + f] as number) * value;
      sum2 += (gram[base2 + f] as number) * value;
      sum3 += (gram[base3 + f] as number) * value;
    }
    out[row] = sum0;
    out[row + 1] = sum1;
    out[row + 2] = sum2;
    out[row + 3] = sum3;
  }
}

type Weighted = {
  rows: Float64Array;
  values: ArrayLike<number>;
  begin: number;
  end: number;
  alpha: number;
  target: number;
  sign: number;
  x: Float64Array;
  out: Float64Array;
  width: number;
};

/** out += sum over the entries of alpha value (target + sign row . x) row. The loop in which training spends its time. */
function addWeighted({ rows, values, begin, end, alpha, target, sign, x, out, width }: Weighted): void {
  let base = 0;
  for (let entry = begin; entry < end; entry += 1) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let f = 0; f < width; f += 4) {
      sum0 += (rows[base + f] as number) * (x[f] as number);
      sum1 += (rows[base + f + 1] as number) * (x[f + 1] as number);
      sum2 += (rows[base + f + 2] as number) * (x[f + 2] as number);
      sum3 += (rows[base + f + 3] as number) * (x[f + 3] as number);
    }
    const coefficient = alpha * (values[entry] as number) * (target + sign * (sum0 + sum1 + (sum2 + sum3)));
    for (let f = 0; f < width; f += 4) {
      out[f] = (out[f] as number) + coefficient * (rows[base + f] as number);
      out[f + 1] = (out[f + 1] as number) + coefficient * (rows[base + f + 1] as number);
      out[f + 2] = (out[f + 2] as number) + coefficient * (rows[base + f + 2] as number);
      out[f + 3] = (out[f + 3] as number) + coefficient * (rows[base + f + 3] as number);
    }
    base += width;
  }
}

/** Sum over all rows of y y^T, [width, width], symmetric. */
export function gramOf(factors: Float32Array, width: number): Float64Array {
  const gram = new Float64Array(width * width);
  const row = new Float64Array(width);
  for (let base = 0; base < factors.length; base += width) {
    for (let f = 0; f < width; f += 1) row[f] = factors[base + f] as number;
    for (let i = 0; i < width; i += 1) {
      const value = row[i] as number;
      const out = i * width;
      for (let j = 0; j <= i; j += 1) gram[out + j] = (gram[out + j] as number) + value * (row[j] as number);
    }
  }
  for (let i = 0; i < width; i += 1) for (let j = i + 1; j < width; j += 1) gram[i * width + j] = gram[j * width + i] as number;
  return gram;
}

/** Solves rows `from .. to - 1` against fixed column factors and writes them, rounded to float32, into `solved`. */
export function solveRows(input: {
  entries: SparseRows;
  gram: Float64Array;
  factors: Float32Array;
  solved: Float32Array;
  solver: RowSolver;
  width: number;
  from: number;
  to: number;
}): void {
  const { entries, gram, factors, solved, solver, width, from, to } = input;
  const x = new Float64Array(width);
  for (let row = from; row < to; row += 1) {
    const begin = entries.indptr[row] as number;
    const end = entries.indptr[row + 1] as number;
    // A row without entries has the solution 0.
    if (begin === end) {
      solved.fill(0, row * width, (row + 1) * width);
      continue;
    }
    for (let f = 0; f < width; f += 1) x[f] = solved[row * width + f] as number;
    solver.solve({ gram, factors, columns: entries.columns, values: entries.values, begin, end, x });
    for (let f = 0; f < width; f += 1) solved[row * width + f] = x[f] as number;
  }
}
