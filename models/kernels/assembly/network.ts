import { addProduct } from './lanes';
import { fourRows, oneRow } from './tiles';

/* Kernels of networks. Distances between rows and steps are bytes. */

/**
 * C [m, n] (+)= A [m, k] B [k, n]. A's element (i, p) stands at `a + i aRow + p aStep`, so that A can as well be read across; rows of B and of C are
 * contiguous. n is a multiple of 8, k at least 1. With `fresh` C is written, without it added to.
 */
export function matmul(a: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, c: usize, cRow: usize, m: i32, n: i32, k: i32, fresh: bool): void {
  for (let column = 0; column + 8 <= n; column += 8) {
    let left = a;
    let out = c;
    let row = 0;
    for (; row + 4 <= m; row += 4) {
      fourRows(left, aRow, aStep, b, bRow, out, cRow, k, fresh);
      left += 4 * aRow;
      out += 4 * cRow;
    }
    for (; row < m; row += 1) {
      oneRow(left, aStep, b, bRow, out, k, fresh);
      left += aRow;
      out += cRow;
    }
    b += 32;
    c += 32;
  }
}

/** `largest` [rows] becomes the larger of what stands there and the largest of the row. `columns` is a multiple of 4. */
export function rowMax(x: usize, xRow: usize, rows: i32, columns: i32, largest: usize): void {
  for (let row = 0; row < rows; row += 1) {
    let most = v128.load_splat<f32>(largest);
    for (let at = x; at < x + ((<usize>columns) << 2); at += 16) most = f32x4.max(most, v128.load(at));
    const ofPairs = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), f32x4.extract_lane(most, 2));
    store<f32>(largest, max(ofPairs, f32x4.extract_lane(most, 3)));
    x += xRow;
    largest += 4;
  }
}

/** ln 2 in two parts, so that n ln 2 can be taken off without loss. */
const ln2High: f32 = 0.693359375;
const ln2Low: f32 = -2.1219444e-4;
const log2e: f32 = 1.4426950408889634;
/** Below, exp counts for nothing beside the largest of its row; products of it with gradients would be denormal, which is slow. */
const lowest: f32 = -60;

/**
 * x becomes exp(x - shift [row]), which must be 88 at most; what a row then sums to is added to `sums` [row]. 2^n times the Taylor series of the rest, as far as
 * single precision sees it. `columns` is a multiple of 4.
 */
export function rowExp(x: usize, xRow: usize, rows: i32, columns: i32, shift: usize, sums: usize): void {
  for (let row = 0; row < rows; row += 1) {
    const shifts = v128.load_splat<f32>(shift);
    let sum = f32x4.splat(0);
    for (let at = x; at < x + ((<usize>columns) << 2); at += 16) {
      const exponent = f32x4.max(f32x4.sub(v128.load(at), shifts), f32x4.splat(lowest));
      const power = f32x4.nearest(f32x4.mul(exponent, f32x4.splat(log2e)));
      let rest = addProduct(exponent, power, f32x4.splat(-ln2High));
      rest = addProduct(rest, power, f32x4.splat(-ln2Low));
      let value = f32x4.splat(1.0 / 5040);
      value = addProduct(f32x4.splat(1.0 / 720), value, rest);
      value = addProduct(f32x4.splat(1.0 / 120), value, rest);
      value = addProduct(f32x4.splat(1.0 / 24), value, rest);
      value = addProduct(f32x4.splat(1.0 / 6), value, rest);
      value = addProduct(f32x4.splat(0.5), value, rest);
      value = addProduct(f32x4.splat(1), value, rest);
      value = addProduct(f32x4.splat(1), value, rest);
      // 2^n by its exponent's bits.
      value = f32x4.mul(value, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(power), i32x4.splat(127)), 23));
      v128.store(at, value);
      sum = f32x4.add(sum, value);
    }
    const pairs = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
    store<f32>(sums, load<f32>(sums) + pairs);
    x += xRow;
    shift += 4;
    sums += 4;
  }
}

/** The last `missing` of a row's columns become what no score is below. */
export function hide(x: usize, xRow: usize, rows: i32, columns: i32, missing: i32): void {
  for (let row = 0; row < rows; row += 1) {
    for (let column = columns - missing; column < columns; column += 1) store<f32>(x + ((<usize>column) << 2), -1e30);
    x += xRow;
  }
}
