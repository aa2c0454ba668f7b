import { addProduct } from './lanes';

/** C (+)= A B for four rows of A and eight columns of B; distances are bytes. With `fresh` C is written, without it added to. */
export function fourRows(a: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, c: usize, cRow: usize, k: i32, fresh: bool): void {
  let l0 = f32x4.splat(0);
  let l1 = f32x4.splat(0);
  let l2 = f32x4.splat(0);
  let l3 = f32x4.splat(0);
  let r0 = f32x4.splat(0);
  let r1 = f32x4.splat(0);
  let r2 = f32x4.splat(0);
  let r3 = f32x4.splat(0);
  let a1 = a + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  for (let step = 0; step < k; step += 1) {
    const left = v128.load(b);
    const right = v128.load(b, 16);
    b += bRow;
    const v0 = v128.load_splat<f32>(a);
    l0 = addProduct(l0, v0, left);
    r0 = addProduct(r0, v0, right);
    a += aStep;
    const v1 = v128.load_splat<f32>(a1);
    l1 = addProduct(l1, v1, left);
    r1 = addProduct(r1, v1, right);
    a1 += aStep;
    const v2 = v128.load_splat<f32>(a2);
    l2 = addProduct(l2, v2, left);
    r2 = addProduct(r2, v2, right);
    a2 += aStep;
    const v3 = v128.load_splat<f32>(a3);
    l3 = addProduct(l3, v3, left);
    r3 = addProduct(r3, v3, right);
    a3 += aStep;
  }
  finish(c, l0, r0, fresh);
  finish(c + cRow, l1, r1, fresh);
  finish(c + 2 * cRow, l2, r2, fresh);
  finish(c + 3 * cRow, l3, r3, fresh);
}

/** The same of one row, each sum in the same order. */
export function oneRow(a: usize, aStep: usize, b: usize, bRow: usize, c: usize, k: i32, fresh: bool): void {
  let l = f32x4.splat(0);
  let r = f32x4.splat(0);
  for (let step = 0; step < k; step += 1) {
    const value = v128.load_splat<f32>(a);
    l = addProduct(l, value, v128.load(b));
    r = addProduct(r, value, v128.load(b, 16));
    a += aStep;
    b += bRow;
  }
  finish(c, l, r, fresh);
}

// @ts-ignore: a decorator of the language
@inline
function finish(c: usize, left: v128, right: v128, fresh: bool): void {
  v128.store(c, fresh ? left : f32x4.add(v128.load(c), left));
  v128.store(c, fresh ? right : f32x4.add(v128.load(c, 16), right), 16);
}
