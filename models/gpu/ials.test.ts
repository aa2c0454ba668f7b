import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGpu, type GpuSource } from '../../activities/training/open-gpu.ts';
import { GpuHalfSweeps } from '../algorithms/ials/gpu-half-sweeps.ts';
import { HalfSweeps, type IalsProblem } from '../algorithms/ials/half-sweeps.ts';
import { ials } from '../algorithms/ials/ials.ts';
import type { Interactions } from '../algorithms/algorithm.ts';
import { interactionsOf, ring, walks } from '../algorithms/testing-interactions.ts';
import { graphDigest } from '../graph/graph-files.ts';
import { createRandom } from '../random.ts';
import { Gpu } from './gpu.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
let source: GpuSource;
let gpu: Gpu;
beforeAll(async () => {
  source = await findGpu();
  gpu = await source.open();
});
afterAll(() => gpu?.close());

/** Some users with very many items, most with few, some with none; items that come twice. */
function drawInteractions(from: number, { users, items }: { users: number; items: number }): Interactions {
  const random = createRandom(from);
  const histories = Array.from({ length: users }, () => {
    const count = random.float() < 0.1 ? 0 : random.float() < 0.1 ? 3 * items : 1 + random.below(10);
    return Array.from({ length: count }, () => Math.floor(items * random.float() ** 2));
  });
  const entries = histories.flat();
  return {
    ...{ userCount: users, itemCount: items, items: Uint32Array.from(entries) },
    indptr: Uint32Array.from([0, ...histories.map((_, user) => histories.slice(0, user + 1).flat().length)]),
    weights: Float32Array.from(entries, () => 0.5 + 2 * random.float()),
    atMs: Float64Array.from(entries, (_, place) => place),
  };
}

const settings = { alpha: 5, lambda: 0.02, frequencyScaling: 1, solver: 'preconditioned' } as const;

/** The objective of ials.ts, in double precision. */
async function lossOf({ indptr, items: columns, weights, userCount, itemCount }: Interactions, problem: IalsProblem, width: number): Promise<number> {
  const { users, items } = await problem.arrays();
  const { alpha, lambda, frequencyScaling } = settings;
  const dot = (user: number, item: number) => {
    let sum = 0;
    for (let f = 0; f < width; f += 1) sum += (users[user * width + f] as number) * (items[item * width + f] as number);
    return sum;
  };
  let loss = 0;
  const ofUser = new Float64Array(userCount);
  const ofItem = new Float64Array(itemCount);
  for (let user = 0; user < userCount; user += 1) {
    for (let item = 0; item < itemCount; item += 1) loss += dot(user, item) ** 2;
    for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1) {
      const [item, weight] = [columns[entry] as number, alpha * (weights[entry] as number)];
      loss += weight * (1 - dot(user, item)) ** 2;
      ofUser[user] = (ofUser[user] as number) + weight;
      ofItem[item] = (ofItem[item] as number) + weight;
    }
  }
  const penalty = (rows: Float32Array, totals: Float64Array, columnCount: number) =>
    totals.forEach((total, row) => {
      const square = rows.subarray(row * width, (row + 1) * width).reduce((sum, value) => sum + value * value, 0);
      loss += lambda * (columnCount + total) ** frequencyScaling * square;
    });
  penalty(users, ofUser, itemCount);
  penalty(items, ofItem, userCount);
  return loss;
}

async function sweep(problem: IalsProblem, { userCount, itemCount }: Interactions, { begin, sweeps }: { begin: Float32Array; sweeps: number }) {
  problem.load({ items: begin });
  for (let done = 0; done < sweeps; done += 1) {
    await problem.turn('items');
    await problem.solve('users', { from: 0, to: userCount, steps: 2 });
    await problem.turn('users');
    // In two stretches, as of large data.
    const half = Math.ceil(itemCount / 2);
    await problem.solve('items', { from: 0, to: half, steps: 2 });
    if (half < itemCount) await problem.solve('items', { from: half, to: itemCount, steps: 2 });
  }
}

