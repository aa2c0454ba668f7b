import { rowCode } from './code.ts';
import type { GpuFlow, GpuNetwork, GpuParameter } from './network.ts';

const forwardCode = rowCode(
  ['things:u32', 'positions:u32', 'vectors', 'places', '&y'],
  `
  if (row >= batch[0]) { return; }
  for (var f = t; f < width; f += 64u) { y[row * width + f] = bitcast<f32>(shape[1]) * vectors[things[row] * width + f] + places[positions[row] * width + f]; }`,
);

/** A group for each thing that is somewhere in the batch: adds up, in the order of the batch, what the rows with it have. */
const gatherCode = rowCode(
  ['groups:u32', 'order:u32', 'dY', '&grad'],
  `
  if (row >= min(batch[0], groups[0])) { return; }
  let begin = groups[1u + 2u * row];
  let end = groups[3u + 2u * row];
  let thing = groups[2u + 2u * row];
  for (var f = t; f < width; f += 64u) {
    var sum = 0f;
    for (var one = begin; one < end; one++) { sum += dY[order[one] * width + f]; }
    grad[thing * width + f] += bitcast<f32>(shape[1]) * sum;
  }`,
);

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

/**
 * Rows of tables, as what a network begins with: scale vectors [thing] + places [position]. The gradients of a thing are added up one after the other, and
 * never by two threads at once, so that they come out the same each time.
 * @param batch whose arrays hold the rows at hand when the network is run
 */
export function gpuEmbedded(
  network: GpuNetwork,
  { table, positions, scale, batch }: { table: GpuParameter; positions: GpuParameter; scale: number; batch: { items: Int32Array; positions: Int32Array } },
): GpuFlow {
  const { gpu, mostRows } = network;
  const width = table.columns;
  const into = network.flow(width);
  const arrays = { items: network.array(mostRows), positions: network.array(mostRows) };
  const forward = [
    network.perRow(forwardCode, [network.shape(width, bitsOf(scale)), arrays.items, arrays.positions, table.on.value, positions.on.value, into.value]),
  ];
  const gathered = (parameter: GpuParameter, by: number) => {
    const groups = network.array(2 * mostRows + 2);
    const order = network.array(mostRows);
    const work = network.perRow(gatherCode, [network.shape(width, bitsOf(by)), groups, order, into.grad, parameter.on.grad]);
    return { work, groups, order };
  };
  const [ofItems, ofPositions] = [gathered(table, scale), gathered(positions, 1)];
  network.add({
    prepare(training) {
      const rows = network.rows;
      gpu.write(arrays.items, batch.items.subarray(0, rows));
      gpu.write(arrays.positions, batch.positions.subarray(0, rows));
      if (!training) return;
      for (const [things, { groups, order }] of [
        [batch.items.subarray(0, rows), ofItems],
        [batch.positions.subarray(0, rows), ofPositions],
      ] as const) {
        const sorted = byThing(things);
        gpu.write(groups, sorted.groups);
        gpu.write(order, sorted.order);
      }
    },
    forward,
    backward: [ofItems.work, ofPositions.work],
  });
  return into;
}

/** How many there are; then of each where its rows begin in `order`, and its number; and in the end where all end. */
function byThing(things: Int32Array): { groups: Uint32Array; order: Uint32Array } {
  const order = Uint32Array.from(things.keys()).sort((a, b) => (things[a] as number) - (things[b] as number) || a - b);
  const found: number[] = [];
  for (const [place, row] of order.entries()) if (place === 0 || things[row] !== things[order[place - 1] as number]) found.push(place, things[row] as number);
  return { groups: Uint32Array.of(found.length / 2, ...found, order.length), order };
}
