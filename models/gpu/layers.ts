import type { Layers } from '../neural/layers.ts';
import { type DropoutMasks, layerNormEpsilon } from '../neural/network.ts';
import { gpuAttention, type GpuSequences } from './attention.ts';
import { cellCode, rowCode } from './code.ts';
import type { GpuFlow, GpuNetwork, GpuParameter, Work } from './network.ts';

const columnSumCode = (weighted: boolean): string => `
@group(0) @binding(0) var<storage, read> batch: array<u32>;
@group(0) @binding(1) var<storage, read> shape: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
${weighted ? '@group(0) @binding(4) var<storage, read> y: array<f32>;' : ''}
var<workgroup> parts: array<f32, 256>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) at: vec3u, @builtin(local_invocation_index) t: u32) {
  let column = id.x * 16u + at.x;
  var sum = 0f;
  if (column < shape[0]) {
    for (var row = at.y; row < batch[0]; row += 16u) { sum += x[row * shape[0] + column]${weighted ? ' * y[row * shape[0] + column]' : ''}; }
  }
  parts[t] = sum;
  workgroupBarrier();
  if (at.y == 0u && column < shape[0]) {
    for (var part = 1u; part < 16u; part++) { sum += parts[part * 16u + at.x]; }
    out[column] += sum;
  }
}
`;

const reluCode = cellCode(['x', '&y'], 'y[cell] = max(0f, x[cell]);');
const reluBackCode = cellCode(['x', 'dY', '&dX'], 'if (x[cell] > 0f) { dX[cell] += dY[cell]; }');
/** Behind the width stands by how much what is kept is made larger; a mask is a byte a cell. */
const kept = 'select(1f, bitcast<f32>(shape[1]) * f32((mask[cell / 4u] >> (8u * (cell % 4u))) & 1u), shape[2] != 0u && batch[2] != 0u)';
const dropCode = (base: boolean): string =>
  cellCode(['mask:u32', 'branch', '&y', ...(base ? ['base'] : [])], `y[cell] = ${base ? 'base[cell] + ' : ''}branch[cell] * ${kept};`);
const dropBackCode = (base: boolean): string =>
  cellCode(['mask:u32', 'dY', '&dBranch', ...(base ? ['&dBase'] : [])], `dBranch[cell] += dY[cell] * ${kept};${base ? ' dBase[cell] += dY[cell];' : ''}`);

const normCode = rowCode(
  ['x', 'gain', 'bias', '&normal', '&scales', '&y'],
  `
  let first = row * width;
  if (row >= batch[0]) { return; }
  var sum = 0f;
  for (var c = t; c < width; c += 64u) { sum += x[first + c]; }
  let mean = total(t, sum) / f32(width);
  var squares = 0f;
  for (var c = t; c < width; c += 64u) { squares += (x[first + c] - mean) * (x[first + c] - mean); }
  let scale = 1f / sqrt(total(t, squares) / f32(width) + ${layerNormEpsilon}f);
  if (t == 0u) { scales[row] = scale; }
  for (var c = t; c < width; c += 64u) {
    let value = (x[first + c] - mean) * scale;
    normal[first + c] = value;
    y[first + c] = value * gain[c] + bias[c];
  }`,
);
const normBackCode = rowCode(
  ['dY', 'gain', 'normal', 'scales', '&dX'],
  `
  let first = row * width;
  if (row >= batch[0]) { return; }
  var sum = 0f;
  var product = 0f;
  for (var c = t; c < width; c += 64u) {
    let through = dY[first + c] * gain[c];
    sum += through;
    product += through * normal[first + c];
  }
  let mean = total(t, sum) / f32(width);
  let slope = total(t, product) / f32(width);
  for (var c = t; c < width; c += 64u) { dX[first + c] += scales[row] * (dY[first + c] * gain[c] - mean - normal[first + c] * slope); }`,
);

/** The layers of models/neural on a GPU: the same formulas, held to them by network.test.ts. */
export function gpuLayers(
  network: GpuNetwork,
  { masks, sequences, mostLength }: { masks: DropoutMasks; sequences: GpuSequences; mostLength: number },
): Layers<GpuFlow> {
  const columnSum = (width: number, x: GpuFlow['grad'], into: GpuParameter, y?: GpuFlow['value']): Work => ({
    kernel: network.gpu.kernel(columnSumCode(y !== undefined), [network.batch, network.shape(width), x, into.on.grad, ...(y === undefined ? [] : [y])]),
    groups: () => [Math.ceil(width / 16)],
  });
  return {
    linear({ from, width, name }) {
      const into = network.flow(width);
      const weight = network.parameter(`${name}.weight`, from.width, width).on;
      const bias = network.parameter(`${name}.bias`, 1, width);
      network.add({
        forward: [network.matmul({ add: false, bias: true }, { sizes: [0, width, from.width], arrays: [from.value, weight.value, into.value, bias.on.value] })],
        backward: [
          columnSum(width, into.grad, bias),
          network.matmul({ a: { turned: true }, add: true }, { sizes: [from.width, width, 0], arrays: [from.value, into.grad, weight.grad] }),
          network.matmul({ b: { turned: true }, add: true }, { sizes: [0, from.width, width], arrays: [into.grad, weight.value, from.grad] }),
        ],
      });
      return into;
    },
    layerNorm({ from, name }) {
      const { width } = from;
      const into = network.flow(width);
      const gain = network.parameter(`${name}.gain`, 1, width);
      const bias = network.parameter(`${name}.bias`, 1, width);
      const normal = network.array(network.mostRows * width);
      const scales = network.array(network.mostRows);
      const shape = network.shape(width);
      network.add({
        forward: [network.perRow(normCode, [shape, from.value, gain.on.value, bias.on.value, normal, scales, into.value])],
        backward: [
          columnSum(width, into.grad, gain, normal),
          columnSum(width, into.grad, bias),
          network.perRow(normBackCode, [shape, into.grad, gain.on.value, normal, scales, from.grad]),
        ],
      });
      return into;
    },
    relu(from) {
      const into = network.flow(from.width);
      const shape = network.shape(from.width);
      network.add({
        forward: [network.cells(reluCode, from.width, [shape, from.value, into.value])],
        backward: [network.cells(reluBackCode, from.width, [shape, from.value, into.grad, from.grad])],
      });
      return into;
    },
    addDropped({ base, branch }) {
      const { width } = branch;
      const into = network.flow(width);
      const bytes = new Uint8Array(Math.ceil((network.mostRows * width) / 4) * 4);
      const words = new Uint32Array(bytes.buffer);
      const mask = network.array(words.length);
      const shape = network.gpu.arrayOf(Uint32Array.of(width, new Uint32Array(Float32Array.of(masks.scale).buffer)[0] ?? 0, masks.dropped), droppedAre);
      network.add({
        prepare(training) {
          if (!training || masks.dropped === 0) return;
          const cells = network.rows * width;
          masks.fill(bytes, cells);
          network.gpu.write(mask, words.subarray(0, Math.ceil(cells / 4)));
        },
        forward: [network.cells(dropCode(base !== undefined), width, [shape, mask, branch.value, into.value, ...(base === undefined ? [] : [base.value])])],
        backward: [network.cells(dropBackCode(base !== undefined), width, [shape, mask, into.grad, branch.grad, ...(base === undefined ? [] : [base.grad])])],
      });
      return into;
    },
    causalAttention: ({ from, heads }) => gpuAttention(network, { from, heads, sequences, mostLength }),
  };
}

const droppedAre = { what: 'What a step leaves out', fits: () => 'make batches smaller' };
