/** Threads that work on a row. */
const threads = 64;
/** Groups of work of one direction, of which a GPU must take 65,535. */
const groupsInARow = 32_768;

/** Of a dispatch of one group a row, over more rows than one direction takes. */
export const groupsOf = (count: number): readonly [number, number] => [Math.min(count, groupsInARow), Math.ceil(count / groupsInARow)];

/** In WGSL: the number of the group. */
export const groupNumber = (id: string): string => `${id}.y * ${groupsInARow}u + ${id}.x`;

/**
 * The same as `solveRows` of the CPU's kernels (models/kernels/assembly/least-squares.ts), which says what is solved: rows of a weighted least squares problem
 * by conjugate gradient, each from where its solution stands. A group of threads has a row. It takes the row's entries 64 at a time: first each thread has an
 * entry and multiplies its factors with the vector, then each has 4 places of the vector and adds up what the entries give there. The order of all sums is fixed.
 *
 * Arrays: batch uint32 [first row, rows, steps]; indptr uint32 [rows + 1]; columns uint32 [entries]; weights float32 [entries], alpha times the value; ridges
 * float32 [rows], the row's lambda; factors float32 [columns, width]; spectrum float32 [width]; solved float32 [rows, width].
 * @param width a multiple of 4
 */
export function solveRowsCode({ width, preconditioned }: { width: number; preconditioned: boolean }): string {
  const lanes = width / 4;
  const parts = Math.max(1, Math.floor(threads / lanes));
  const per = Math.ceil(lanes / threads);
  return `
const threads = ${threads}u;
const lanes = ${lanes}u;
const parts = ${parts}u;
const per = ${per}u;
alias Own = array<vec4f, per>;
@group(0) @binding(0) var<storage, read> batch: array<u32>;
@group(0) @binding(1) var<storage, read> indptr: array<u32>;
@group(0) @binding(2) var<storage, read> columns: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> ridges: array<f32>;
@group(0) @binding(5) var<storage, read> factors: array<vec4f>;
@group(0) @binding(6) var<storage, read> spectrum: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> solved: array<vec4f>;
var<workgroup> multiplied: array<vec4f, lanes>;
var<workgroup> shares: array<f32, threads>;
var<workgroup> places: array<u32, threads>;
var<workgroup> halves: array<vec4f, threads>;
var<workgroup> sums: array<f32, threads>;

fn total(t: u32, x: f32) -> f32 {
  workgroupBarrier();
  sums[t] = x;
  workgroupBarrier();
  for (var half = threads / 2u; half > 0u; half /= 2u) {
    if (t < half) { sums[t] += sums[t + half]; }
    workgroupBarrier();
  }
  return sums[0];
}

fn dotOf(a: Own, b: Own) -> f32 {
  var sum = 0f;
  for (var k = 0u; k < per; k++) { sum += dot(a[k], b[k]); }
  return sum;
}

// Of what stands in \`multiplied\`: the sum over the entries of weight (target + sign y . multiplied) y.
fn weighted(t: u32, begin: u32, end: u32, aim: f32, sign: f32) -> Own {
  var own: Own;
  workgroupBarrier();
  for (var base = begin; base < end; base += threads) {
    let entry = base + t;
    if (entry < end) {
      let place = columns[entry] * lanes;
      var sum = vec4f();
      for (var lane = 0u; lane < lanes; lane++) { sum += factors[place + lane] * multiplied[lane]; }
      places[t] = place;
      shares[t] = weights[entry] * (aim + sign * (sum.x + sum.y + sum.z + sum.w));
    }
    workgroupBarrier();
    if (t < lanes * parts) {
      for (var one = t / min(lanes, threads); one < min(threads, end - base); one += parts) {
        for (var k = 0u; k < per; k++) {
          let lane = t % min(lanes, threads) + k * threads;
          if (lane < lanes) { own[k] += shares[one] * factors[places[one] + lane]; }
        }
      }
    }
    workgroupBarrier();
  }
  if (parts > 1u) {
    halves[t] = own[0];
    workgroupBarrier();
    if (t < lanes) { for (var part = 1u; part < parts; part++) { own[0] += halves[part * lanes + t]; } }
  }
  return own;
}

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let number = ${groupNumber('id')};
  if (number >= batch[1]) { return; }
  let row = batch[0] + number;
  let steps = batch[2];
  let begin = indptr[row];
  let end = indptr[row + 1u];
  var x: Own;
  var diagonal: Own;
  var scale: Own;
  var residual: Own;
  var direction: Own;
  for (var k = 0u; k < per; k++) {
    let lane = t + k * threads;
    if (lane < lanes) {
      if (begin == end) { solved[row * lanes + lane] = vec4f(); }
      x[k] = solved[row * lanes + lane];
      multiplied[lane] = x[k];
      diagonal[k] = spectrum[lane] + ridges[row];
      scale[k] = ${preconditioned ? '1f / diagonal[k]' : 'vec4f(1f)'};
    }
  }
  if (begin == end) { return; }
  let right = weighted(t, begin, end, 1f, -1f);
  for (var k = 0u; k < per; k++) {
    if (t + k * threads < lanes) { residual[k] = right[k] - diagonal[k] * x[k]; }
    direction[k] = residual[k] * scale[k];
  }
  var squared = total(t, dotOf(residual, direction));
  for (var step = 1u; ; step++) {
    workgroupBarrier();
    for (var k = 0u; k < per; k++) { if (t + k * threads < lanes) { multiplied[t + k * threads] = direction[k]; } }
    var product = weighted(t, begin, end, 0f, 1f);
    for (var k = 0u; k < per; k++) {
      if (t + k * threads < lanes) { product[k] += diagonal[k] * direction[k]; } else { product[k] = vec4f(); }
    }
    let length = squared / max(total(t, dotOf(direction, product)), 1e-30f);
    for (var k = 0u; k < per; k++) { x[k] += length * direction[k]; }
    if (step >= steps) { break; }
    for (var k = 0u; k < per; k++) { residual[k] -= length * product[k]; }
    var scaled: Own;
    for (var k = 0u; k < per; k++) { scaled[k] = residual[k] * scale[k]; }
    let next = total(t, dotOf(residual, scaled));
    let momentum = next / max(squared, 1e-30f);
    for (var k = 0u; k < per; k++) { direction[k] = scaled[k] + momentum * direction[k]; }
    squared = next;
  }
  for (var k = 0u; k < per; k++) { if (t + k * threads < lanes) { solved[row * lanes + t + k * threads] = x[k]; } }
}
`;
}
