import { addProduct, sumOfLanes, sumsOfFour, valueAt } from './lanes';

/** Keeps 0 / 0 out where the residual is 0 already: the step is then 0. */
const smallest: f32 = 1e-30;

/**
 * Solves rows from .. to - 1 of a weighted least squares problem against fixed column factors y, each from where its solution x stands, by conjugate gradient:
 *
 *   (S + lambda_row I + alpha sum_e r_e y_e y_e^T) x = alpha sum_e r_e y_e,    lambda_row = lambda (columns + alpha sum_e r_e)^scaling
 *
 * S is diagonal: the factors stand in the basis in which the sum of y y^T over all columns is. Preconditioned with S + lambda_row I it has few eigenvalues far
 * from 1. A row without entries has the solution 0.
 * @param indptr uint32 [rows + 1]
 * @param columns uint32 [entries]
 * @param values float32 [entries]; where `table` is not 0, uint8 [entries] places in that float32 table
 * @param factors float32 [columns, width]
 * @param spectrum float32 [width] S
 * @param solved float32 [rows, width] in: the start; out: the solution
 * @param scratch float32 [5, width], the thread's own
 */
export function solveRows(
  from: i32,
  to: i32,
  part: i32,
  scratch: usize,
  indptr: usize,
  columns: usize,
  values: usize,
  table: usize,
  factors: usize,
  spectrum: usize,
  solved: usize,
  width: i32,
  columnCount: f64,
  alpha: f64,
  lambda: f64,
  scaling: f64,
  steps: i32,
  preconditioned: bool,
): void {
  const stride = (<usize>width) << 2;
  for (let row = from; row < to; row += 1) {
    const begin = load<u32>(indptr + ((<usize>row) << 2));
    const end = load<u32>(indptr + ((<usize>row) << 2), 4);
    const x = solved + <usize>row * stride;
    if (begin === end) {
      memory.fill(x, 0, stride);
      continue;
    }
    let total = columnCount;
    for (let entry = begin; entry < end; entry += 1) total += alpha * <f64>valueAt(values, table, entry);
    const rowLambda = <f32>(lambda * Math.pow(total, scaling));
    solveRow(columns, values, table, factors, spectrum, x, scratch, stride, begin, end, <f32>alpha, rowLambda, steps, preconditioned);
  }
}

function solveRow(
  columns: usize,
  values: usize,
  table: usize,
  factors: usize,
  spectrum: usize,
  x: usize,
  scratch: usize,
  stride: usize,
  begin: u32,
  end: u32,
  alpha: f32,
  rowLambda: f32,
  steps: i32,
  preconditioned: bool,
): void {
  const residual = scratch;
  const direction = scratch + stride;
  const product = scratch + 2 * stride;
  const diagonal = scratch + 3 * stride;
  const scale = scratch + 4 * stride;
  const one = f32x4.splat(1);
  for (let f: usize = 0; f < stride; f += 16) {
    const d = f32x4.add(v128.load(spectrum + f), f32x4.splat(rowLambda));
    v128.store(diagonal + f, d);
    v128.store(scale + f, preconditioned ? f32x4.div(one, d) : one);
    v128.store(residual + f, f32x4.neg(f32x4.mul(d, v128.load(x + f))));
  }
  // alpha r (1 - y . x) y: the right side and the observed part of the left in one pass.
  addWeighted(columns, values, table, factors, stride, begin, end, alpha, 1, -1, x, residual);
  let sum = f32x4.splat(0);
  for (let f: usize = 0; f < stride; f += 16) {
    const r = v128.load(residual + f);
    const z = f32x4.mul(r, v128.load(scale + f));
    v128.store(direction + f, z);
    sum = addProduct(sum, r, z);
  }
  let squared = sumOfLanes(sum);
  for (let step = 1; ; step += 1) {
    for (let f: usize = 0; f < stride; f += 16) v128.store(product + f, f32x4.mul(v128.load(diagonal + f), v128.load(direction + f)));
    addWeighted(columns, values, table, factors, stride, begin, end, alpha, 0, 1, direction, product);
    sum = f32x4.splat(0);
    for (let f: usize = 0; f < stride; f += 16) sum = addProduct(sum, v128.load(direction + f), v128.load(product + f));
    const length = f32x4.splat(squared / max(sumOfLanes(sum), smallest));
    for (let f: usize = 0; f < stride; f += 16) v128.store(x + f, addProduct(v128.load(x + f), length, v128.load(direction + f)));
    if (step >= steps) return;
    sum = f32x4.splat(0);
    for (let f: usize = 0; f < stride; f += 16) {
      const r = f32x4.sub(v128.load(residual + f), f32x4.mul(length, v128.load(product + f)));
      v128.store(residual + f, r);
      sum = addProduct(sum, r, f32x4.mul(r, v128.load(scale + f)));
    }
    const next = sumOfLanes(sum);
    const momentum = f32x4.splat(next / max(squared, smallest));
    for (let f: usize = 0; f < stride; f += 16)
      v128.store(direction + f, addProduct(f32x4.mul(v128.load(residual + f), v128.load(scale + f)), momentum, v128.load(direction + f)));
    squared = next;
  }
}

