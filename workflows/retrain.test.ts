import { execFile } from 'node:child_process';
import { cp, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, it, onTestFinished } from 'vitest';
import type { Evaluated, RerunResult, RetrainResult, Trained } from '../activities/api.ts';
import { modelName } from '../activities/registry/register-candidate.ts';
import { compareRerun, findRunRecord, listRuns, preparedFrom } from '../activities/registry/runs.ts';
import { currentCharter } from '../activities/registry/charters.ts';
import { runIngest } from '../cli/commands/ingest.ts';
import { retrainCommand, runRetrain } from '../cli/commands/retrain.ts';
import { rerunWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import { dataState } from '../models/contracts/window.ts';
import { readLatest } from '../activities/context.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, ...options });
  onTestFinished(() => world.close());
  return world;
}

const rerun = async (world: World, runId: string) =>
  (await world.client.workflow.execute(workflowNames.rerun, {
    workflowId: `${rerunWorkflowId(runId)}/${Date.now()}`,
    taskQueue: taskQueues.control,
    args: [{ runId }],
  })) as RerunResult;

it('the same work asked for twice at once is done once: one run, one artifact, one version, one candidate', async () => {
  const world = await open();
  await world.bootstrapped();
  const charter = await currentCharter(world.state, world.surface);
  const request = { surface: world.surface, candidates: ['ials'], guest: null, charter };
  const asked = await Promise.all(
    ['one', 'two'].map(
      (name) =>
        world.client.workflow.execute(workflowNames.requestRetrain, { workflowId: `ask-${name}`, taskQueue: taskQueues.control, args: [request] }) as Promise<
          string[]
        >,
    ),
  );
  expect(asked[0]).toEqual(asked[1]);
  const results = await Promise.all(asked.flat().map((id) => world.client.workflow.getHandle(id).result() as Promise<RetrainResult>));
  expect(results[0]).toEqual(results[1]);
  expect((await listRuns(world.state, world.surface)).filter((run) => run.candidate === 'ials')).toHaveLength(1);
  await world.until('one candidate', (now) => now.phase === 'approval' && now.candidate === 'ials');
  expect((await world.ledger()).filter((entry) => entry.action === 'release-opened' && entry.by === results[0]?.runId)).toHaveLength(1);
  const version = await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'challenger' });
  expect(version).toMatchObject({ artifact: results[0]?.artifact });
  const record = await findRunRecord(world, results[0]?.runId ?? '');
  const logged = await world.context.mlflow.readRun({ runId: record?.mlflowRunId ?? '' });
  expect(logged).toMatchObject({ status: 'FINISHED', params: { algorithm: 'ials' }, tags: { 'understudy.artifact': results[0]?.artifact } });
  expect(Object.keys(logged.metrics)).toEqual(expect.arrayContaining(['ndcg_at_10', 'train_seconds', 'parity_error']));

  // Trained again from its manifest, it is the same.
  expect(await rerun(world, results[0]?.runId ?? '')).toMatchObject({ equal: true, firstDifference: null });
  // Had it become another artifact, the first difference would be named.
  const bootstrap = (await listRuns(world.state, world.surface)).find((run) => run.candidate === 'popularity');
  if (record === undefined || bootstrap === undefined) throw new Error('no runs');
  const other = { artifact: bootstrap.artifact } as Trained;
  const evaluated = { metrics: record.metrics } as Evaluated;
  const compared = await compareRerun(world.context, { runId: record.runId, retrain: preparedFrom(record), log: record.log, trained: other, evaluated });
  expect(compared).toMatchObject({ equal: false, artifact: { first: record.artifact, again: bootstrap.artifact } });
  expect(compared.firstDifference).toBe('artifact/algorithm: "ials" became "popularity"');
});

