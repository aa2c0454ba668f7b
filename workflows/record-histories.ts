import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { NativeConnection, Worker } from '@temporalio/worker';
import { currentCharter } from '../activities/registry/charters.ts';
import { prepareTuning } from '../activities/training/tune-prepare.ts';
import { openRequest } from '../activities/privacy/erasure-files.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startMlflow } from '../cli/system/start-servers.ts';
import {
  auditFollowUpWorkflowId,
  auditWorkflowId,
  erasureWorkflowId,
  evaluationWorkflowId,
  releaseWorkflowId,
  retentionWorkflowId,
  rerunWorkflowId,
  taskQueues,
  tuneWorkflowId,
  workflowNames,
} from '../models/contracts/messages.ts';
import { factorsInterface, trainJob, type TrainOrder } from '../models/contracts/train-job.ts';
import { findServers } from '../test/servers.ts';
import { recordEscalations } from './record-escalations.ts';
import { recordWatched } from './record-watched.ts';
import { recordCauses } from './record-causes.ts';
import { openWorld, quickRelease, type World } from './testing.ts';
import { startGpuWorker } from './testing-gpu.ts';

/* For the replay test, by the names of `happenings`: `node workflows/record-histories.ts [NAME]`. Histories stay when a workflow changes: what runs must go on. */

const folder = new URL('./histories/', import.meta.url);

