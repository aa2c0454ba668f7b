import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGpu } from '../../activities/training/open-gpu.ts';
import { embedded, embeddingScale, transformer } from '../algorithms/sasrec/transformer.ts';
import { drawWeights } from '../neural/draw-weights.ts';
import { fullSoftmax, Panels } from '../neural/full-softmax.ts';
import { cpuLayers } from '../neural/layers.ts';
import { DropoutMasks, Network } from '../neural/network.ts';
import { RowTable } from '../neural/row-table.ts';
import { generalizedBce, sampledLoss, sampledSoftmax } from '../neural/sampled-loss.ts';
import { inWorkspace } from '../neural/workspace.ts';
import { createRandom } from '../random.ts';
import { gpuEmbedded } from './embedded.ts';
import { gpuFullSoftmax } from './full-softmax.ts';
import type { Gpu } from './gpu.ts';
import { gpuLayers } from './layers.ts';
import { GpuNetwork } from './network.ts';
import { gpuSampledLoss } from './sampled-loss.ts';
import { boundsOf } from './sequences.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
let gpu: Gpu;
beforeAll(async () => {
  gpu = await (await findGpu()).open();
});
afterAll(() => gpu?.close());

const losses = ['softmax', 'sampled-softmax', 'gbce'] as const;
type Drawn = {
  from: number;
  items: number;
  headWidth: number;
  heads: number;
  blocks: number;
  lengths: number[];
  dropout: number;
};
const drawn = fc.record({
  from: fc.nat(1e6),
  items: fc.oneof(fc.integer({ min: 2, max: 100 }), fc.integer({ min: 300, max: 600 })),
  headWidth: fc.constantFrom(16, 40),
  heads: fc.integer({ min: 1, max: 2 }),
  blocks: fc.integer({ min: 1, max: 2 }),
  lengths: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 3 }),
  dropout: fc.constantFrom(0, 0.2, 0.5),
});

/** A batch as sasrec has them: in each sequence a row of its own comes first. */
function batchOf({ from, items, lengths }: Drawn) {
  const random = createRandom(from);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const starts = Uint32Array.from([0, ...lengths.map((_, place) => lengths.slice(0, place + 1).reduce((sum, length) => sum + length, 0))]);
  const positions = Int32Array.from(lengths.flatMap((length) => Array.from({ length }, (_, place) => place)));
  return {
    rows,
    items: Int32Array.from(positions, (position) => (position === 0 ? items : random.below(items))),
    positions,
    targets: { items: Int32Array.from({ length: rows }, () => random.below(items)), weights: Float32Array.from({ length: rows }, () => 0.5 + random.float()) },
    sequences: { count: lengths.length, starts },
  };
}

const negatives = 16;

/** [rows, width] of a table of which only some rows have gradients, by their places. */
function gradOfRows({ rows, count }: { rows: Int32Array; count: number }, grad: Float32Array, { of, width }: { of: number; width: number }): Float32Array {
  const all = new Float32Array(of * width);
  for (const [place, row] of rows.subarray(0, count).entries()) if (row < of) all.set(grad.subarray(place * width, (place + 1) * width), row * width);
  return all;
}

