import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, defaultPayloadConverter } from '@temporalio/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import type { RerunResult, Trained } from '../activities/api.ts';
import { modelName } from '../activities/registry/register-candidate.ts';
import { findRunRecord } from '../activities/registry/runs.ts';
import { openState, readCharter } from '../activities/context.ts';
import { currentCharter } from '../activities/registry/charters.ts';
import { runIngest } from '../cli/commands/ingest.ts';
import { runRetrain } from '../cli/commands/retrain.ts';
import { type CommandContext, readEnvironment } from '../cli/environment.ts';
import { openShop } from '../cli/shoppers/shop.ts';
import { loadSurfaceConfig } from '../cli/surface-config.ts';
import { writeSystemFile } from '../cli/system-file.ts';
import { signalGroup } from '../cli/system/processes.ts';
import { type System, startSystem } from '../cli/system/start-system.ts';
import { releaseStatus, withTemporal } from '../cli/temporal.ts';
import { castVote } from '../cli/votes.ts';
import type { Event } from '../models/contracts/event.ts';
import { rerunWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import type { ReleaseStatus } from '../models/contracts/release.ts';
import { latestDeployment } from '../stores/deployments.ts';
import { readLedger } from '../stores/ledger.ts';
import { createMlflow } from '../stores/mlflow/mlflow-client.ts';
import { makeTinySurface } from './tiny-surface/make-tiny-surface.ts';

const surface = 'tiny';

/** Slow enough to be killed twice between its start and its end. */
const slowTraining = { factors: 256, sweeps: 160 };

it('whatever is killed, the loop ends with the same artifact, one live version and every acknowledged event', { timeout: 480_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-crash-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const stateDir = join(folder, 'state');
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
  const tiny = await makeTinySurface({
    folder: join(folder, 'surface'),
    seed,
    charter: {
      candidates: [
        { name: 'popularity', algorithm: 'popularity' },
        { name: 'ials', algorithm: 'ials', params: slowTraining },
      ],
      release: {
        approvers: [{ name: 'lead', role: 'ml-lead' }],
        rehearsal: { slates: 100, maxDurationMs: 60_000 },
        // The stages are long enough for a process to die and come back in them.
        canary: {
          shadowSlates: 50,
          ladder: [0.1, 0.5],
          minUnits: [200, 3_000],
          lookEveryMs: 200,
          maxDurationMs: 240_000,
          maxP99Ms: 5_000,
          maxErrorShare: 0.05,
          maxFallbackShare: 0.2,
        },
      },
    },
  });
  const said: string[] = [];
  const system = await startSystem({
    stateDir,
    temporalCli: inject('temporalCli'),
    mlflowPython: inject('mlflowPython'),
    ports: { serving: 0, temporal: 0, temporalUi: 0, mlflow: 0 },
    say: (line) => void said.push(line),
  });
  onTestFinished(() => system.stop());
  const { temporalAddress, temporalUiUrl, mlflowUrl, servingUrl } = system;
  await writeSystemFile(stateDir, { temporalAddress, temporalUiUrl, mlflowUrl, servingUrl, pid: process.pid });
  const context: CommandContext = { env: readEnvironment({}), cwd: folder, now: Date.now };
  const state = openState(stateDir);
  const withClient = <T>(use: (client: Client) => Promise<T>) => withTemporal(context, stateDir, use);
  const status = () => withClient((client) => releaseStatus(client, surface)).catch(() => undefined);
  const until = (what: string, holds: (now: ReleaseStatus | undefined) => boolean | Promise<boolean>) =>
    expect.poll(async () => holds(await status()), { message: `${what}; ${said.slice(-3).join(' | ')}`, timeout: 90_000, interval: 100 }).toBe(true);
  const champion = async () => (await latestDeployment(state.generations, surface))?.champion;

  await runIngest(context, { stateDir, config: await loadSurfaceConfig(tiny.config), file: undefined, endsAt: undefined });
  const [popularity] = await runRetrain(context, { stateDir, surface, candidates: ['popularity'], guest: null });
  await until('the bootstrap', async () => (await champion()) === popularity?.artifact);

  // A worker dies in training, behind a checkpoint; MLflow stands still for 30 s from then on.
  const notes = new Set<string>();
  const retraining = runRetrain(context, { stateDir, surface, candidates: ['ials'], guest: null }, (text) => void notes.add(text));
  await expect.poll(() => withClient(checkpointsReported), { timeout: 60_000, interval: 200, message: 'a checkpoint' }).toBe(true);
  kill(system, 'worker-training');
  const mlflowRests = rest(system, 'mlflow', 30_000);
  const [ials] = await retraining;
  await mlflowRests;
  if (ials === undefined) throw new Error('no run');
  expect([...notes]).toContainEqual(expect.stringMatching(/^ials: \d+ % \(.+, at most .+ left\)$/));
  expect(await withClient((client) => resumedFrom(client, ials.runId))).toBeGreaterThan(0);

  // The one that runs workflows dies while a person is awaited.
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const shop = openShop({ state, surface, servingUrl, charter, seed });
  const closing = new AbortController();
  const trade = shop.keepOpen({ signal: closing.signal, busy: () => true });
  const posting = postEvents(servingUrl, closing.signal);
  onTestFinished(async () => {
    closing.abort();
    await Promise.all([trade, posting]);
    shop.close();
  });
  await until('the request for approval', (now) => now?.phase === 'approval');
  kill(system, 'worker-control');
  const vote = await retried(() =>
    withClient((client) => castVote(client, { surface, decision: 'approve', by: 'lead', why: 'the evidence', evidence: undefined, key: undefined })),
  );
  expect(vote).toMatchObject({ accepted: true, outcome: 'approved' });

  // Everything dies once in the canary.
  await until('the canary', (now) => now?.phase === 'canary' && now.share !== null);
  kill(system, 'worker-control');
  kill(system, 'serving');
  await until('another look', (now) => now?.phase === 'canary' && now.look >= 3);
  kill(system, 'temporal');
  await until('the end', async (now) => now?.phase === 'idle' && now.last?.candidate === 'ials');
  closing.abort();
  const acknowledged = await posting;
  await trade;

  expect((await status())?.last).toMatchObject({ candidate: 'ials', outcome: 'promoted' });
  expect(await champion()).toBe(ials.artifact);
  const mlflow = createMlflow({ trackingUri: mlflowUrl });
  expect((await mlflow.getByAlias({ model: modelName(surface), alias: 'champion' }))?.artifact).toBe(ials.artifact);
  const promotions = (await readLedger(state.generations, surface))
    .filter((entry) => entry.action === 'release-promoted')
    .map((entry) => entry.detail.artifact);
  expect(promotions).toEqual([popularity?.artifact, ials.artifact]);
  expect((await findRunRecord({ state }, ials.runId))?.artifact).toBe(ials.artifact);

  const logged = new Set((await state.logReader(surface, 'events').tail({})).records.map((record) => (record as Event).eventId));
  expect(acknowledged.length).toBeGreaterThan(500);
  expect(acknowledged.filter((eventId) => !logged.has(eventId))).toEqual([]);

  // Trained again with nobody in the way, it is the same to the last bit.
  const rerun = (await withClient((client) =>
    client.workflow.execute(workflowNames.rerun, { workflowId: rerunWorkflowId(ials.runId), taskQueue: taskQueues.control, args: [{ runId: ials.runId }] }),
  )) as RerunResult;
  expect(rerun).toMatchObject({ equal: true, artifact: { first: ials.artifact, again: ials.artifact } });
  const died = (name: string) => said.filter((line) => line.startsWith(`${name} ended (SIGKILL)`)).length;
  expect(Object.fromEntries(['worker-training', 'worker-control', 'serving', 'temporal'].map((name) => [name, died(name)]))).toEqual({
    'worker-training': 1,
    'worker-control': 2,
    serving: 1,
    temporal: 1,
  });
});

function kill(system: System, name: string): void {
  const pid = childOf(system, name).pid();
  if (pid === undefined) throw new Error(`${name} is not running`);
  process.kill(pid, 'SIGKILL');
}

function childOf(system: System, name: string) {
  const child = system.children.find((one) => one.name === name);
  if (child === undefined) throw new Error(`no ${name}`);
  return child;
}

/** The whole process group answers nobody for a while. */
async function rest(system: System, name: string, forMs: number): Promise<void> {
  const pid = childOf(system, name).pid() ?? 0;
  signalGroup(pid, 'SIGSTOP');
  try {
    await delay(forMs);
  } finally {
    signalGroup(pid, 'SIGCONT');
  }
}

/** Has a training activity told the server of a checkpoint? */
async function checkpointsReported(client: Client): Promise<boolean> {
  for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${workflowNames.retrain}' AND ExecutionStatus = 'Running'` })) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    for (const { heartbeatDetails } of raw.pendingActivities ?? [])
      for (const payload of heartbeatDetails?.payloads ?? []) {
        const details = defaultPayloadConverter.fromPayload<{ checkpoint?: string } | null>(payload);
        if (typeof details === 'object' && details?.checkpoint !== undefined) return true;
      }
  }
  return false;
}

