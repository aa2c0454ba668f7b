import { groupNumber } from './least-squares.ts';

/** Threads of a group that has a cell each. */
export const cellsPerGroup = 256;

/** Arrays as `name` (float32), `name:u32`, and `&name` where they are written, bound behind the batch and the shape. */
const bound = (arrays: readonly string[]): string =>
  ['batch:u32', 'shape:u32', ...arrays]
    .map((one, place) => {
      const [name = '', type = 'f32'] = one.replace('&', '').split(':');
      return `@group(0) @binding(${place}) var<storage, ${one.startsWith('&') ? 'read_write' : 'read'}> ${name}: array<${type}>;`;
    })
    .join('\n');

/** A thread a cell of rows of `width` cells, which stands in the first array behind the batch. */
export const cellCode = (arrays: readonly string[], body: string): string => `
${bound(arrays)}
@compute @workgroup_size(${cellsPerGroup})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let cell = (${groupNumber('id')}) * ${cellsPerGroup}u + t;
  if (cell >= batch[0] * shape[0]) { return; }
  ${body}
}
`;

/** 64 threads a row; `total` adds up what each of them has. */
export const rowCode = (arrays: readonly string[], body: string): string => `
${bound(arrays)}
var<workgroup> sums: array<f32, 64>;
fn total(t: u32, x: f32) -> f32 {
  workgroupBarrier();
  sums[t] = x;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (t < half) { sums[t] += sums[t + half]; }
    workgroupBarrier();
  }
  return sums[0];
}
fn largest(t: u32, x: f32) -> f32 {
  workgroupBarrier();
  sums[t] = x;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (t < half) { sums[t] = max(sums[t], sums[t + half]); }
    workgroupBarrier();
  }
  return sums[0];
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) t: u32) {
  let row = ${groupNumber('id')};
  let width = shape[0];
  ${body}
}
`;
