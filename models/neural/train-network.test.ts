import { expect, test } from 'vitest';
import { Network } from './network.ts';
import { type Trainee, trainNetwork } from './train-network.ts';
import { inWorkspace } from './workspace.ts';

/** One weight that is to become 3. */
function trainee(
  lossOf: (value: number, step: number) => number = (value) => (value - 3) ** 2,
  evaluate: () => number | undefined = () => undefined,
): Trainee & { weight: Float32Array } {
  const network = inWorkspace((workspace) => {
    const made = new Network({ workspace, mostRows: 1 });
    made.parameter('weight', 1, 1);
    return made;
  });
  const [{ value, grad }] = network.parameters as [(typeof network.parameters)[number]];
  return {
    ...{ parameters: network.parameters, tables: [], batchesPerEpoch: 20, weight: value, evaluate },
    step({ step }) {
      grad[0] = 2 * ((value[0] as number) - 3);
      return lossOf(value[0] as number, step);
    },
  };
}

const schedule = { learningRate: 0.1, epochs: 20, patience: 3 };
const train = (one: Trainee, hooks = {}) => trainNetwork({ trainee: one, schedule, fingerprint: 'f', hooks });

test('finds the least loss', async () => {
  const one = trainee();
  await train(one);
  expect(one.weight[0]).toBeCloseTo(3, 3);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e5])('stops at a loss of %d, naming the step', async (loss) => {
  const steps: number[] = [];
  const training = train(
    trainee((_, step) => (step === 30 ? loss : 9)),
    { onStep: ({ done }: { done: number }) => void steps.push(done) },
  );
  await expect(training).rejects.toMatchObject({
    code: 'UND-TRAINING-DIVERGED',
    message: expect.stringMatching(/step 31 \(epoch 2\), after 9\.00 .* try 0\.01/),
  });
  expect(steps.at(-1)).toBe(30);
});

test('gives no weight that is no number, even where the loss is one', async () => {
  const one = trainee((_, step) => {
    if (step === 399) one.weight[0] = Number.NaN;
    return 1;
  });
  await expect(train(one)).rejects.toMatchObject({ code: 'UND-TRAINING-DIVERGED', message: expect.stringContaining('weight') });
});

test('stops after three looks without a better one, resumed or not, with the weights of the best', async () => {
  const scores = [1, 2, 5, 4, 5, 3, 9];
  const run = async (resumeFrom?: Uint8Array) => {
    let look = resumeFrom === undefined ? 0 : 4;
    const checkpoints: Uint8Array[] = [];
    const values: number[] = [];
    const one = trainee(undefined, () => {
      values.push(one.weight[0] as number);
      look += 1;
      return scores[look - 1];
    });
    await train(one, { resumeFrom, onStep: async ({ checkpoint }: { checkpoint: () => Promise<Uint8Array> }) => void checkpoints.push(await checkpoint()) });
    return { weight: one.weight[0] as number, checkpoints, values };
  };
  const whole = await run();
  expect(whole.checkpoints).toHaveLength(6 * 20);
  expect(whole.weight).toBe(whole.values[2]);
  const resumed = await run(whole.checkpoints[85]);
  expect(resumed.checkpoints).toHaveLength(6 * 20 - 86);
  expect(resumed.weight).toBe(whole.weight);
});