/** out += sum over the entries of alpha value (target + sign y . x) y. Four entries at once, so that x and out are read once for four: here the time goes. */
function addWeighted(
  columns: usize,
  values: usize,
  table: usize,
  factors: usize,
  stride: usize,
  begin: u32,
  end: u32,
  alpha: f32,
  target: f32,
  sign: f32,
  x: usize,
  out: usize,
): void {
  let entry = begin;
  for (; entry + 4 <= end; entry += 4) {
    const place = columns + ((<usize>entry) << 2);
    const y0 = factors + <usize>load<u32>(place) * stride;
    const y1 = factors + <usize>load<u32>(place, 4) * stride;
    const y2 = factors + <usize>load<u32>(place, 8) * stride;
    const y3 = factors + <usize>load<u32>(place, 12) * stride;
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let sum3 = f32x4.splat(0);
    for (let f: usize = 0; f < stride; f += 16) {
      const v = v128.load(x + f);
      sum0 = addProduct(sum0, v128.load(y0 + f), v);
      sum1 = addProduct(sum1, v128.load(y1 + f), v);
      sum2 = addProduct(sum2, v128.load(y2 + f), v);
      sum3 = addProduct(sum3, v128.load(y3 + f), v);
    }
    const weights = f32x4(
      alpha * valueAt(values, table, entry),
      alpha * valueAt(values, table, entry + 1),
      alpha * valueAt(values, table, entry + 2),
      alpha * valueAt(values, table, entry + 3),
    );
    const inner = f32x4.add(f32x4.splat(target), f32x4.mul(f32x4.splat(sign), sumsOfFour(sum0, sum1, sum2, sum3)));
    const coefficients = f32x4.mul(weights, inner);
    const c0 = v128.shuffle<f32>(coefficients, coefficients, 0, 0, 0, 0);
    const c1 = v128.shuffle<f32>(coefficients, coefficients, 1, 1, 1, 1);
    const c2 = v128.shuffle<f32>(coefficients, coefficients, 2, 2, 2, 2);
    const c3 = v128.shuffle<f32>(coefficients, coefficients, 3, 3, 3, 3);
    for (let f: usize = 0; f < stride; f += 16) {
      let o = v128.load(out + f);
      o = addProduct(o, c0, v128.load(y0 + f));
      o = addProduct(o, c1, v128.load(y1 + f));
      o = addProduct(o, c2, v128.load(y2 + f));
      o = addProduct(o, c3, v128.load(y3 + f));
      v128.store(out + f, o);
    }
  }
  for (; entry < end; entry += 1) {
    const y = factors + <usize>load<u32>(columns + ((<usize>entry) << 2)) * stride;
    let sum = f32x4.splat(0);
    for (let f: usize = 0; f < stride; f += 16) sum = addProduct(sum, v128.load(y + f), v128.load(x + f));
    const c = f32x4.splat(alpha * valueAt(values, table, entry) * (target + sign * sumOfLanes(sum)));
    for (let f: usize = 0; f < stride; f += 16) v128.store(out + f, addProduct(v128.load(out + f), c, v128.load(y + f)));
  }
}
