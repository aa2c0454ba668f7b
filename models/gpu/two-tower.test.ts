import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGpu } from '../../activities/training/open-gpu.ts';
import type { TrainStep } from '../algorithms/algorithm.ts';
import { interactionsOf, ring, walks } from '../algorithms/testing-interactions.ts';
import { cpuTowers, cpuTrainee } from '../algorithms/two-tower/cpu-trainee.ts';
import { gpuTowers, gpuTrainee } from '../algorithms/two-tower/gpu-trainee.ts';
import { outline } from '../algorithms/two-tower/outline.ts';
import { toldAttributes } from '../algorithms/two-tower/told-attributes.ts';
import { twoTower } from '../algorithms/two-tower/two-tower.ts';
import { graphDigest } from '../graph/graph-files.ts';
import { noMoments } from '../neural/adam.ts';
import { drawWeights } from '../neural/draw-weights.ts';
import { createRandom } from '../random.ts';
import type { Gpu } from './gpu.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
let gpu: Gpu;
beforeAll(async () => {
  gpu = await (await findGpu()).open();
});
afterAll(() => gpu?.close());

/** Up to two values of one field, and some of one value of another; nothing of each third item. */
function attributesOf(itemCount: number, drawnBy: number) {
  const random = createRandom(drawnBy);
  const each = Array.from({ length: itemCount }, (_, item) => {
    const values = [random.below(4), random.below(4), ...(random.below(2) === 0 ? [4 + random.below(3)] : [])];
    return item % 3 === 2 ? [] : [...new Set(values)];
  });
  const indptr = new Uint32Array(itemCount + 1);
  for (const [item, own] of each.entries()) indptr[item + 1] = (indptr[item] as number) + own.length;
  return { indptr, attributes: Uint32Array.from(each.flat()), fields: ['category', 'brand'], fieldOf: Uint8Array.of(0, 0, 0, 0, 1, 1, 1) };
}

const drawn = fc.record({
  from: fc.nat(1e6),
  items: fc.oneof(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 1000, max: 2000 })),
  lengths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 }),
  decays: fc.constantFrom([1], [0, 0.5, 1], [0.9, 0.3]),
  dropout: fc.constantFrom(0, 0.3),
  idDropout: fc.constantFrom(0, 0.5),
  told: fc.boolean(),
});

const sizeOf = (array: Float32Array): number => Math.sqrt(array.reduce((sum, cell) => sum + cell * cell, 0));

/** [rows, width] of a table, of which a step touched some. */
function gradOfRows({ rows, count }: { rows: Int32Array; count: number }, grad: Float32Array, { of, width }: { of: number; width: number }): Float32Array {
  const all = new Float32Array(of * width);
  for (const [place, row] of rows.subarray(0, count).entries()) all.set(grad.subarray(place * width, (place + 1) * width), row * width);
  return all;
}

test('loss and every gradient of any towers are the CPU’s', async () => {
  await fc.assert(
    fc.asyncProperty(drawn, async ({ from, items, lengths, decays, dropout, idDropout, told }) => {
      const random = createRandom(from);
      // Items come again in a history, and not all of them have events.
      const interactions = interactionsOf(
        lengths.map((length) => Array.from({ length }, () => random.below(Math.min(items, 25)))),
        items,
      );
      interactions.weights.set(interactions.weights.map(() => 0.5 + random.float()));
      const counts = new Float64Array(items);
      for (const item of interactions.items) counts[item] = (counts[item] as number) + 1;
      const hasEvents = Uint8Array.from(counts, (count) => (count > 0 ? 1 : 0));
      const params = twoTower.params.parse({ decays, dropout, idDropout, batchEntries: 400, negatives: 24, maxHistory: 20, heldOutShare: 0, hidden: 24 });
      const attributes = toldAttributes(told ? attributesOf(items, from) : undefined, hasEvents);
      const begun = () => outline({ interactions, counts, hasEvents, attributes, width: 16, params, seed: from });
      const [onCpu, onGpu] = [begun(), begun()];
      const cpu = cpuTowers(onCpu);
      const own = gpuTowers(gpu, onGpu);
      const { parameters } = cpu.network;
      drawWeights({ vectors: cpu.tower.tables.map(({ value }) => value), parameters, seed: from });
      // As a training has them after a while; and far from the kink of relu, on either side of it.
      for (const { value } of [...cpu.tower.tables, ...parameters]) value.set(value.map((cell, place) => 1.5 * cell + 0.05 * Math.sin(place)));
      for (const { name, value } of parameters) {
        if (name === 'inner.weight') value.set(value.map((cell) => 0.1 * cell));
        if (name === 'inner.bias') value.set(value.map((_, place) => (place % 3 === 0 ? -3 : 3)));
      }
      const layers = own.network.parameters.filter((one) => !('touched' in one));
      expect(layers.map(({ name }) => name)).toEqual(parameters.map(({ name }) => name));
      for (const [place, { on }] of layers.entries()) gpu.write(on.value, parameters[place]?.value as Float32Array);
      for (const [place, { on }] of own.tower.tables.entries()) gpu.write(on.value, cpu.tower.tables[place as 0 | 1].value);

      for (const batch of [0, 1]) {
        for (const table of cpu.tower.tables) table.clear();
        onCpu.begin({ epoch: 0, batch: batch % onCpu.histories.batchesPerEpoch, step: batch });
        onGpu.begin({ epoch: 0, batch: batch % onGpu.histories.batchesPerEpoch, step: batch });
        const expected = cpu.run();
        const loss = await own.run();
        if (onCpu.batch.rows === 0) continue;
        expect(Math.abs(loss - expected)).toBeLessThan(1e-4 * expected + 1e-7);
        const wanted = new Map<string, Float32Array>(parameters.map(({ name, grad }) => [name, grad]));
        const found = new Map<string, Float32Array>(own.network.parameters.map(({ name, on }) => [name, new Float32Array(on.grad.length)]));
        await gpu.read(own.network.parameters.map(({ name, on }) => ({ from: on.grad, into: found.get(name) as Float32Array })));
        for (const [place, { name, touched, rows, columns }] of own.tower.tables.entries()) {
          const { touchedRows, touched: count, grad } = cpu.tower.tables[place as 0 | 1];
          expect(new Set(touched.rows.subarray(0, touched.count))).toEqual(new Set(touchedRows.subarray(0, count)));
          wanted.set(name, gradOfRows({ rows: touchedRows, count }, grad, { of: rows, width: columns }));
          found.set(name, gradOfRows(touched, found.get(name) as Float32Array, { of: rows, width: columns }));
        }
        const largest = Math.max(...[...wanted.values()].map(sizeOf));
        for (const [name, grad] of wanted) {
          const apart = sizeOf((found.get(name) as Float32Array).map((cell, at) => cell - (grad[at] as number)));
          // Where a batch has one item alone, all of them are 0.
          expect(apart, name).toBeLessThanOrEqual(1e-4 * sizeOf(grad) + 1e-6 * largest);
        }
      }
    }),
    { seed, numRuns: 6, endOnFailure: true },
  );
});