test.each(losses)('%s and every gradient of any transformer are the CPU’s', async (lossName) => {
  await fc.assert(
    fc.asyncProperty(drawn, async (one) => {
      const { items, heads, blocks, dropout, from } = one;
      const calibration = lossName === 'gbce' ? 0.75 : undefined;
      const most = 2 * one.lengths.reduce((sum, length) => sum + length, 0) + 2 * negatives;
      const mostTouched = lossName === 'softmax' || most >= Panels.rowsFor(items) ? undefined : most;
      const of = calibration === undefined ? sampledSoftmax({ items, negatives }) : generalizedBce({ items, negatives, calibration });
      let step = 0;
      const key = () => step;
      const width = heads * one.headWidth;
      const shape = { width, heads, blocks, inner: width };
      const batch = batchOf(one);
      const mostLength = Math.max(...one.lengths);

      const masks = new DropoutMasks(dropout);
      const cpu = inWorkspace((workspace) => {
        const network = new Network({ workspace, mostRows: batch.rows });
        const table = new RowTable({ workspace, rows: Panels.rowsFor(items), width, mostTouched });
        const layers = cpuLayers(network, { masks, sequences: batch.sequences, mostLength });
        const out = transformer(layers, { embedded: embedded(network, { items: table, batch, mostLength }), shape });
        const loss =
          lossName === 'softmax'
            ? fullSoftmax({ network, from: out, table, panels: new Panels({ workspace, table, items }) })
            : sampledLoss(network, { from: out, table, items, negatives, of, key });
        return { network, table, out, loss };
      });
      drawWeights({ vectors: [cpu.table.value.subarray(0, (items + 1) * width)], parameters: cpu.network.parameters, seed: from });
      // As a training has them after a while: larger, and no gain is 1.
      for (const { value } of [cpu.table, ...cpu.network.parameters]) value.set(value.map((cell, place) => 1.5 * cell + 0.05 * Math.sin(place)));
      cpu.table.value.fill(0, (items + 1) * width);
      // Far from the kink of relu, on either side of it: close to it, a last bit decides over a gradient.
      for (const { name, value } of cpu.network.parameters) {
        if (name.endsWith('.inner.weight')) value.set(value.map((cell) => 0.1 * cell));
        if (name.endsWith('.inner.bias')) value.set(value.map((_, place) => (place % 3 === 0 ? -3 : 3)));
      }

      const network = new GpuNetwork({ gpu, mostRows: batch.rows });
      const sequences = network.array(2 * batch.rows);
      gpu.write(sequences, boundsOf(batch.sequences));
      const table = network.table('items', items + 1, width, mostTouched);
      const positions = network.parameter('positions', mostLength, width);
      const gpuMasks = new DropoutMasks(dropout);
      const out = transformer(gpuLayers(network, { masks: gpuMasks, sequences, mostLength }), {
        embedded: gpuEmbedded(network, { table, positions, scale: embeddingScale(width), batch }),
        shape,
      });
      const scored = { network, from: out, table, items };
      const loss = lossName === 'softmax' ? gpuFullSoftmax(scored) : gpuSampledLoss({ ...scored, negatives, calibration, key });
      const [, ...layers] = network.parameters;
      expect(layers.map(({ name }) => name)).toEqual(cpu.network.parameters.map(({ name }) => name));
      gpu.write(table.on.value, cpu.table.value.subarray(0, (items + 1) * width));
      for (const [place, { on }] of layers.entries()) gpu.write(on.value, cpu.network.parameters[place]?.value as Float32Array);

      for (step = 1; step <= 2; step += 1) {
        masks.begin(step);
        gpuMasks.begin(step);
        cpu.table.clear();
        cpu.network.forward({ rows: batch.rows, training: true });
        network.forward({ rows: batch.rows, training: true });
        const expected = cpu.loss.run(batch.targets);
        loss.run(batch.targets);
        cpu.network.backward();
        network.backward();
        expect(Math.abs((await loss.value()) / expected - 1)).toBeLessThan(1e-4);
        const all = { of: items + 1, width };
        const grads = [
          gradOfRows({ rows: cpu.table.touchedRows, count: cpu.table.touched }, cpu.table.grad, all),
          ...cpu.network.parameters.map(({ grad }) => grad),
        ];
        const read = network.parameters.map(({ on }) => ({ from: on.grad, into: new Float32Array(on.grad.length) }));
        await gpu.read(read);
        expect(new Set(table.touched.rows.subarray(0, table.touched.count))).toEqual(
          new Set(cpu.table.touchedRows.subarray(0, cpu.table.touched).filter((row) => row <= items)),
        );
        for (const [place, { into: found }] of read.entries()) {
          const into = place === 0 ? gradOfRows(table.touched, found, all) : found;
          const grad = grads[place] as Float32Array;
          const size = Math.sqrt(grad.reduce((sum, cell) => sum + cell * cell, 0));
          const apart = Math.sqrt(into.reduce((sum, cell, at) => sum + (cell - (grad[at] as number)) ** 2, 0));
          expect(apart, network.parameters[place]?.name).toBeLessThan(1e-4 * size + 1e-7);
        }
      }
    }),
    { seed, numRuns: 3, endOnFailure: true },
  );
});
