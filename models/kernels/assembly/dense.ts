import { addProduct } from './lanes';

/*
 * Dense float32 rows of `width` numbers, a multiple of 4. Each kernel does its work for the rows from .. to - 1, which are the part of that number; `scratch` is
 * the thread's own. The sums of a part are taken in one order, so that it does not matter which thread does which part.
 */

/** So many rows are summed in single precision before they join the double sum. */
const block: i32 = 128;

/**
 * Adds the sum over its rows of row row^T to its own of the parts; only what is on and right of the diagonal, in blocks of four.
 * @param parts float64 [part, width, width]
 */
export function gramRows(from: i32, to: i32, part: i32, scratch: usize, rows: usize, width: i32, parts: usize): void {
  const out = parts + <usize>part * ((<usize>width * <usize>width) << 3);
  const stride = (<usize>width) << 2;
  for (let first = from; first < to; first += block) {
    const last = min(first + block, to);
    for (let i = 0; i < width; i += 4) {
      for (let j = i; j < width; j += 4) {
        let sum0 = f32x4.splat(0);
        let sum1 = f32x4.splat(0);
        let sum2 = f32x4.splat(0);
        let sum3 = f32x4.splat(0);
        let left = rows + <usize>first * stride + ((<usize>i) << 2);
        let right = rows + <usize>first * stride + ((<usize>j) << 2);
        for (let row = first; row < last; row += 1) {
          const other = v128.load(right);
          sum0 = addProduct(sum0, v128.load_splat<f32>(left), other);
          sum1 = addProduct(sum1, v128.load_splat<f32>(left, 4), other);
          sum2 = addProduct(sum2, v128.load_splat<f32>(left, 8), other);
          sum3 = addProduct(sum3, v128.load_splat<f32>(left, 12), other);
          left += stride;
          right += stride;
        }
        const place = out + ((<usize>(i * width + j)) << 3);
        addWide(place, sum0);
        addWide(place + (stride << 1), sum1);
        addWide(place + (stride << 2), sum2);
        addWide(place + 3 * (stride << 1), sum3);
      }
    }
  }
}

/** Four float64 at `place` += the lanes. */
// @ts-ignore: a decorator of the language
@inline
function addWide(place: usize, sum: v128): void {
  v128.store(place, f64x2.add(v128.load(place), f64x2.promote_low_f32x4(sum)));
  v128.store(place, f64x2.add(v128.load(place, 16), f64x2.promote_low_f32x4(v128.shuffle<f32>(sum, sum, 2, 3, 2, 3))), 16);
}

/** Rows that one panel of the matrix is used for while it is at hand. */
const rowsAtOnce: i32 = 32;

/**
 * row = row matrix for each of its rows, in place.
 * @param matrix float32 [panel, width, 8]: column 8 p + c of a [width, width] matrix is column c of panel p, filled up with columns of 0
 * @param scratch float32 [32, width + 8]
 */
export function rotateRows(from: i32, to: i32, part: i32, scratch: usize, rows: usize, width: i32, matrix: usize): void {
  const stride = (<usize>width) << 2;
  // A panel may reach beyond the last column.
  const outStride = stride + 32;
  const panels = (width + 7) >> 3;
  for (let first = from; first < to; first += rowsAtOnce) {
    const last = min(first + rowsAtOnce, to);
    for (let panel = 0; panel < panels; panel += 1) {
      const columns = matrix + ((<usize>panel * <usize>width) << 5);
      let row = first;
      let out = scratch + ((<usize>panel) << 5);
      for (; row + 4 <= last; row += 4) {
        fourRows(rows + <usize>row * stride, stride, columns, out, outStride);
        out += 4 * outStride;
      }
      for (; row < last; row += 1) {
        oneRow(rows + <usize>row * stride, stride, columns, out);
        out += outStride;
      }
    }
    for (let row = first; row < last; row += 1) memory.copy(rows + <usize>row * stride, scratch + <usize>(row - first) * outStride, stride);
  }
}

/** Four rows times eight columns. */
function fourRows(row: usize, stride: usize, columns: usize, out: usize, outStride: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  const row1 = row + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  for (let i: usize = 0; i < stride; i += 4) {
    const left = v128.load(columns);
    const right = v128.load(columns, 16);
    columns += 32;
    const r0 = v128.load_splat<f32>(row + i);
    a0 = addProduct(a0, r0, left);
    b0 = addProduct(b0, r0, right);
    const r1 = v128.load_splat<f32>(row1 + i);
    a1 = addProduct(a1, r1, left);
    b1 = addProduct(b1, r1, right);
    const r2 = v128.load_splat<f32>(row2 + i);
    a2 = addProduct(a2, r2, left);
    b2 = addProduct(b2, r2, right);
    const r3 = v128.load_splat<f32>(row3 + i);
    a3 = addProduct(a3, r3, left);
    b3 = addProduct(b3, r3, right);
  }
  v128.store(out, a0);
  v128.store(out, b0, 16);
  v128.store(out + outStride, a1);
  v128.store(out + outStride, b1, 16);
  v128.store(out + 2 * outStride, a2);
  v128.store(out + 2 * outStride, b2, 16);
  v128.store(out + 3 * outStride, a3);
  v128.store(out + 3 * outStride, b3, 16);
}

/** The same of one row, each sum in the same order. */
function oneRow(row: usize, stride: usize, columns: usize, out: usize): void {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let i: usize = 0; i < stride; i += 4) {
    const r = v128.load_splat<f32>(row + i);
    a = addProduct(a, r, v128.load(columns));
    b = addProduct(b, r, v128.load(columns, 16));
    columns += 32;
  }
  v128.store(out, a);
  v128.store(out, b, 16);
}

/**
 * row -= left right for each of its rows.
 * @param rows float32 [rows, width], width a multiple of 8
 * @param left float32 [rows, inner]
 * @param right float32 [panel, inner, 8], as the matrix of `rotateRows`
 */
export function subtractProduct(from: i32, to: i32, part: i32, scratch: usize, rows: usize, width: i32, left: usize, inner: i32, right: usize): void {
  const stride = (<usize>width) << 2;
  const leftStride = (<usize>inner) << 2;
  const panels = width >> 3;
  for (let first = from; first < to; first += rowsAtOnce) {
    const last = min(first + rowsAtOnce, to);
    for (let panel = 0; panel < panels; panel += 1) {
      const columns = right + ((<usize>panel * <usize>inner) << 5);
      let row = first;
      for (; row + 4 <= last; row += 4) {
        fourRows(left + <usize>row * leftStride, leftStride, columns, scratch, 32);
        subtract(rows + <usize>row * stride + ((<usize>panel) << 5), stride, scratch, 4);
      }
      for (; row < last; row += 1) {
        oneRow(left + <usize>row * leftStride, leftStride, columns, scratch);
        subtract(rows + <usize>row * stride + ((<usize>panel) << 5), stride, scratch, 1);
      }
    }
  }
}

function subtract(out: usize, stride: usize, product: usize, count: i32): void {
  for (let row = 0; row < count; row += 1) {
    v128.store(out, f32x4.sub(v128.load(out), v128.load(product)));
    v128.store(out, f32x4.sub(v128.load(out, 16), v128.load(product, 16)), 16);
    out += stride;
    product += 32;
  }
}