it('new data and a schedule ask for a retraining by themselves', async () => {
  const world = await open({ charter: { retrainOnNewData: true } });
  await world.ingest();
  await expect.poll(async () => (await listRuns(world.state, world.surface)).map((run) => run.candidate), { timeout: 20_000 }).toEqual(['popularity']);
  await world.until('the bootstrap', (now) => now.last?.outcome === 'promoted');
  // The same data again ask for nothing more.
  expect(await world.ingest()).toMatchObject({ generation: 1 });
  const requests: string[] = [];
  for await (const { workflowId } of world.client.workflow.list({ query: `WorkflowType = '${workflowNames.requestRetrain}'` })) requests.push(workflowId);
  expect(requests).toEqual([`request-retrain/${world.surface}/data-1`]);

  await retrainCommand(world.command).parseAsync([world.surface, '--schedule', '0 4 1 1 *', '--candidate', 'item-knn', '--state', world.stateDir], {
    from: 'user',
  });
  const schedule = world.client.schedule.getHandle(`retrain/${world.surface}`);
  expect((await schedule.describe()).policies).toMatchObject({ overlap: 'SKIP' });
  await schedule.trigger();
  await expect.poll(async () => (await listRuns(world.state, world.surface)).map((run) => run.candidate), { timeout: 20_000 }).toContain('item-knn');
});

it('while nothing is live, the bootstrap candidate comes first, and only it', async () => {
  const world = await open();
  await world.ingest();
  await expect(world.retrain('ials')).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('popularity comes first') });
  await world.bootstrapped();
  expect((await listRuns(world.state, world.surface)).map((run) => run.candidate)).toEqual(['popularity']);
});

it('a candidate that a gate refuses ends in the ledger, without an alias', async () => {
  const world = await open({ charter: { gates: { minUsers: 50, replaceLift: 9 } } });
  const champion = await world.bootstrapped();
  const [run] = await world.retrain('item-knn');
  expect(run).toMatchObject({ passed: false });
  expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-refused', detail: { champion, disagreement: null } });
  expect(await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'challenger' })).toBeUndefined();
});

it('a stop-level rule fails the slice and leaves the last good data in place', async () => {
  const world = await open({ serving: false });
  await world.ingest();
  const before = await readLatest(world.state.generations, `data/${world.surface}`, dataState);
  const strict = {
    ...world.config.charter,
    data: { log: 'ignore' as const, rules: [{ name: 'enough', measure: 'rows' as const, min: 1_000_000, action: 'stop' as const }] },
  };
  const config = { ...world.config, charter: strict, input: strict };
  await expect(runIngest(world.command, { stateDir: world.stateDir, config, file: undefined, endsAt: '2026-06-01' })).rejects.toMatchObject({
    code: 'UND-RULE-STOP',
  });
  // Nor is a mapping that DuckDB cannot run tried again and again.
  const misspelt = { file: world.config.source?.file ?? '', mapping: { name: 'plain', requires: [], sql: 'SELECT raw_line, itme AS item_id FROM raw' } };
  const refused = runIngest(world.command, { stateDir: world.stateDir, config: { ...world.config, source: misspelt }, file: undefined, endsAt: undefined });
  await expect(refused).rejects.toMatchObject({ code: 'UND-CHARTER', message: expect.stringContaining('itme') });
  expect(await readLatest(world.state.generations, `data/${world.surface}`, dataState)).toEqual(before);
  await expect(world.retrain('nothing')).rejects.toMatchObject({ code: 'UND-INPUT' });
});

it("a model of one's own, made in Python, passes through the same gates; a broken folder is refused with what is wrong", async () => {
  const world = await open();
  await world.bootstrapped();
  const folder = join(world.stateDir, 'my-model');
  const script = fileURLToPath(new URL('../examples/bring-your-own/make_model.py', import.meta.url));
  await promisify(execFile)(inject('mlflowPython'), [script, world.config.source?.file ?? '', folder]);
  const retrain = (name: string, of: string) =>
    runRetrain(world.command, { stateDir: world.stateDir, surface: world.surface, candidates: null, guest: { name, folder: of } });
  const [run] = await retrain('co-occurrence', folder);
  expect(run).toMatchObject({ candidate: 'co-occurrence', passed: true });
  await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'co-occurrence');

  const broken = join(world.stateDir, 'broken');
  await cp(folder, broken, { recursive: true });
  await truncate(join(broken, 'recommend.onnx'), 500);
  await expect(retrain('broken', broken)).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
  await rm(join(broken, 'vocabulary.json'));
  await expect(retrain('broken', broken)).rejects.toMatchObject({ code: expect.stringMatching(/^UND-(ARTIFACT|FILE)$/) });
});
