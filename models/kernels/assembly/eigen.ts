/*
 * Eigenvalues and eigenvectors of a symmetric matrix in double precision: Householder's reduction to three diagonals, then QL steps with implicit shifts
 * (Wilkinson and Reinsch, "Handbook for Automatic Computation", vol. II, 1971, II/1 and II/4; Golub and Van Loan, "Matrix Computations", 4th ed., 8.3). Every
 * inner loop runs along a row.
 */

/** More QL steps than any eigenvalue takes; numbers that are none would not end. */
const stepsAtMost: i32 = 60;

/**
 * @param matrix float64 [n, n], symmetric; out: row k is the eigenvector of values[k]
 * @param values float64 [n] out
 * @param scratch float64 [n, n + 2]
 * @returns whether it came to an end
 */
export function eigenSymmetric(matrix: usize, n: i32, values: usize, scratch: usize): bool {
  const below = scratch;
  const vector = scratch + ((<usize>n) << 3);
  const reflectors = vector + ((<usize>n) << 3);
  reduce(matrix, n, values, below, vector, reflectors);
  return diagonalize(matrix, n, values, below);
}

// @ts-ignore: a decorator of the language
@inline
function rowOf(matrix: usize, n: i32, row: i32): usize {
  return matrix + ((<usize>row * <usize>n) << 3);
}
// @ts-ignore: a decorator of the language
@inline
function get(vector: usize, place: i32): f64 {
  return load<f64>(vector + ((<usize>place) << 3));
}
// @ts-ignore: a decorator of the language
@inline
function set(vector: usize, place: i32, value: f64): void {
  store<f64>(vector + ((<usize>place) << 3), value);
}

/** Sum of a[k] b[k] for k in from .. to - 1. */
function dot(a: usize, b: usize, from: i32, to: i32): f64 {
  let sum0 = f64x2.splat(0);
  let sum1 = f64x2.splat(0);
  let k = from;
  for (; k + 4 <= to; k += 4) {
    const place = (<usize>k) << 3;
    sum0 = f64x2.add(sum0, f64x2.mul(v128.load(a + place), v128.load(b + place)));
    sum1 = f64x2.add(sum1, f64x2.mul(v128.load(a + place, 16), v128.load(b + place, 16)));
  }
  const sums = f64x2.add(sum0, sum1);
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (; k < to; k += 1) sum += get(a, k) * get(b, k);
  return sum;
}

/** out[k] += factor a[k] for k in from .. to - 1. */
function addScaled(out: usize, a: usize, factor: f64, from: i32, to: i32): void {
  const factors = f64x2.splat(factor);
  let k = from;
  for (; k + 2 <= to; k += 2) {
    const place = (<usize>k) << 3;
    v128.store(out + place, f64x2.add(v128.load(out + place), f64x2.mul(factors, v128.load(a + place))));
  }
  for (; k < to; k += 1) set(out, k, get(out, k) + factor * get(a, k));
}

/**
 * A = Q T Q^T with T of three diagonals. Step k reflects what is below the diagonal of column k onto its first entry by H = I - v v^T, |v|^2 = 2.
 * @param matrix out: Q^T
 * @param diagonal,below float64 [n] out: T; below[k] stands between k and k + 1
 * @param reflectors float64 [n, n] row k: v of step k
 */