const lossOf = ({ figures }: TrainStep) => figures?.loss ?? Number.NaN;
const best = (all: readonly TrainStep[]) => Math.max(...all.flatMap(({ figures }) => figures?.held_out ?? []));

test.each([
  { what: 'a small catalog', itemCount: ring, epochs: 5 },
  { what: 'one of which a step touches little', itemCount: 3000, epochs: 2 },
])('a training over $what goes step by step as the CPU’s does, and comes out the same from a checkpoint', async ({ itemCount, epochs }) => {
  const input = {
    interactions: interactionsOf(walks(80, seed), itemCount),
    attributes: attributesOf(itemCount, seed),
    params: twoTower.params.parse({
      ...{ dimensions: 16, hidden: 16, maxHistory: 8, dropout: 0.1, batchEntries: 96, negatives: 16 },
      ...{ epochs, learningRate: 0.02, heldOutShare: 0.3 },
    }),
    seed,
  };
  const kept: { step: TrainStep; checkpoint: Uint8Array }[] = [];
  const model = await twoTower.train(input, {
    gpu,
    onStep: async (step) => void kept.push({ step, checkpoint: step.done % 11 === 0 ? await step.checkpoint() : new Uint8Array() }),
  });
  const steps: TrainStep[] = [];
  await twoTower.train(input, { onStep: (step) => void steps.push(step) });
  for (const [place, step] of steps.slice(0, 10).entries()) expect(Math.abs(lossOf(kept[place]?.step as TrainStep) / lossOf(step) - 1)).toBeLessThan(1e-4);
  expect(best(steps)).toBeGreaterThan(0);
  expect(Math.abs(best(kept.map(({ step }) => step)) - best(steps))).toBeLessThan(0.05);

  const resumeFrom = kept.findLast(({ checkpoint }) => checkpoint.length > 0)?.checkpoint;
  expect(resumeFrom).toBeDefined();
  expect(graphDigest((await twoTower.train(input, { gpu, resumeFrom })).exportGraph())).toBe(graphDigest(model.exportGraph()));
});

test('what is held out ranks as on the CPU, before anything is learned, and items of which nothing is known rank before none', async () => {
  const itemCount = 600;
  const interactions = interactionsOf(walks(80, seed), itemCount);
  const counts = new Float64Array(itemCount);
  for (const item of interactions.items) counts[item] = (counts[item] as number) + 1;
  const hasEvents = Uint8Array.from(counts, (count) => (count > 0 ? 1 : 0));
  const attributes = toldAttributes(attributesOf(itemCount, seed), hasEvents);
  const params = twoTower.params.parse({ negatives: 24, heldOutShare: 0.5 });
  const begun = () => outline({ interactions, counts, hasEvents, attributes, width: 16, params, seed });
  const onCpu = begun();
  expect(onCpu.step.known.filter((known) => known === 0).length).toBeGreaterThan(100);
  const own = gpuTrainee(gpu, begun()).trainee;
  own.elsewhere?.load(own.parameters.map(({ value }) => ({ value, moments: noMoments(value.length) })));
  const [expected, found] = [await cpuTrainee(onCpu).trainee.evaluate(), await own.evaluate()];
  expect(Math.abs((found as number) / (expected as number) - 1)).toBeLessThan(2e-3);
});

test('a catalog whose vectors are too large for the GPU is refused with what would fit', async () => {
  const width = 512;
  const itemCount = Math.floor(gpu.mostBytes / (4 * width)) + 1;
  const params = twoTower.params.parse({ dimensions: width, batchEntries: 16, negatives: 8 });
  await expect(twoTower.train({ interactions: interactionsOf([[0, 1]], itemCount), params, seed }, { gpu })).rejects.toMatchObject({
    code: 'UND-GPU-MEMORY',
    message: expect.stringMatching(/\d+ of them fit, or all with 511 dimensions; or train on the CPU$/),
  });
});
