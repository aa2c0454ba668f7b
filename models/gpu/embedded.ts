import { rowCode } from './code.ts';
import { bitsOf, GpuGather } from './gather.ts';
import type { GpuFlow, GpuNetwork, GpuParameter, GpuTable } from './network.ts';

const forwardCode = rowCode(
  ['things:u32', 'positions:u32', 'vectors', 'places', '&y'],
  `
  if (row >= batch[0]) { return; }
  for (var f = t; f < width; f += 64u) { y[row * width + f] = bitcast<f32>(shape[1]) * vectors[things[row] * width + f] + places[positions[row] * width + f]; }`,
);

/**
 * Rows of tables, as what a network begins with: scale vectors [thing] + places [position].
 * @param batch whose arrays hold the rows at hand when the network is run
 */
export function gpuEmbedded(
  network: GpuNetwork,
  { table, positions, scale, batch }: { table: GpuTable; positions: GpuParameter; scale: number; batch: { items: Int32Array; positions: Int32Array } },
): GpuFlow {
  const { gpu, mostRows } = network;
  const width = table.columns;
  const into = network.flow(width);
  const arrays = { items: network.array(mostRows), positions: network.array(mostRows) };
  const forward = [
    network.perRow(forwardCode, [network.shape(width, bitsOf(scale)), arrays.items, arrays.positions, table.on.value, positions.on.value, into.value]),
  ];
  const from = { network, from: into.grad, width, mostEntries: mostRows };
  const ofItems = new GpuGather({ ...from, into: table.on.grad, counts: new Int32Array(table.touched.rows.length), scale });
  const ofPositions = new GpuGather({ ...from, into: positions.on.grad, counts: new Int32Array(positions.rows) });
  network.add({
    prepare(training) {
      const items = batch.items.subarray(0, network.rows);
      const places = batch.positions.subarray(0, network.rows);
      gpu.write(arrays.items, items);
      gpu.write(arrays.positions, places);
      if (!training) return;
      ofItems.place(items.map((item) => table.touched.placeOf(item)));
      ofPositions.place(places);
    },
    forward,
    backward: [ofItems.work, ofPositions.work],
  });
  return into;
}