/** The step from which the training that was counted went on. */
async function resumedFrom(client: Client, workflowId: string): Promise<number> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const results = (events ?? []).flatMap((event) => event.activityTaskCompletedEventAttributes?.result?.payloads ?? []);
  const trained = results
    .map((payload) => defaultPayloadConverter.fromPayload<Partial<Trained> | null>(payload))
    .find((result) => result?.resumedFrom !== undefined);
  return trained?.resumedFrom ?? -1;
}

/** Posts events without pause, as clients do: what was not acknowledged is sent again. Resolves to the ids that were acknowledged. */
async function postEvents(servingUrl: string, signal: AbortSignal): Promise<string[]> {
  const acknowledged: string[] = [];
  while (!signal.aborted) {
    const events = Array.from({ length: 5 }, () => ({ eventId: randomUUID(), kind: 'view', surface, sessionId: 'poster', itemId: 'i001', atMs: Date.now() }));
    for (let done = false; !done && !signal.aborted; ) {
      const response = await fetch(`${servingUrl}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ events }),
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined);
      done = response?.ok === true;
      if (done) acknowledged.push(...events.map(({ eventId }) => eventId));
      await delay(done ? 20 : 100);
    }
  }
  return acknowledged;
}

/** What a person would do whose vote met a worker that had just died. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (const deadlineMs = Date.now() + 60_000; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await delay(200);
    }
  }
}
