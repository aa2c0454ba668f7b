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

/**
 * row = row matrix for each of the rows from .. to - 1, in place.
 * @param matrix float32 [width, width]
 * @param scratch float32 [4, width]
 */
export function rotateRows(from: i32, to: i32, part: i32, scratch: usize, rows: usize, width: i32, matrix: usize): void {
  const stride = (<usize>width) << 2;
  let row = from;
  for (; row + 4 <= to; row += 4) {
    const base = rows + <usize>row * stride;
    for (let j: usize = 0; j < stride; j += 16) {
      let sum0 = f32x4.splat(0);
      let sum1 = f32x4.splat(0);
      let sum2 = f32x4.splat(0);
      let sum3 = f32x4.splat(0);
      let column = matrix + j;
      for (let i: usize = 0; i < stride; i += 4) {
        const factor = v128.load(column);
        sum0 = addProduct(sum0, v128.load_splat<f32>(base + i), factor);
        sum1 = addProduct(sum1, v128.load_splat<f32>(base + stride + i), factor);
        sum2 = addProduct(sum2, v128.load_splat<f32>(base + 2 * stride + i), factor);
        sum3 = addProduct(sum3, v128.load_splat<f32>(base + 3 * stride + i), factor);
        column += stride;
      }
      v128.store(scratch + j, sum0);
      v128.store(scratch + stride + j, sum1);
      v128.store(scratch + 2 * stride + j, sum2);
      v128.store(scratch + 3 * stride + j, sum3);
    }
    memory.copy(base, scratch, 4 * stride);
  }
  for (; row < to; row += 1) {
    const base = rows + <usize>row * stride;
    for (let j: usize = 0; j < stride; j += 16) {
      let sum = f32x4.splat(0);
      let column = matrix + j;
      for (let i: usize = 0; i < stride; i += 4) {
        sum = addProduct(sum, v128.load_splat<f32>(base + i), v128.load(column));
        column += stride;
      }
      v128.store(scratch + j, sum);
    }
    memory.copy(base, scratch, stride);
  }
}
