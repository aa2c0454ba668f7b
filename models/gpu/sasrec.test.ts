import { graphDigest } from '../graph/graph-files.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGpu } from '../../activities/training/open-gpu.ts';
import { sasrec } from '../algorithms/sasrec/sasrec.ts';
import { interactionsOf, ring, walks } from '../algorithms/testing-interactions.ts';
import type { TrainStep } from '../algorithms/algorithm.ts';
import type { Gpu } from './gpu.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
let gpu: Gpu;
beforeAll(async () => {
  gpu = await (await findGpu()).open();
});
afterAll(() => gpu?.close());

const input = {
  interactions: interactionsOf(walks(80, seed), ring),
  params: sasrec.params.parse({
    ...{ dimensions: 16, blocks: 1, heads: 2, maxHistory: 8, dropout: 0.1 },
    ...{ batchEntries: 96, epochs: 6, learningRate: 0.02, heldOutShare: 0.3 },
  }),
  seed,
};

test('a training on a GPU foretells what is held out as well as the CPU’s, step by step the same loss, and comes out the same from a checkpoint', async () => {
  const { own, expected } = await sameAsOnCpu(input);
  expect(expected).toBeGreaterThan(0.5);
  expect(Math.abs(own - expected)).toBeLessThan(0.05);
});

/** @returns how well what is held out is foretold in the end */
async function sameAsOnCpu(of: typeof input): Promise<{ own: number; expected: number }> {
  const kept: { step: TrainStep; checkpoint: Uint8Array }[] = [];
  const model = await sasrec.train(of, {
    gpu,
    onStep: async (step) => void kept.push({ step, checkpoint: step.done % 11 === 0 ? await step.checkpoint() : new Uint8Array() }),
  });
  const steps: TrainStep[] = [];
  await sasrec.train(of, { onStep: (step) => void steps.push(step) });
  const lossOf = ({ figures }: TrainStep) => figures?.loss ?? Number.NaN;
  for (const [place, step] of steps.slice(0, 10).entries()) expect(Math.abs(lossOf(kept[place]?.step as TrainStep) / lossOf(step) - 1)).toBeLessThan(1e-4);
  const best = (all: readonly TrainStep[]) => Math.max(...all.flatMap(({ figures }) => figures?.held_out ?? []));
  const [own, expected] = [best(kept.map(({ step }) => step)), best(steps)];

  const resumeFrom = kept.findLast(({ checkpoint }) => checkpoint.length > 0)?.checkpoint;
  expect(resumeFrom).toBeDefined();
  expect(graphDigest((await sasrec.train(of, { gpu, resumeFrom })).exportGraph())).toBe(graphDigest(model.exportGraph()));
  return { own, expected };
}

test.each(['sampled-softmax', 'gbce'] as const)('so does one by %s, of whose items a step touches few', async (loss) => {
  const many = {
    ...input,
    interactions: interactionsOf(walks(80, seed), 3000),
    params: sasrec.params.parse({ ...input.params, loss, negatives: 16, epochs: 2 }),
  };
  await sameAsOnCpu(many);
});

test('a catalog whose vectors are too large for the GPU is refused with what would fit', async () => {
  const width = 512;
  const itemCount = Math.floor(gpu.mostBytes / (4 * width)) + 1;
  const params = sasrec.params.parse({ dimensions: width, batchEntries: 16, negatives: 8 });
  await expect(sasrec.train({ ...input, params, interactions: interactionsOf([[0, 1]], itemCount) }, { gpu })).rejects.toMatchObject({
    code: 'UND-GPU-MEMORY',
    message: expect.stringMatching(/\d+ of them fit, or all with 511 dimensions; or train on the CPU$/),
  });
});
