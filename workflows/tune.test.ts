import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import type { PreparedRetrain } from '../activities/api.ts';
import { registerCandidate } from '../activities/registry/register-candidate.ts';
import { findRunRecord } from '../activities/registry/runs.ts';
import { tuneCommand } from '../cli/commands/tune.ts';
import { writtenBy } from '../cli/testing.ts';
import { runRerun } from '../cli/commands/rerun.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startWorker } from '../cli/system/start-own.ts';
import { report } from '../models/contracts/report.ts';
import { trialLog, trialMeasurement } from '../models/contracts/tuning.ts';
import { workflowNames } from '../models/contracts/messages.ts';
import { getDocument } from '../stores/blobs.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const window = { trainDays: 40, gapDays: 1, testDays: 14, validationDays: 10 };
const rungs = [8, 4, 2];
const halved = { trials: 8, halving: { eta: 2, minShare: 0.25 } };

async function open(candidates: object[], options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, charter: { candidates, window, bootstrap: 'ials' }, serving: false, ...options });
  onTestFinished(() => world.close());
  await world.ingest();
  return world;
}

/** What the activities of one kind gave, and who worked on them, as the history has it. */
async function activitiesOf({ client }: World, workflowId: string, name: string) {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = new Set(
    (events ?? []).flatMap((event) => (event.activityTaskScheduledEventAttributes?.activityType?.name === name ? String(event.eventId) : [])),
  );
  const done = (events ?? []).flatMap((event) => event.activityTaskCompletedEventAttributes ?? []).filter((one) => scheduled.has(String(one.scheduledEventId)));
  const results = done.flatMap(({ result }) => result?.payloads ?? []).map((payload) => defaultPayloadConverter.fromPayload(payload));
  return { scheduled: scheduled.size, results: results as string[], workers: new Set(done.map(({ identity }) => identity)) };
}

type MlflowRun = {
  info: { status: string; run_name: string };
  data: { params: { key: string; value: string }[]; metrics: { key: string; value: number; step: number }[] };
};
async function childrenOf(parent: string, experiment: string): Promise<MlflowRun[]> {
  const found = await fetch(`${servers.mlflowUrl}/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`);
  const { experiment: own } = (await found.json()) as { experiment: { experiment_id: string } };
  const filter = `tags."mlflow.parentRunId" = '${parent}'`;
  const body = JSON.stringify({ experiment_ids: [own.experiment_id], filter, max_results: 1000 });
  const searched = await fetch(`${servers.mlflowUrl}/api/2.0/mlflow/runs/search`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return ((await searched.json()) as { runs?: MlflowRun[] }).runs ?? [];
}

it('a killed worker loses no trial that had finished; the choice is that of a run that nobody killed, and each trial is a run in MLflow', {
  timeout: 400_000,
}, async () => {
  // A trial takes long enough for a worker to die in the middle of one.
  const tune = { lambda: { min: 1e-4, max: 1e4, scale: 'log' } };
  const world = await open([{ name: 'ials', algorithm: 'ials', params: { factors: 96, sweeps: 40 }, tune, search: halved }]);
  world.workers.shutdown();
  let started = 0;
  const start = async (role: 'control' | 'training') => {
    const { stateDir } = world;
    started += 1;
    const addresses = { temporalAddress: world.command.env.TEMPORAL_ADDRESS ?? '', temporalNamespace: 'default', mlflowUrl: servers.mlflowUrl };
    const child = await startWorker({ stateDir, runDir: join(runDirectory(stateDir), `${role}-${started}`), env: process.env, role, addresses });
    onTestFinished(() => child.stop());
    return child;
  };
  const [, doomed] = await Promise.all([start('control'), start('training'), start('training')]);
  const retraining = world.retrain();
  const runs = async () => {
    const ids: string[] = [];
    for await (const { workflowId } of world.client.workflow.list({ query: `WorkflowType = '${workflowNames.retrain}'` })) ids.push(workflowId);
    return ids;
  };
  await expect.poll(runs, { timeout: 60_000, interval: 100 }).toHaveLength(1);
  const [runId = ''] = await runs();
  // Both have finished some, and neither all.
  const underWay = async () => {
    const { results, workers } = await activitiesOf(world, runId, 'runTrial');
    return results.length > 2 && workers.size === 2;
  };
  await expect.poll(underWay, { timeout: 120_000, interval: 50 }).toBe(true);
  process.kill(doomed.pid() ?? 0, 'SIGKILL');
  const before = (await activitiesOf(world, runId, 'runTrial')).results;
  const [run] = await retraining;
  if (run === undefined) throw new Error('no run');

  const all = rungs.reduce((sum, trials) => sum + trials, 0);
  const { scheduled, results, workers } = await activitiesOf(world, run.runId, 'runTrial');
  expect({ scheduled, done: results.length }).toEqual({ scheduled: all, done: all });
  // Both worked; nobody did again what was done, to the very seconds that it had taken.
  expect(workers.size).toBe(2);
  expect(before.length).toBeLessThan(all);
  expect(results.slice(0, before.length)).toEqual(before);
  const { results: steps } = await activitiesOf(world, run.runId, 'decideTrials');
  const last = steps.at(-1) as unknown as { log: string; tuning: string };
  const { measurements } = await getDocument(world.state.blobs, last.log, trialLog);
  for (const digest of before) expect(measurements).toContainEqual(await getDocument(world.state.blobs, digest, trialMeasurement));
  const record = await findRunRecord(world, run.runId);
  const { tuning } = await getDocument(world.state.blobs, record?.report ?? '', report);
  expect(tuning?.rungs?.map(({ trials }) => trials)).toEqual(rungs);

  // All trials again, by the one that is left: the same choice, the same artifact.
  const again = await runRerun(world.command, world.stateDir, run.runId);
  expect(again).toMatchObject({ equal: true, firstDifference: null });
  expect((await activitiesOf(world, `rerun/${run.runId.replaceAll('/', '.')}`, 'runTrial')).results).toHaveLength(all);

  const experiment = `understudy/${world.surface}`;
  const children = await childrenOf(record?.mlflowRunId ?? '', experiment);
  expect(children).toHaveLength(rungs[0] as number);
  const best = children.find(({ info }) => info.run_name === `ials trial ${(tuning?.chosen ?? 0) + 1}`);
  const figure = (name: string) => best?.data.metrics.find(({ key }) => key === name)?.value;
  expect(best?.info.status).toBe('FINISHED');
  expect(best?.data.params).toEqual([{ key: 'params.lambda', value: String(tuning?.trials[tuning.chosen]?.params.lambda) }]);
  expect({ figure: figure('ndcg_at_10'), rung: figure('rung') }).toEqual({ figure: tuning?.trials[tuning.chosen]?.value, rung: 3 });
  expect(figure('seconds')).toBeGreaterThan(0);
  // Done twice it finds its own work.
  await registerCandidate(world.context, await finishedOf(world, run.runId));
  expect(await childrenOf(record?.mlflowRunId ?? '', experiment)).toHaveLength(rungs[0] as number);
});

/** What the workflow gave to `registerCandidate`. */
async function finishedOf({ client }: World, workflowId: string): Promise<Parameters<typeof registerCandidate>[1]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
  const [payload] = scheduled.find(({ activityType }) => activityType?.name === 'registerCandidate')?.input?.payloads ?? [];
  return defaultPayloadConverter.fromPayload(payload as NonNullable<typeof payload>);
}

