import type { GpuArray } from './gpu.ts';
import { rowCode } from './code.ts';
import type { GpuFlow, GpuNetwork } from './network.ts';

/** uint32 [rows, 2] where the sequence of each row begins and ends. */
export type GpuSequences = GpuArray;

/** shape: [heads, width of a head, longest sequence]. A group is a row and a head of it: `width` stands for the heads here. */
const place = `
  let heads = shape[0];
  let size = shape[1];
  let head = row % heads;
  let i = row / heads;
  if (i >= batch[0]) { return; }
  let all = heads * size;
  let own = i * 3u * all + head * size;
  let begin = bounds[2u * i];
  let end = bounds[2u * i + 1u];
  let shares0 = row * shape[2];
  let slope = 1f / sqrt(f32(size));`;

const forwardCode = rowCode(
  ['bounds:u32', 'x', '&shares', '&y'],
  `${place}
  var most = -1e30f;
  for (var j = begin + t; j <= i; j += 64u) {
    let key = j * 3u * all + all + head * size;
    var score = 0f;
    for (var f = 0u; f < size; f++) { score += x[own + f] * x[key + f]; }
    shares[shares0 + j - begin] = score * slope;
    most = max(most, score * slope);
  }
  let top = largest(t, most);
  var sum = 0f;
  for (var j = begin + t; j <= i; j += 64u) {
    let share = exp(shares[shares0 + j - begin] - top);
    shares[shares0 + j - begin] = share;
    sum += share;
  }
  let part = 1f / total(t, sum);
  for (var j = begin + t; j <= i; j += 64u) { shares[shares0 + j - begin] *= part; }
  storageBarrier();
  workgroupBarrier();
  for (var f = t; f < size; f += 64u) {
    var value = 0f;
    for (var j = begin; j <= i; j++) { value += shares[shares0 + j - begin] * x[j * 3u * all + 2u * all + head * size + f]; }
    y[i * all + head * size + f] = value;
  }`,
);

/** Of a row's query, and what its scores change by. */
const queryCode = rowCode(
  ['bounds:u32', 'x', 'shares', 'dY', '&dShares', '&dX'],
  `${place}
  let out = i * all + head * size;
  var sum = 0f;
  for (var j = begin + t; j <= i; j += 64u) {
    let value = j * 3u * all + 2u * all + head * size;
    var product = 0f;
    for (var f = 0u; f < size; f++) { product += dY[out + f] * x[value + f]; }
    dShares[shares0 + j - begin] = product;
    sum += shares[shares0 + j - begin] * product;
  }
  let mean = total(t, sum);
  for (var j = begin + t; j <= i; j += 64u) {
    dShares[shares0 + j - begin] = shares[shares0 + j - begin] * (dShares[shares0 + j - begin] - mean) * slope;
  }
  storageBarrier();
  workgroupBarrier();
  for (var f = t; f < size; f += 64u) {
    var change = 0f;
    for (var j = begin; j <= i; j++) { change += dShares[shares0 + j - begin] * x[j * 3u * all + all + head * size + f]; }
    dX[own + f] += change;
  }`,
);

/** Of a row's key and value: what all rows behind it in the sequence, and itself, have taken from them. */
const keyCode = rowCode(
  ['bounds:u32', 'x', 'shares', 'dY', 'dShares', '&dX'],
  `${place}
  for (var f = t; f < size; f += 64u) {
    var key = 0f;
    var value = 0f;
    for (var j = i; j < end; j++) {
      let share = (j * heads + head) * shape[2] + i - begin;
      key += dShares[share] * x[j * 3u * all + head * size + f];
      value += shares[share] * dY[j * all + head * size + f];
    }
    dX[own + all + f] += key;
    dX[own + 2u * all + f] += value;
  }`,
);

/** models/neural/attention.ts, which says what is computed, on a GPU. */
export function gpuAttention(
  network: GpuNetwork,
  { from, heads, sequences, mostLength }: { from: GpuFlow; heads: number; sequences: GpuSequences; mostLength: number },
): GpuFlow {
  const width = from.width / 3;
  const into = network.flow(width);
  const shape = network.shape(heads, width / heads, mostLength);
  const shares = network.array(network.mostRows * heads * mostLength);
  const dShares = network.array(network.mostRows * heads * mostLength);
  network.add({
    forward: [network.perRow(forwardCode, [shape, sequences, from.value, shares, into.value], heads)],
    backward: [
      network.perRow(queryCode, [shape, sequences, from.value, shares, into.grad, dShares, from.grad], heads),
      network.perRow(keyCode, [shape, sequences, from.value, shares, into.grad, dShares, from.grad], heads),
    ],
  });
  return into;
}
