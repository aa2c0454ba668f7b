import { expect, inject, it, onTestFinished } from 'vitest';
import { recordedMaking } from '../activities/rerun/recorded-code.ts';
import { requireRun } from '../activities/registry/runs.ts';
import { runRerun } from '../cli/commands/rerun.ts';
import { runRetrain } from '../cli/commands/retrain.ts';
import { openWorld, type World } from './testing.ts';
import { startGpuWorker } from './testing-gpu.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const params = { factors: 16, sweeps: 3 };
const candidates = [
  { name: 'popularity', algorithm: 'popularity' },
  { name: 'patient', algorithm: 'ials', params, gpu: {} },
  { name: 'hasty', algorithm: 'ials', params, gpu: { without: 'cpu' } },
];

const gpuOf = async ({ state }: World, runId: string) => (await recordedMaking(state, await requireRun({ state }, runId)))?.host.gpu;

it('a candidate for a GPU waits until a worker has one, or is trained on the CPU, as the charter says; its artifact says which', async () => {
  const world = await openWorld({ ...servers, charter: { candidates } });
  onTestFinished(() => world.close());
  await world.bootstrapped();

  const notes: string[] = [];
  const waiting = runRetrain(
    world.command,
    { stateDir: world.stateDir, surface: world.surface, candidates: ['patient'], guest: null },
    (text) => void notes.push(text),
  );
  const [hasty] = await world.retrain('hasty');
  expect(hasty).toMatchObject({ candidate: 'hasty', passed: true });
  expect(await gpuOf(world, hasty?.runId ?? '')).toBeUndefined();
  const waits = { candidate: 'patient', phase: 'waiting for a GPU', why: expect.stringMatching(/^no worker with a GPU answers .* wait for one$/) };
  expect(await world.waitsForGpu()).toMatchObject(waits);
  await expect.poll(() => notes.join(), { timeout: 10_000 }).toContain('patient: waiting for a GPU, no worker');

  const addresses = { temporalAddress: world.command.env.TEMPORAL_ADDRESS ?? '', mlflowUrl: servers.mlflowUrl };
  const stop = await startGpuWorker({ stateDir: world.stateDir, ...addresses, env: process.env });
  onTestFinished(stop);
  const [patient] = await waiting;
  expect(patient).toMatchObject({ candidate: 'patient', passed: true });
  expect(await gpuOf(world, patient?.runId ?? '')).toMatch(/SwiftShader/);
  // What a GPU made comes out the same on it; what the CPU made stays there although there is a GPU now.
  for (const { runId } of [patient, hasty].filter((run) => run !== undefined))
    expect(await runRerun(world.command, world.stateDir, runId)).toMatchObject({ equal: true, firstDifference: null });

  await stop();
  await expect(runRerun(world.command, world.stateDir, patient?.runId ?? '')).rejects.toMatchObject({
    code: 'UND-GPU-MISSING',
    message: expect.stringMatching(/^patient was trained on a GPU, and no worker with a GPU answers/),
  });
  expect(await runRerun(world.command, world.stateDir, hasty?.runId ?? '')).toMatchObject({ equal: true });
});
