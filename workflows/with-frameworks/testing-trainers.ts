import { type ChildProcess, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';
import { findPeerPython } from '../../bench/peer-python.ts';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { runRetrain } from '../../cli/commands/retrain.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import { openWorld, type World } from '../testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const example = fileURLToPath(new URL('../../examples/guest-trainer/', import.meta.url));
const common = ['temporalio', 'numpy', 'pyarrow', 'onnx', 'cryptography'];

const trainers = {
  sasrec_torch: { requirements: ['torch', 'onnxscript', ...common], params: { dimensions: 16, epochs: 60, maxHistory: 20, negatives: 64 } },
  als_spark: { requirements: ['pyspark', ...common], params: { factors: 8, sweeps: 5, partitions: 2, master: 'local[2]' } },
};
type Trainer = keyof typeof trainers;

async function startWorker(world: World, trainer: Trainer, python: string): Promise<ChildProcess> {
  const args = [join(example, 'worker.py'), '--queue', `training-${trainer}`, '--trainer', trainer, '--state', world.stateDir];
  const { PATH, HOME, JAVA_HOME } = process.env;
  const env = {
    PATH,
    HOME,
    ...(JAVA_HOME === undefined ? {} : { JAVA_HOME }),
    PYTHONDONTWRITEBYTECODE: '1',
    TEMPORAL_ADDRESS: world.command.env.TEMPORAL_ADDRESS,
  };
  const child = spawn(python, args, { env, detached: true });
  const said: string[] = [];
  onTestFinished(() => end(child));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => void said.push(String(text)));
  await expect.poll(() => said.join(''), { timeout: 60_000 }).toContain(`serves training-${trainer}`);
  return child;
}

/** With whatever it has started. */
function end({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
}

it.each(Object.keys(trainers) as Trainer[])('%s trains a candidate that passes through the same gates, killed in the middle of it', async (trainer) => {
  const { requirements, params } = trainers[trainer];
  const python = await findPeerPython({ requirements, cache: cacheDirectory(process.env), env: process.env });
  if (python === undefined) throw new Error(`${requirements[0]} cannot be had from the Python package index`);
  const candidates = [
    { name: 'popularity', algorithm: 'popularity' },
    { name: 'theirs', algorithm: 'trainer', taskQueue: `training-${trainer}`, params },
  ];
  const world = await openWorld({ ...servers, charter: { candidates } });
  onTestFinished(() => world.close());
  const [doomed] = await Promise.all([startWorker(world, trainer, python), world.bootstrapped()]);
  const notes: string[] = [];
  const asked = { stateDir: world.stateDir, surface: world.surface, candidates: ['theirs'], guest: null };
  const retraining = runRetrain(world.command, asked, (note) => void notes.push(note));
  await expect.poll(() => notes.filter((note) => /^theirs: \d/.test(note)).length, { timeout: 300_000 }).toBeGreaterThan(0);
  end(doomed);
  await startWorker(world, trainer, python);

  const [run] = await retraining;
  expect(run).toMatchObject({ candidate: 'theirs', passed: true });
  const { blobs } = world.state;
  const manifest = await getDocument(blobs, run?.artifact ?? '', artifactManifest);
  expect(manifest).toMatchObject({ algorithm: 'trainer', params });
  const told = await getDocument(blobs, run?.report ?? '', reportSchema);
  process.stdout.write(`${trainer}: ${JSON.stringify(told.metrics['ndcg@10'] ?? null)}, ${manifest.itemCount} items; ${notes.filter(Boolean).at(-1)}\n`);
  await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'theirs');
  expect(await readdir(join(world.stateDir, 'checkpoints')).catch(() => [])).toEqual([]);
});
