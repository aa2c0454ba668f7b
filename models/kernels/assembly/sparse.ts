import { addProduct, valueAt } from './lanes';

/**
 * out = product (R x) + before y + beforeThat z for its rows, with R[row, column] = rowScale[row] value columnScale[column].
 * @param indptr,columns,values,table sparse rows, as of `solveRows`
 * @param x float32 [columns, width]
 * @param rowScale,columnScale float32 [rows], [columns]
 * @param out,y,z float32 [rows, width]; they may be the same. 0: there is none
 */
export function filterRows(
  from: i32,
  to: i32,
  part: i32,
  scratch: usize,
  indptr: usize,
  columns: usize,
  values: usize,
  table: usize,
  x: usize,
  width: i32,
  rowScale: usize,
  columnScale: usize,
  out: usize,
  product: f32,
  y: usize,
  before: f32,
  z: usize,
  beforeThat: f32,
): void {
  const stride = (<usize>width) << 2;
  for (let row = from; row < to; row += 1) {
    memory.fill(scratch, 0, stride);
    const end = load<u32>(indptr + ((<usize>row) << 2), 4);
    let entry = load<u32>(indptr + ((<usize>row) << 2));
    for (; entry + 4 <= end; entry += 4) {
      const place = columns + ((<usize>entry) << 2);
      const i0 = load<u32>(place);
      const i1 = load<u32>(place, 4);
      const i2 = load<u32>(place, 8);
      const i3 = load<u32>(place, 12);
      const c0 = f32x4.splat(valueAt(values, table, entry) * load<f32>(columnScale + ((<usize>i0) << 2)));
      const c1 = f32x4.splat(valueAt(values, table, entry + 1) * load<f32>(columnScale + ((<usize>i1) << 2)));
      const c2 = f32x4.splat(valueAt(values, table, entry + 2) * load<f32>(columnScale + ((<usize>i2) << 2)));
      const c3 = f32x4.splat(valueAt(values, table, entry + 3) * load<f32>(columnScale + ((<usize>i3) << 2)));
      const x0 = x + <usize>i0 * stride;
      const x1 = x + <usize>i1 * stride;
      const x2 = x + <usize>i2 * stride;
      const x3 = x + <usize>i3 * stride;
      for (let f: usize = 0; f < stride; f += 16) {
        let sum = v128.load(scratch + f);
        sum = addProduct(sum, c0, v128.load(x0 + f));
        sum = addProduct(sum, c1, v128.load(x1 + f));
        sum = addProduct(sum, c2, v128.load(x2 + f));
        sum = addProduct(sum, c3, v128.load(x3 + f));
        v128.store(scratch + f, sum);
      }
    }
    for (; entry < end; entry += 1) {
      const column = load<u32>(columns + ((<usize>entry) << 2));
      const c = f32x4.splat(valueAt(values, table, entry) * load<f32>(columnScale + ((<usize>column) << 2)));
      const from = x + <usize>column * stride;
      for (let f: usize = 0; f < stride; f += 16) v128.store(scratch + f, addProduct(v128.load(scratch + f), c, v128.load(from + f)));
    }
    const scale = f32x4.splat(product * load<f32>(rowScale + ((<usize>row) << 2)));
    const base = <usize>row * stride;
    for (let f: usize = 0; f < stride; f += 16) {
      let sum = f32x4.mul(scale, v128.load(scratch + f));
      if (y !== 0) sum = addProduct(sum, f32x4.splat(before), v128.load(y + base + f));
      if (z !== 0) sum = addProduct(sum, f32x4.splat(beforeThat), v128.load(z + base + f));
      v128.store(out + base + f, sum);
    }
  }
}
