import { addProduct } from './lanes';
import { fourRows, oneRow } from './tiles';

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
        fourRows(rows + <usize>row * stride, stride, 4, columns, 32, out, outStride, width, true);
        out += 4 * outStride;
      }
      for (; row < last; row += 1) {
        oneRow(rows + <usize>row * stride, 4, columns, 32, out, width, true);
        out += outStride;
      }
    }
    for (let row = first; row < last; row += 1) memory.copy(rows + <usize>row * stride, scratch + <usize>(row - first) * outStride, stride);
  }
}

/**
 * row += left right for each of its rows.
 * @param rows float32 [rows, width], width a multiple of 8
 * @param left float32 [rows, inner]
 * @param right float32 [panel, inner, 8], as the matrix of `rotateRows`
 */
export function addProducts(from: i32, to: i32, part: i32, scratch: usize, rows: usize, width: i32, left: usize, inner: i32, right: usize): void {
  const stride = (<usize>width) << 2;
  const leftStride = (<usize>inner) << 2;
  const panels = width >> 3;
  for (let first = from; first < to; first += rowsAtOnce) {
    const last = min(first + rowsAtOnce, to);
    for (let panel = 0; panel < panels; panel += 1) {
      const columns = right + ((<usize>panel * <usize>inner) << 5);
      const out = rows + ((<usize>panel) << 5);
      let row = first;
      for (; row + 4 <= last; row += 4)
        fourRows(left + <usize>row * leftStride, leftStride, 4, columns, 32, out + <usize>row * stride, stride, inner, false);
      for (; row < last; row += 1) oneRow(left + <usize>row * leftStride, 4, columns, 32, out + <usize>row * stride, inner, false);
    }
  }
}
