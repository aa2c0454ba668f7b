import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/client';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import type { RerunResult, Trained } from '../activities/api.ts';
import { findRunRecord } from '../activities/registry/runs.ts';
import { making, sourceFiles } from '../activities/rerun/making.ts';
import { rerunCommand, runRerun } from '../cli/commands/rerun.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import type { Child } from '../cli/system/start-child.ts';
import { startWorker } from '../cli/system/start-own.ts';
import { workflowNames } from '../models/contracts/messages.ts';
import { report } from '../models/contracts/report.ts';
import { windowManifest } from '../models/contracts/window.ts';
import { getDocument, putDocument } from '../stores/blobs.ts';
import { createDeployment } from '../stores/deployments.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, ...options });
  onTestFinished(() => world.close());
  return world;
}

/** What `understudy rerun` writes, and what it fails with. */
async function ask(world: World, ...argv: string[]): Promise<{ text: string; beside: string; error: unknown }> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  try {
    await rerunCommand(world.command).parseAsync([...argv, '--state', world.stateDir], { from: 'user' });
    return { text: written.stdout, beside: written.stderr, error: undefined };
  } catch (error) {
    return { text: written.stdout, beside: written.stderr, error };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const statusOf = ({ stages }: RerunResult) => Object.fromEntries(stages.map(({ stage, status }) => [stage, status]));

it('shows every stage of a run that is made again; a damaged slice is the difference, with what to do about it', async () => {
  const candidates = [
    { name: 'popularity', algorithm: 'popularity' },
    { name: 'item-knn', algorithm: 'item-knn', tune: { neighbours: [1, 50] } },
  ];
  const world = await open({ charter: { candidates, window: { trainDays: 40, gapDays: 1, testDays: 14, validationDays: 10 } } });
  await world.bootstrapped();
  const [run] = await world.retrain('item-knn');
  const runId = run?.runId ?? '';
  const equal = await ask(world, runId, '--check', '--json');
  expect(equal.error).toBeUndefined();
  const answer = JSON.parse(equal.text) as RerunResult;
  // Against the champion of then, whose verdict is the same.
  expect(new Set(Object.values(statusOf(answer)))).toEqual(new Set(['equal']));
  expect(answer.changed).toEqual({ code: '', library: '', hardware: '' });
  // It has won since: then it met the one before it.
  const live = await world.deployment();
  if (live === undefined || run === undefined) throw new Error('nothing is live');
  const won = { ...live, generation: live.generation + 1, champion: run.artifact, createdAtMs: Date.now() };
  await createDeployment(world.state.generations, won);
  expect(statusOf(await runRerun(world.command, world.stateDir, runId))).toMatchObject({ verdict: 'equal' });

  const made = await findRunRecord(world, runId);
  const { tuning, metrics } = await getDocument(world.state.blobs, made?.report ?? '', report);
  expect(tuning?.trials.map(({ params }) => params)).toEqual([{ neighbours: 1 }, { neighbours: 50 }]);
  expect(metrics['ndcg@10']?.value).toBeGreaterThan(0);
  // The bootstrap had none to be compared with, whatever is live by now.
  const [first] = await world.retrain('popularity');
  expect(statusOf(await runRerun(world.command, world.stateDir, first?.runId ?? ''))).toMatchObject({ evidence: 'equal', verdict: 'equal' });

  const record = await findRunRecord(world, runId);
  const { host, libraries, code } = await getDocument(world.state.blobs, record?.made?.training ?? '', making);
  expect(host).toMatchObject({ duckdbThreads: 2, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone });
  expect(Object.keys(libraries)).toEqual(expect.arrayContaining(['node', '@duckdb/node-api', 'onnxruntime-node', 'zod']));
  expect(code.commit === null || /^[0-9a-f]{40}$/.test(code.commit)).toBe(true);

  const { trainSlices } = await getDocument(world.state.blobs, record?.window ?? '', windowManifest);
  const slice = trainSlices[2];
  const path = await world.state.blobs.localPath(slice?.digest ?? '');
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 4, 100);
  await writeFile(path, bytes);
  const differs = await ask(world, runId, '--check');
  expect(differs.error).toMatchObject({ code: 'UND-RERUN-DIFFERS', details: { stage: 'slices', cause: 'data' } });
  expect(differs.text).toMatch(/^slices +DIFFERS +the slice of /m);
  expect(differs.text).toMatch(/^artifact +- +nothing was trained$/m);
  expect(differs.text).toContain(`cause       data: the slice of ${slice?.day}`);
  expect(differs.text).toMatch(/^what to do {2}Restore/m);

  // Had it been made by other code, that would be said before anything else; and without --check nothing fails.
  const { 'models/random.ts': _, ...other } = await getDocument(world.state.blobs, code.files, sourceFiles);
  const then = await getDocument(world.state.blobs, record?.made?.training ?? '', making);
  const training = await putDocument(world.state.blobs, { ...then, code: { commit: null, files: await putDocument(world.state.blobs, other) } });
  const [, surface, window, recipe] = runId.split('/');
  await world.state.generations.create(`run/${surface}/${window}-${recipe}`, 2, { ...record, made: { training, evaluation: null } });
  const told = await ask(world, runId);
  expect(told.error).toBeUndefined();
  expect(told.beside).toMatch(/was made by other code.*: models\/random\.ts is new\. --at-recorded-code/);
  await writeFile(path, bytes.with(100, (bytes[100] ?? 0) ^ 4));
  expect((await ask(world, runId, '--at-recorded-code')).error).toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('which commit') });
  expect((await ask(world, 'retrain/home/0123456789ab/0123456789ab')).error).toMatchObject({ code: 'UND-NOT-FOUND' });
});

