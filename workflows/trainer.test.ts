import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultPayloadConverter } from '@temporalio/common';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createPayloadCodec } from '../activities/payload-codec.ts';
import { findPeerPython } from '../bench/peer-python.ts';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import { runRerun } from '../cli/commands/rerun.ts';
import { runRetrain } from '../cli/commands/retrain.ts';
import { workflowNames } from '../models/contracts/messages.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const example = fileURLToPath(new URL('../examples/guest-trainer/', import.meta.url));
const payloadKey = 'a key of payloads for this test alone';

/** item_knn as it is, held behind its third block until a file is there; and what else may come of somebody else's code. */
const odd = `
import pathlib, time
import item_knn
from job import Cancelled

def train(job):
    here = pathlib.Path(__file__).parent
    act = job.params["act"]
    if act == "fail":
        raise ValueError("this trainer knows no rates below 0")
    if act == "nothing":
        return 0
    told = job.progress
    def progress(done, total, note):
        with open(here / f"{act}-steps", "a") as file:
            file.write(f"{done}\\n")
        told(done, total, note)
        while done >= 3 and not (here / f"{act}-open").exists():
            time.sleep(0.05)
            told(done, total, note)
    job.progress = progress
    try:
        return item_knn.train(job)
    except Cancelled:
        (here / f"{act}-cancelled").touch()
        raise
`;

const candidate = (name: string, act: string, over: object = {}) => ({
  ...{ name, algorithm: 'trainer', taskQueue: 'training-python', params: { act, blockItems: 20 } },
  ...over,
});
const candidates = [
  { name: 'popularity', algorithm: 'popularity' },
  candidate('mine', 'held'),
  candidate('cancelled', 'cancel', { taskQueue: 'training-other' }),
  candidate('failing', 'fail', { taskQueue: 'training-other' }),
  candidate('empty', 'nothing', { taskQueue: 'training-other' }),
  candidate('alone', 'nothing', { taskQueue: 'training-nobody', waitMs: 1_000 }),
];

async function open() {
  const python = await findPeerPython({
    requirements: ['temporalio', 'numpy', 'pyarrow', 'onnx', 'cryptography'],
    cache: cacheDirectory(process.env),
    env: process.env,
  });
  if (python === undefined) throw new Error('The packages of the example cannot be had from the Python package index');
  const world = await openWorld({ ...servers, payloadKey, charter: { candidates } });
  onTestFinished(() => world.close());
  const modules = join(world.stateDir, '..', 'modules');
  await mkdir(modules);
  await writeFile(join(modules, 'odd.py'), odd);
  const env = {
    PATH: process.env.PATH,
    PYTHONPATH: modules,
    PYTHONDONTWRITEBYTECODE: '1',
    TEMPORAL_ADDRESS: world.command.env.TEMPORAL_ADDRESS,
    UNDERSTUDY_PAYLOAD_KEY: payloadKey,
  };
  const start = async (queue: string): Promise<ChildProcess> => {
    const child = spawn(python, [join(example, 'worker.py'), '--queue', queue, '--trainer', 'odd', '--state', world.stateDir], { env });
    onTestFinished(() => void child.kill('SIGKILL'));
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => void said.push(String(text)));
    await expect.poll(() => said.join(''), { timeout: 30_000 }).toContain(`serves ${queue}`);
    return child;
  };
  const lines = async (name: string) => (await readFile(join(modules, name), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  return { world, start, lines, allow: (act: string) => writeFile(join(modules, `${act}-open`), ''), modules };
}

const jobsLeft = async ({ stateDir }: World) => readdir(join(stateDir, 'checkpoints')).catch(() => []);

/** Of the retraining of a candidate that goes on. */
async function heartbeatOf({ client }: World, candidateName: string): Promise<{ workflowId: string; details: unknown } | undefined> {
  for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${workflowNames.retrain}' AND ExecutionStatus = 'Running'` })) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    for (const { activityType, heartbeatDetails } of raw.pendingActivities ?? []) {
      const [payload] = await createPayloadCodec(payloadKey).decode(heartbeatDetails?.payloads ?? []);
      const where = await client.workflow.getHandle(workflowId).query<{ candidate: string }>('status');
      if (activityType?.name === 'train' && payload !== undefined && where.candidate === candidateName)
        return { workflowId, details: defaultPayloadConverter.fromPayload(payload) };
    }
  }
  return undefined;
}

type Opened = Awaited<ReturnType<typeof open>>;

async function othersFail({ world }: Opened): Promise<void> {
  await Promise.all([
    expect(world.retrain('alone')).rejects.toMatchObject({
      code: 'UND-TRAINER-MISSING',
      message: expect.stringMatching(/^Nobody took the training of alone from the task queue training-nobody within 1 s/),
    }),
    expect(world.retrain('failing')).rejects.toMatchObject({
      code: 'UND-TRAINER-FAILED',
      message: expect.stringContaining('failed: ValueError: this trainer knows no rates below 0'),
    }),
    expect(world.retrain('empty')).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: 'out/ lacks recommend.onnx or factors.f32' }),
  ]);
}

async function anotherIsCancelled({ world, modules }: Opened): Promise<void> {
  const retraining = world.retrain('cancelled').catch((error: unknown) => error);
  await expect.poll(async () => (await heartbeatOf(world, 'cancelled'))?.details, { timeout: 30_000 }).toMatchObject({ done: 3 });
  await world.client.workflow.getHandle((await heartbeatOf(world, 'cancelled'))?.workflowId ?? '').cancel();
  expect(await retraining).toMatchObject({ message: expect.stringMatching(/cancel/i) });
  expect(await readdir(modules)).toContain('cancel-cancelled');
}

it('a worker in Python trains a candidate: killed it goes on, cancelled it stops, and its model passes through the same gates', async () => {
  const opened = await open();
  const { world, start, lines, allow, modules } = opened;
  const [doomed, , champion] = await Promise.all([start('training-python'), start('training-other'), world.bootstrapped()]);
  const notes: string[] = [];
  const asked = { stateDir: world.stateDir, surface: world.surface, candidates: ['mine'], guest: null };
  const retraining = runRetrain(world.command, asked, (note) => void notes.push(note));
  await expect.poll(async () => (await heartbeatOf(world, 'mine'))?.details, { timeout: 30_000 }).toEqual({ done: 3, total: 6, note: 'items from 40' });
  doomed.kill('SIGKILL');
  await allow('held');
  await start('training-python');
  // Until it is missed.
  await Promise.all([othersFail(opened), anotherIsCancelled(opened)]);

  const [run] = await retraining;
  expect(run).toMatchObject({ candidate: 'mine', passed: true });
  expect(notes).toContain('mine: 50 % (items from 40)');
  expect(run?.artifact).not.toBe(champion);
  // Each block was done once, by the one worker or by the other.
  expect(await lines('held-steps')).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(await readdir(modules)).not.toContain('held-cancelled');
  await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'mine');
  expect(await runRerun(world.command, world.stateDir, run?.runId ?? '')).toMatchObject({ equal: true, firstDifference: null });
  expect(await jobsLeft(world)).toEqual([]);
});