test('after the same sweeps the objective is the CPU’s within a thousandth, whatever the shape', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        from: fc.nat(1e6),
        users: fc.integer({ min: 1, max: 60 }),
        items: fc.integer({ min: 1, max: 90 }),
        width: fc.constantFrom(4, 20, 128, 260),
        solver: fc.constantFrom('preconditioned' as const, 'plain' as const),
      }),
      async ({ from, users, items, width, solver }) => {
        const interactions = drawInteractions(from, { users, items });
        const random = createRandom(from);
        const begin = Float32Array.from({ length: items * width }, () => (2 * random.float() - 1) / Math.sqrt(width));
        const cpu = new HalfSweeps({ interactions, width, settings: { ...settings, solver }, threads: 1, fused: false });
        const own = new GpuHalfSweeps({ gpu, interactions, width, settings: { ...settings, solver } });
        await sweep(cpu, interactions, { begin, sweeps: 2 });
        await sweep(own, interactions, { begin, sweeps: 2 });
        const [expected, found] = [await lossOf(interactions, cpu, width), await lossOf(interactions, own, width)];
        await cpu.close();
        expect(Math.abs(found / expected - 1)).toBeLessThan(1e-3);
      },
    ),
    { seed, numRuns: 8 },
  );
});

test('a training on one GPU comes out the same each time, gone on with from any checkpoint too, and recommends as the CPU’s does', async () => {
  const interactions = interactionsOf(walks(60, seed), ring);
  const params = ials.params.parse({ factors: 12, sweeps: 2 });
  const input = { interactions, params, seed };
  const checkpoints: Uint8Array[] = [];
  const model = await ials.train(input, { gpu, onStep: async ({ checkpoint }) => void checkpoints.push(await checkpoint()) });
  expect(checkpoints).toHaveLength(4);
  const fresh = await source.open();
  for (const resumeFrom of [undefined, ...checkpoints]) {
    const again = await ials.train(input, { gpu: fresh, resumeFrom });
    expect(graphDigest(again.exportGraph())).toBe(graphDigest(model.exportGraph()));
  }
  fresh.close();
  const onCpu = await ials.train(input);
  const request = { history: [3, 4], historyWeight: [1, 1], exclude: [], count: ring };
  const [own, others] = [model.recommend(request), onCpu.recommend(request)];
  const scoreOf = ({ items, scores }: typeof own) => new Map(items.map((item, place) => [item, scores[place] as number]));
  const expected = scoreOf(others);
  for (const [item, score] of scoreOf(own)) expect(Math.abs(score - (expected.get(item) as number))).toBeLessThan(2e-3);
});

test('vectors that are too long for the GPU are refused with what would fit', async () => {
  const small = await source.open();
  const userCount = Math.floor(small.mostBytes / (1024 * 4)) + 1;
  const interactions = {
    userCount,
    itemCount: 1,
    indptr: new Uint32Array(userCount + 1),
    ...{ items: new Uint32Array(0), weights: new Float32Array(0), atMs: new Float64Array(0) },
  };
  const training = ials.train({ interactions, params: ials.params.parse({ factors: 1024 }), seed }, { gpu: small });
  await expect(training).rejects.toMatchObject({ code: 'UND-GPU-MEMORY', message: expect.stringMatching(/1020 factors fit, or \d+ users with 1024$/) });
  small.close();
});

test('a GPU that is lost on the way ends the training with an error by which it is tried again', async () => {
  const device = await source.openDevice();
  const doomed = new Gpu({ device, name: source.name });
  const interactions = interactionsOf(walks(60, seed), ring);
  const training = ials.train(
    { interactions, params: ials.params.parse({ factors: 12 }), seed },
    { gpu: doomed, onStep: ({ done }) => void (done === 3 && device.destroy()) },
  );
  await expect(training).rejects.toMatchObject({ code: 'UND-GPU-LOST' });
});
