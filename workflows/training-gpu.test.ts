import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';
import { recordedMaking } from '../activities/rerun/recorded-code.ts';
import { requireRun } from '../activities/registry/runs.ts';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../bootstrap/swiftshader.mjs';
import { runRerun } from '../cli/commands/rerun.ts';
import { runRetrain } from '../cli/commands/retrain.ts';
import { trainingsOf } from '../cli/trainings.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const entry = fileURLToPath(new URL('../activities/main.ts', import.meta.url));
const params = { factors: 16, sweeps: 3 };
const candidates = [
  { name: 'popularity', algorithm: 'popularity' },
  { name: 'patient', algorithm: 'ials', params, gpu: {} },
  { name: 'hasty', algorithm: 'ials', params, gpu: { without: 'cpu' } },
];

/** A worker as `UNDERSTUDY_ROLES=training-gpu` starts it, whose only GPU is one in software. */
async function startGpuWorker(world: World): Promise<() => Promise<void>> {
  const { env } = process;
  const child = spawn(process.execPath, [entry], {
    env: {
      PATH: env.PATH,
      LD_LIBRARY_PATH: await ensureSwiftshader({ cache: cacheDirectory(env), env }),
      UNDERSTUDY_STATE: world.stateDir,
      UNDERSTUDY_ROLES: 'training-gpu',
      TEMPORAL_ADDRESS: world.command.env.TEMPORAL_ADDRESS,
      MLFLOW_TRACKING_URI: servers.mlflowUrl,
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => void said.push(String(text)));
  await expect.poll(() => said.join(''), { timeout: 60_000 }).toContain('"ready":true');
  return () =>
    new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGTERM');
    });
}

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
  await expect.poll(() => trainingsOf(world.client, world.surface), { timeout: 30_000 }).toEqual([expect.objectContaining(waits)]);
  await expect.poll(() => notes.join(), { timeout: 10_000 }).toContain('patient: waiting for a GPU, no worker');

  const stop = await startGpuWorker(world);
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