it('is equal when the worker was killed half way, and made again by one in another folder, time zone and language', { timeout: 400_000 }, async () => {
  // Long enough to be killed behind a checkpoint.
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 256, sweeps: 160 } }];
  const world = await open({ charter: { candidates, bootstrap: 'ials' }, serving: false });
  await world.ingest();
  world.workers.shutdown();
  const start = async (role: 'control' | 'training', change: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Child> => {
    const { stateDir } = world;
    const addresses = { temporalAddress: world.command.env.TEMPORAL_ADDRESS ?? '', temporalNamespace: 'default', mlflowUrl: servers.mlflowUrl };
    const surroundings = { stateDir, runDir: join(runDirectory(stateDir), `${role}-${change.cwd === undefined ? 1 : 2}`), env: process.env, ...change };
    const child = await startWorker({ ...surroundings, role, addresses });
    onTestFinished(() => child.stop());
    return child;
  };
  const [, doomed] = await Promise.all([start('control'), start('training')]);
  const retraining = world.retrain();
  await expect.poll(() => hasCheckpoint(world), { timeout: 60_000, interval: 100, message: 'a checkpoint' }).toBe(true);
  process.kill(doomed.pid() ?? 0, 'SIGKILL');
  const elsewhere = { cwd: tmpdir(), env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' } };
  await start('training', elsewhere);
  const [run] = await retraining;
  if (run === undefined) throw new Error('no run');
  expect(await resumedFrom(world, run.runId)).toBeGreaterThan(0);

  const again = await runRerun(world.command, world.stateDir, run.runId);
  expect(again).toMatchObject({ equal: true, firstDifference: null, changed: { code: '', library: '' } });
  // By now it is the champion itself; then there was none.
  expect(Object.values(statusOf(again))).toEqual(Array.from({ length: 9 }, () => 'equal'));
  expect(await resumedFrom(world, `rerun/${run.runId.replaceAll('/', '.')}`)).toBe(0);
});

async function hasCheckpoint({ client }: World): Promise<boolean> {
  for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${workflowNames.retrain}' AND ExecutionStatus = 'Running'` })) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    for (const { heartbeatDetails } of raw.pendingActivities ?? [])
      for (const payload of heartbeatDetails?.payloads ?? [])
        if (defaultPayloadConverter.fromPayload<{ checkpoint?: string } | null>(payload)?.checkpoint !== undefined) return true;
  }
  return false;
}

/** The step from which the training that counted went on. */
async function resumedFrom({ client }: World, workflowId: string): Promise<number> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const results = (events ?? []).flatMap((event) => event.activityTaskCompletedEventAttributes?.result?.payloads ?? []);
  const trained = results
    .map((payload) => defaultPayloadConverter.fromPayload<Partial<Trained> | null>(payload))
    .find((result) => result?.resumedFrom !== undefined);
  return trained?.resumedFrom ?? -1;
}