function reduce(matrix: usize, n: i32, diagonal: usize, below: usize, vector: usize, reflectors: usize): void {
  for (let k = 0; k + 2 < n; k += 1) {
    const v = rowOf(reflectors, n, k);
    const column = rowOf(matrix, n, k);
    const from = k + 1;
    for (let i = from; i < n; i += 1) set(v, i, get(column, i));
    const rest = dot(v, v, from + 1, n);
    const first = get(v, from);
    if (rest === 0) {
      set(below, k, first);
      for (let i = from; i < n; i += 1) set(v, i, 0);
      continue;
    }
    const length = sqrt(first * first + rest);
    const onto = first > 0 ? -length : length;
    set(below, k, onto);
    set(v, from, first - onto);
    const scale = sqrt(2 / (rest + (first - onto) * (first - onto)));
    for (let i = from; i < n; i += 1) set(v, i, scale * get(v, i));
    // A - v w^T - w v^T with w = A v - (v . A v / 2) v.
    for (let i = from; i < n; i += 1) set(vector, i, dot(rowOf(matrix, n, i), v, from, n));
    addScaled(vector, v, -0.5 * dot(vector, v, from, n), from, n);
    for (let i = from; i < n; i += 1) {
      const row = rowOf(matrix, n, i);
      addScaled(row, vector, -get(v, i), from, n);
      addScaled(row, v, -get(vector, i), from, n);
    }
  }
  for (let i = 0; i < n; i += 1) set(diagonal, i, get(rowOf(matrix, n, i), i));
  if (n >= 2) set(below, n - 2, get(rowOf(matrix, n, n - 2), n - 1));
  set(below, n - 1, 0);
  // Q^T = H_last .. H_0, from the last on, so that each touches only the rows and columns behind it: Q^T H_k = Q^T - (Q^T v) v^T.
  for (let i = 0; i < n; i += 1) {
    memory.fill(rowOf(matrix, n, i), 0, (<usize>n) << 3);
    set(rowOf(matrix, n, i), i, 1);
  }
  for (let k = n - 3; k >= 0; k -= 1) {
    const v = rowOf(reflectors, n, k);
    for (let i = k + 1; i < n; i += 1) {
      const row = rowOf(matrix, n, i);
      addScaled(row, v, -dot(row, v, k + 1, n), k + 1, n);
    }
  }
}

/** The rows i and i + 1 turned: (s a + c b, c a - s b). */
function turn(vectors: usize, n: i32, i: i32, c: f64, s: f64): void {
  const a = rowOf(vectors, n, i);
  const b = rowOf(vectors, n, i + 1);
  const cs = f64x2.splat(c);
  const ss = f64x2.splat(s);
  let k = 0;
  for (; k + 2 <= n; k += 2) {
    const place = (<usize>k) << 3;
    const x = v128.load(a + place);
    const y = v128.load(b + place);
    v128.store(a + place, f64x2.sub(f64x2.mul(cs, x), f64x2.mul(ss, y)));
    v128.store(b + place, f64x2.add(f64x2.mul(ss, x), f64x2.mul(cs, y)));
  }
  for (; k < n; k += 1) {
    const x = get(a, k);
    const y = get(b, k);
    set(a, k, c * x - s * y);
    set(b, k, s * x + c * y);
  }
}

function diagonalize(vectors: usize, n: i32, d: usize, e: usize): bool {
  // What is below the rounding of the largest number says nothing: beside eigenvalues of 0 it would be turned about for ever.
  let largest: f64 = 0;
  for (let k = 0; k < n; k += 1) largest = max(largest, abs(get(d, k)) + abs(get(e, k)));
  const rounding = largest * f64.EPSILON * 0.5;
  for (let l = 0; l < n; l += 1) {
    for (let step = 0; ; step += 1) {
      let m = l;
      for (; m + 1 < n; m += 1) {
        const size = abs(get(d, m)) + abs(get(d, m + 1));
        if (abs(get(e, m)) <= rounding || size + abs(get(e, m)) === size) break;
      }
      if (m === l) break;
      if (step === stepsAtMost) return false;
      let g = (get(d, l + 1) - get(d, l)) / (2 * get(e, l));
      let r = sqrt(g * g + 1);
      g = get(d, m) - get(d, l) + get(e, l) / (g + (g >= 0 ? r : -r));
      let s: f64 = 1;
      let c: f64 = 1;
      let p: f64 = 0;
      let i = m - 1;
      for (; i >= l; i -= 1) {
        const f = s * get(e, i);
        const b = c * get(e, i);
        r = sqrt(f * f + g * g);
        set(e, i + 1, r);
        if (r === 0) {
          // It came apart in the middle: begin again on what is left.
          set(d, i + 1, get(d, i + 1) - p);
          set(e, m, 0);
          break;
        }
        s = f / r;
        c = g / r;
        g = get(d, i + 1) - p;
        r = (get(d, i) - g) * s + 2 * c * b;
        p = s * r;
        set(d, i + 1, g + p);
        g = c * r - b;
        turn(vectors, n, i, c, s);
      }
      if (r === 0 && i >= l) continue;
      set(d, l, get(d, l) - p);
      set(e, l, g);
      set(e, m, 0);
    }
  }
  return true;
}
