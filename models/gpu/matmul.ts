/**
 * Where an operand lies: [m, k] and [k, n] as they are multiplied, or `turned`, [k, m] and [n, k]. `part`: only the rows from the one that the batch names on.
 */
type Operand = { turned?: boolean; part?: boolean };
export type Matmul = { a?: Operand; b?: Operand; c?: { part?: boolean } /** To what stands there; else a bias is added, [n]. */; add: boolean; bias?: boolean };

/** Of the result, which a group of 16 by 16 threads makes, 4 by 4 each. */
export const matmulTile = 64;
const steps = 16;
/** Stands for a size that the batch says, as 0 does. */
export const batchColumns = 2 ** 32 - 1;

/**
 * C [m, n] (+)= A B (+ bias), in float32. Arrays: batch uint32 [rows, first row, columns]; shape uint32 [m, n, k], where 0 stands for the batch's rows and
 * 2^32 - 1 for its columns; A; B; C; and the bias.
 */
export function matmulCode({ a = {}, b = {}, c = {}, add, bias = false }: Matmul): string {
  const first = (one: { part?: boolean }, columns: string) => (one.part ? `batch[1] * ${columns} + ` : '');
  const ofA = a.turned ? 'column * m + row' : `${first(a, 'k')}row * k + column`;
  const ofB = b.turned ? 'column * k + row' : `${first(b, 'n')}row * n + column`;
  return `
@group(0) @binding(0) var<storage, read> batch: array<u32>;
@group(0) @binding(1) var<storage, read> shape: array<u32>;
@group(0) @binding(2) var<storage, read> left: array<f32>;
@group(0) @binding(3) var<storage, read> right: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
${bias ? '@group(0) @binding(5) var<storage, read> bias: array<f32>;' : ''}
var<workgroup> some: array<f32, ${matmulTile * steps}>;
var<workgroup> others: array<f32, ${matmulTile * steps}>;
fn sizeOf(place: u32) -> u32 {
  if (shape[place] == 0u) { return batch[0]; }
  if (shape[place] == ${batchColumns}u) { return batch[2]; }
  return shape[place];
}

fn store(four: vec4f, row: u32, column: u32, m: u32, n: u32) {
  if (row >= m) { return; }
  let place = ${first(c, 'n')}row * n + column;
  ${['x', 'y', 'z', 'w'].map((lane, j) => `if (column + ${j}u < n) { result[place + ${j}u] = ${add ? `result[place + ${j}u] + ` : ''}four.${lane}${bias ? ` + bias[column + ${j}u]` : ''}; }`).join('\n  ')}
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) at: vec3u, @builtin(local_invocation_index) t: u32) {
  let m = sizeOf(0u);
  let n = sizeOf(1u);
  let k = sizeOf(2u);
  var sums0 = vec4f();
  var sums1 = vec4f();
  var sums2 = vec4f();
  var sums3 = vec4f();
  for (var base = 0u; base < k; base += ${steps}u) {
    for (var place = t; place < ${matmulTile * steps}u; place += 256u) {
      {
        let step = ${a.turned ? `place / ${matmulTile}u` : `place % ${steps}u`};
        let own = ${a.turned ? `place % ${matmulTile}u` : `place / ${steps}u`};
        let row = id.y * ${matmulTile}u + own;
        let column = base + step;
        var value = 0f;
        if (row < m && column < k) { value = left[${ofA}]; }
        some[step * ${matmulTile}u + own] = value;
      }
      {
        let step = ${b.turned ? `place % ${steps}u` : `place / ${matmulTile}u`};
        let own = ${b.turned ? `place / ${steps}u` : `place % ${matmulTile}u`};
        let row = base + step;
        let column = id.x * ${matmulTile}u + own;
        var value = 0f;
        if (row < k && column < n) { value = right[${ofB}]; }
        others[step * ${matmulTile}u + own] = value;
      }
    }
    workgroupBarrier();
    for (var step = 0u; step < ${steps}u; step++) {
      let across = step * ${matmulTile}u + at.x * 4u;
      let row = vec4f(others[across], others[across + 1u], others[across + 2u], others[across + 3u]);
      let begin = step * ${matmulTile}u + at.y * 4u;
      sums0 += some[begin] * row;
      sums1 += some[begin + 1u] * row;
      sums2 += some[begin + 2u] * row;
      sums3 += some[begin + 3u] * row;
    }
    workgroupBarrier();
  }
  let column = id.x * ${matmulTile}u + at.x * 4u;
  ${[0, 1, 2, 3].map((i) => `store(sums${i}, id.y * ${matmulTile}u + at.y * 4u + ${i}u, column, m, n);`).join('\n  ')}
}
`;
}
