import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startMlflow } from '../cli/system/start-servers.ts';
import { releaseWorkflowId, rerunWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import { findServers } from '../test/servers.ts';
import { openWorld, quickRelease, type World } from './testing.ts';

/*
 * Records one history of each workflow, and of each way that a release can go, for the replay test: `node workflows/record-histories.ts`.
 * Histories stay when a workflow changes: running workflows of that age must go on.
 */

const folder = new URL('./histories/', import.meta.url);

async function record(world: World, name: string, workflowId: string): Promise<void> {
  const history = await world.client.workflow.getHandle(workflowId).fetchHistory();
  await mkdir(folder, { recursive: true });
  // Who worked is no matter of replay, and names a machine.
  const anonymous = JSON.parse(historyToJSON(history), (key, value) =>
    key === 'identity' ? 'recorder' : typeof value === 'string' ? value.replace(/^\d+@.*-(?=[0-9a-f]{32}$)/, 'recorder-') : value,
  );
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(anonymous, null, 1)}\n`);
  process.stdout.write(`${name}: ${history.events?.length} events\n`);
}

async function recordAll(servers: { temporalCli: string; mlflowUrl: string }): Promise<void> {
  const options = { ...servers, seed: 20_261_124 };
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

const stateDir = await mkdtemp(join(tmpdir(), 'understudy-histories-'));
const { cli, python } = await findServers();
const mlflow = await startMlflow({ stateDir, runDir: runDirectory(stateDir), env: process.env, restart: false, python, port: 0 });
try {
  await recordAll({ temporalCli: cli, mlflowUrl: mlflow.url });
} finally {
  await mlflow.child.stop();
  await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
}