async function record(world: Pick<World, 'client'>, name: string, workflowId: string, runId?: string): Promise<void> {
  const history = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
  await mkdir(folder, { recursive: true });
  // Who worked, and where the code lay, is no matter of replay, and names a machine.
  const anonymous = JSON.parse(historyToJSON(history), (key, value) =>
    key === 'identity' ? 'recorder' : key === 'stackTrace' ? '' : typeof value === 'string' ? value.replace(/^\d+@.*-(?=[0-9a-f]{32}$)/, 'recorder-') : value,
  );
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(anonymous, null, 1)}\n`);
  process.stdout.write(`${name}: ${history.events?.length} events\n`);
}

type Options = { temporalCli: string; mlflowUrl: string; seed: number };

/** What happens is named by what it is worth recording for; several histories come of one. */
const happenings: Record<string, (options: Options) => Promise<void>> = {
  story: recordStory,
  troubled: recordTroubled,
  again: recordAgain,
  rivals: recordRivals,
  people: recordPeople,
  tuned: recordTuned,
  trainer: recordTrainer,
  gpu: recordGpu,
  watched: (options) => recordWatched(options, record),
  causes: (options) => recordCauses(options, record),
  escalations: (options) => recordEscalations(options, record),
};

async function recordStory(options: Options): Promise<void> {
  const story = await openWorld({ ...options, release: { ...quickRelease, fourEyes: true, rehearsal: { slates: 100, maxDurationMs: 60_000 } } });
  try {
    const ingested = await story.ingest();
    await record(story, 'ingest', ingested.workflowId);
    await story.bootstrapped();
    await record(story, 'ingest-log', (await story.ingestLog()).workflowId);
    await story.trade();
    const [run] = await story.retrain('item-knn');
    const runId = run?.runId ?? '';
    await record(story, 'retrain', runId);
    await story.until('approval', (now) => now.phase === 'approval');
    await story.vote('nobody').catch(() => undefined);
    await story.vote('lead');
    await story.vote('second');
    await story.closing(runId);
    for await (const { workflowId } of story.client.workflow.list({ query: `WorkflowType = '${workflowNames.requestRetrain}'` })) {
      await record(story, 'request-retrain', workflowId);
      break;
    }
    const rerunId = rerunWorkflowId(runId);
    await story.client.workflow.execute(workflowNames.rerun, { workflowId: rerunId, taskQueue: taskQueues.control, args: [{ runId }] });
    await record(story, 'rerun', rerunId);
    await story.until('the end', (now) => now.phase === 'idle');
    await story.override('rollback');
    await story.until('the registry', (now) => now.phase === 'idle' && now.why.startsWith('reconciled'));
    await record(story, 'release-bootstrap-and-promotion', releaseWorkflowId(story.surface));
  } finally {
    await story.close();
  }
}

async function recordTroubled(options: Options): Promise<void> {
  const troubled = await openWorld({ ...options, release: { ...quickRelease, remindAfterMs: 200, escalateAfterMs: 400, expireAfterMs: 4_000 } });
  try {
    await troubled.bootstrapped();
    await troubled.trade();
    await troubled.retrain('item-knn');
    await troubled.until('approval', (now) => now.candidate === 'item-knn' && now.phase === 'approval');
    const [newer] = await troubled.retrain('ials');
    await troubled.until('the newer', (now) => now.candidate === 'ials' && now.phase === 'approval');
    await troubled.override('pause');
    await troubled.vote('lead');
    await troubled.until('the pause', (now) => now.why.includes('paused'));
    await troubled.override('resume');
    await troubled.until('the canary', (now) => now.phase === 'canary');
    await troubled.override('abort');
    await troubled.closing(newer?.runId ?? '');
    await troubled.until('the end', (now) => now.phase === 'idle');
    await record(troubled, 'release-superseded-paused-aborted', releaseWorkflowId(troubled.surface));
  } finally {
    await troubled.close();
  }
}

/** A run that is judged again, and a publisher whose history became long in the middle of a canary. */
async function recordAgain(options: Options): Promise<void> {
  const again = await openWorld({
    ...options,
    longHistory: 60,
    canary: { minUnits: [10, 100_000] },
    release: { ...quickRelease, rehearsal: { slates: 100, maxDurationMs: 60_000 } },
  });
  try {
    await again.bootstrapped();
    await again.trade();
    await again.retrain('item-knn');
    await again.until('approval', (now) => now.phase === 'approval');
    await again.vote('lead');
    await again.until('the canary', (now) => now.phase === 'canary' && now.look >= 8);
    const runs: string[] = [];
    for await (const { runId } of again.client.workflow.list({
      query: `WorkflowId = '${releaseWorkflowId(again.surface)}' AND ExecutionStatus = 'ContinuedAsNew'`,
    }))
      runs.push(runId);
    // Newest first: one that began and ended in the middle of a release.
    await record(again, 'release-continued', releaseWorkflowId(again.surface), runs[0]);
    await again.changeCharter((charter) => ({ ...charter, gates: { minUsers: 100_000 } }));
    const [judged] = await again.retrain('item-knn');
    await record(again, 'retrain-judged-again', evaluationWorkflowId(judged?.runId ?? '', 2));
  } finally {
    await again.close();
  }
}

/** Two candidates of one request that share a release to its end. */
async function recordRivals(options: Options): Promise<void> {
  const rivals = await openWorld({
    ...options,
    canary: { minUnits: [10, 40] },
    release: { ...quickRelease, challengers: 2, rehearsal: { slates: 100, maxDurationMs: 60_000 } },
  });
  try {
    await rivals.bootstrapped();
    await rivals.trade();
    const [run] = await rivals.retrain('item-knn', 'ials');
    await rivals.until('approval', (now) => now.phase === 'approval');
    await rivals.vote('lead');
    await rivals.until('the canary', (now) => now.phase === 'canary');
    await rivals.until('the end', (now) => now.phase === 'idle');
    await record(rivals, 'retrain-of-a-party', run?.runId ?? '');
    await record(rivals, 'release-of-rivals', releaseWorkflowId(rivals.surface));
  } finally {
    await rivals.close();
  }
}

/** Somebody is erased, and what is old goes. */
async function recordPeople(options: Options): Promise<void> {
  const signingKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  const people = await openWorld({ ...options, signingKey, charter: { retention: { days: 36_000 } } });
  try {
    await people.ingest();
    const asked = { people: { userIds: ['u7'], sessionIds: [], deviceIds: [] }, by: 'dpo', why: 'they asked', reference: null, models: 'retrain' as const };
    const { id } = await openRequest(people.stateDir, { given: ['u7'], ...asked, requestedAtMs: Date.now() });
    const workflowId = erasureWorkflowId(id);
    await people.client.workflow.execute(workflowNames.erasure, { workflowId, taskQueue: taskQueues.control, args: [{ id }] });
    await record(people, 'erasure', workflowId);
    for (const [name, type, workflowId] of [
      ['retention', workflowNames.retention, retentionWorkflowId(people.surface)],
      ['audit-with-retrainings', workflowNames.audit, auditWorkflowId(people.surface)],
      ['audit-follow-up', workflowNames.auditFollowUp, auditFollowUpWorkflowId(people.surface)],
    ] as const) {
      await people.client.workflow.execute(type, { workflowId, taskQueue: taskQueues.control, args: [{ surface: people.surface, by: 'dpo' }] });
      await record(people, name, workflowId);
    }
  } finally {
    await people.close();
  }
}

/** Parameters are chosen: by a tuning alone, in a retraining, and again in its rerun. */
async function recordTuned(options: Options): Promise<void> {
  const tune = { lambda: { min: 1e-3, max: 1e5, scale: 'log' } };
  const search = { trials: 4, halving: { eta: 2, minShare: 0.25 } };
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 8, sweeps: 3 }, tune, search }];
  const charter = { candidates, bootstrap: 'ials', window: { trainDays: 40, gapDays: 1, testDays: 14, validationDays: 10 } };
  const tuned = await openWorld({ ...options, charter, serving: false });
  try {
    await tuned.ingest();
    const { state, surface } = tuned;
    const [work] = await prepareTuning({ state }, { surface, charter: await currentCharter(state, surface), candidates: null });
    if (work === undefined) throw new Error('nothing is tuned');
    const workflowId = tuneWorkflowId(work);
    await tuned.client.workflow.execute(workflowNames.tune, { workflowId, taskQueue: taskQueues.control, args: [work] });
    await record(tuned, 'tune', workflowId);
    const [run] = await tuned.retrain();
    const runId = run?.runId ?? '';
    await record(tuned, 'retrain-tuned', runId);
    const rerunId = rerunWorkflowId(runId);
    await tuned.client.workflow.execute(workflowNames.rerun, { workflowId: rerunId, taskQueue: taskQueues.control, args: [{ runId }] });
    await record(tuned, 'rerun-tuned', rerunId);
  } finally {
    await tuned.close();
  }
}

/** A worker of somebody else's trains, and again in the run's rerun; and nobody does. */
async function recordTrainer(options: Options): Promise<void> {
  const mine = { name: 'mine', algorithm: 'trainer', taskQueue: 'training-mine' };
  const candidates = [mine, { ...mine, name: 'alone', taskQueue: 'training-nobody', waitMs: 1_000 }];
  const world = await openWorld({ ...options, charter: { candidates, bootstrap: 'mine' } });
  const connection = await NativeConnection.connect({ address: world.command.env.TEMPORAL_ADDRESS ?? '' });
  const worker = await Worker.create({ connection, taskQueue: mine.taskQueue, activities: { train: (order: TrainOrder) => leaveFactors(world, order) } });
  const working = worker.run();
  try {
    await world.ingest();
    const [run] = await world.retrain();
    const runId = run?.runId ?? '';
    await record(world, 'retrain-by-a-guest', runId);
    const rerunId = rerunWorkflowId(runId);
    await world.client.workflow.execute(workflowNames.rerun, { workflowId: rerunId, taskQueue: taskQueues.control, args: [{ runId }] });
    await record(world, 'rerun-by-a-guest', rerunId);
    await world.closing(runId);
    await world.retrain('alone').catch(() => undefined);
    for await (const { workflowId } of world.client.workflow.list({ query: `WorkflowType = '${workflowNames.retrain}' AND ExecutionStatus = 'Failed'` }))
      await record(world, 'retrain-by-nobody', workflowId);
  } finally {
    worker.shutdown();
    await working;
    await connection.close();
    await world.close();
  }
}

/** One candidate is trained on the CPU because there is no GPU; another waits for one, which then trains it, and again in its rerun. */
async function recordGpu(options: Options): Promise<void> {
  const one = { name: 'hasty', algorithm: 'ials', params: { factors: 8, sweeps: 2 }, gpu: { without: 'cpu' } };
  const world = await openWorld({ ...options, charter: { candidates: [one, { ...one, name: 'patient', gpu: {} }], bootstrap: 'hasty' } });
  const address = world.command.env.TEMPORAL_ADDRESS ?? '';
  try {
    await world.ingest();
    const [hasty] = await world.retrain();
    await record(world, 'retrain-without-a-gpu', hasty?.runId ?? '');
    await world.closing(hasty?.runId ?? '');
    const waiting = world.retrain('patient');
    await world.waitsForGpu();
    const { env } = process;
    const stop = await startGpuWorker({ stateDir: world.stateDir, temporalAddress: address, mlflowUrl: options.mlflowUrl, env });
    const [patient] = await waiting;
    const runId = patient?.runId ?? '';
    await record(world, 'retrain-that-waited-for-a-gpu', runId);
    const rerunId = rerunWorkflowId(runId);
    await world.client.workflow.execute(workflowNames.rerun, { workflowId: rerunId, taskQueue: taskQueues.control, args: [{ runId }] });
    await record(world, 'rerun-on-a-gpu', rerunId);
    await stop();
  } finally {
    await world.close();
  }
}

async function leaveFactors({ stateDir }: World, { contract, folder }: TrainOrder): Promise<unknown> {
  const job = join(stateDir, 'checkpoints', folder);
  const { counts } = trainJob.parse(JSON.parse(await readFile(join(job, 'job.json'), 'utf8')));
  const dimensions = 4;
  const factors = Float32Array.from({ length: counts.items * dimensions }, (_, place) => Math.sin(place * place));
  await writeFile(join(job, 'out', 'factors.f32'), factors);
  const manifest = { interface: factorsInterface, name: 'mine', dimensions, alpha: 1, lambda: 1, frequencyScaling: 0 };
  await writeFile(join(job, 'out', 'guest.json'), JSON.stringify(manifest));
  return { contract, folder, seconds: 0, resumedFrom: 0 };
}

const wanted = process.argv.slice(2);
const stateDir = await mkdtemp(join(tmpdir(), 'understudy-histories-'));
const { cli, python } = await findServers();
const mlflow = await startMlflow({ stateDir, runDir: runDirectory(stateDir), env: process.env, restart: false, python, port: 0 });
try {
  const options = { temporalCli: cli, mlflowUrl: mlflow.url, seed: 20_261_124 };
  for (const [name, happen] of Object.entries(happenings)) if (wanted.length === 0 || wanted.includes(name)) await happen(options);
} finally {
  await mlflow.child.stop();
  await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
}