/** What `understudy tune` writes. */
const ask = (world: World, ...argv: string[]) =>
  writtenBy(() => tuneCommand(world.command).parseAsync([world.surface, ...argv, '--state', world.stateDir], { from: 'user' }));

it('`understudy tune` says what it would try, tries it, and ends with the line for the charter; nothing is trained, registered or released', async () => {
  const params = { factors: 8, sweeps: 3 };
  const tune = { lambda: { min: 1e-3, max: 1e5, scale: 'log' }, factors: [8, 16] };
  const world = await open([
    { name: 'ials', algorithm: 'ials', params, tune, search: halved },
    { name: 'item-knn', algorithm: 'item-knn', tune: { neighbours: [1, 50] } },
  ]);
  const plan = await ask(world, '--candidate', 'ials', '--dry-run');
  expect(plan).toContain('ials: 8 trials, 14 trainings, which together cost as much as 6 on all users (all trials on all users: 8)');
  expect(plan).toMatch(/^1 +25 % +8$/m);

  const { tuned } = JSON.parse(await ask(world, '--json'));
  expect(tuned).toMatchObject([
    { candidate: 'ials', metric: 'ndcg@10', rungs: rungs.map((trials) => ({ trials })) },
    { candidate: 'item-knn', rungs: [{ share: 1, trials: 2 }] },
  ]);
  const [{ trials, chosen, params: best }] = tuned;
  expect(best).toEqual({ ...params, ...trials[chosen].params });
  expect(trials[chosen]).toMatchObject({ rung: 2, measured: { value: expect.any(Number) } });
  // The same again is the same work: to the very seconds.
  expect(JSON.parse(await ask(world, '--json')).tuned).toEqual(tuned);
  const text = await ask(world, '--candidate', 'ials');
  expect(text).toContain(`{ name: "ials", algorithm: "ials", params: ${JSON.stringify(best)} }`);
  expect(text).toMatch(/3 of 3 +chosen$/m);
  expect(await world.state.generations.series(`run/${world.surface}/`)).toEqual([]);
  expect((await world.ledger()).map(({ action }) => action)).toEqual(['charter-registered']);

  const workflows: string[] = [];
  for await (const { type } of world.client.workflow.list({ query: `WorkflowType != '${workflowNames.ingest}'` })) workflows.push(type);
  expect(workflows).toEqual([workflowNames.tune, workflowNames.tune]);
  await expect(ask(world, '--candidate', 'nobody')).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('ials, item-knn') });
  await expect(ask(world, '--trials', '5')).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('charter') });

  // A retraining that chooses for itself chooses the same.
  const [run] = await world.retrain('ials');
  const record = await findRunRecord(world, run?.runId ?? '');
  const { tuning } = await getDocument(world.state.blobs, record?.report ?? '', report);
  expect(tuning?.trials[tuning.chosen]?.params).toEqual(trials[chosen].params);
  expect((await finishedOf(world, run?.runId ?? '')).retrain satisfies PreparedRetrain).toMatchObject({ tuned: true });
});
