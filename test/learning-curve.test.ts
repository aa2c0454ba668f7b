import { randomUUID } from 'node:crypto';
import { expect, inject, it, onTestFinished } from 'vitest';
import { quietBeat } from '../activities/events/testing.ts';
import { openEvidence } from '../activities/evidence/testing.ts';
import { trainCandidate } from '../activities/training/train-candidate.ts';
import { freezeRecipe } from '../activities/windows/prepare-retrain.ts';
import { drawPurchases, happeningsOf } from '../experiments/ranking/testing-purchases.ts';
import { evaluationWorkflowId, retrainWorkflowId } from '../models/contracts/messages.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { putDocument } from '../stores/blobs.ts';
import { createMlflow } from '../stores/mlflow/mlflow-client.ts';

const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const params = { dimensions: 8, blocks: 1, heads: 1, epochs: 12, learningRate: 0.01, patience: 12, batchEntries: 256, heldOutShare: 0.5 };

/** A training of SASRec on a surface of its own name, in a workflow or outside of any, on a real MLflow or one that is not there. */
async function open({ mlflowUrl = inject('mlflowUrl'), change = {} }: { mlflowUrl?: string; change?: object } = {}) {
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
  const drawn = drawPurchases({ users: 400, items: 30, tastes: 3, faith: 0.9, perUser: 8, days: 30, zipf: 0.5, fresh: 0, seed });
  const evidence = await openEvidence({
    happenings: happeningsOf(drawn, startMs),
    nowMs: startMs + 31 * dayMs,
    charter: { window: { trainDays: 24, gapDays: 1, testDays: 3 } },
  });
  onTestFinished(() => evidence.close());
  const logged: string[] = [];
  const mlflow = createMlflow({ trackingUri: mlflowUrl, retryForMs: 100 });
  // A clock that is a second later at each look: what is due is sent at every step.
  let clockMs = evidence.context.now();
  const now = () => {
    clockMs += 1_000;
    return clockMs;
  };
  const context = { ...evidence.context, mlflow, now, log: (line: string) => void logged.push(line) };
  const { blobs } = context.state;
  const surface = `curve-${randomUUID().slice(0, 8)}`;
  const recipe = await freezeRecipe(context, evidence.charter, { name: 'sasrec', algorithm: 'sasrec', params: { ...params, ...change } });
  const work = {
    ...{ surface, candidate: 'sasrec', charter: await putDocument(blobs, evidence.charter) },
    ...{ window: await putDocument(blobs, evidence.window), recipe: await putDocument(blobs, recipe) },
  };
  const workflowId = evaluationWorkflowId(retrainWorkflowId(surface, work.window, work.recipe), undefined);
  return { context, work, workflowId, logged, mlflow };
}

type Point = { key: string; value: number; step: number };

async function read(surface: string) {
  const ask = async (path: string, body?: object) => {
    const answer = await fetch(`${inject('mlflowUrl')}/api/2.0/mlflow/${path}`, {
      ...(body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, never>;
  };
  const found = await ask(`experiments/get-by-name?experiment_name=understudy/${surface}`);
  const experiment = (found as { experiment?: { experiment_id: string } }).experiment?.experiment_id;
  if (experiment === undefined) return undefined;
  const { runs } = (await ask('runs/search', { experiment_ids: [experiment] })) as unknown as { runs: { info: { run_id: string; status: string } }[] };
  const [run] = runs;
  if (run === undefined) return undefined;
  const curve = async (key: string) =>
    ((await ask(`metrics/get-history?run_id=${run.info.run_id}&metric_key=${key}`)) as unknown as { metrics?: Point[] }).metrics ?? [];
  return { runs: runs.length, status: run.info.status, loss: await curve('loss'), heldOut: await curve('held_out') };
}

it('a curve has what was measured before training was cut off, and is the same behind it', async () => {
  const { context, work, workflowId } = await open();
  let details: unknown;
  const cut = new UnderstudyError('UND-TEMPORAL', 'the worker is gone');
  const beats = {
    workflowId,
    beat: (next?: unknown) => {
      details = next ?? details;
      if (((next as { done?: number } | undefined)?.done ?? 0) >= 15) throw cut;
    },
  };
  await expect(trainCandidate(context, work, { ...quietBeat, ...beats })).rejects.toThrow(cut);
  const seen = await read(work.surface);
  expect(seen).toMatchObject({ runs: 1 });
  const soFar = seen?.loss.length ?? 0;
  expect(soFar).toBeGreaterThan(5);

  const trained = await trainCandidate(context, work, { ...quietBeat, workflowId, resumeDetails: details });
  expect(trained.resumedFrom).toBeGreaterThan(0);
  const whole = await read(work.surface);
  expect(whole?.loss.map(({ step }) => step)).toEqual(Array.from({ length: whole?.loss.length ?? 0 }, (_, step) => step + 1));
  expect(whole?.loss.length).toBeGreaterThan(soFar);
  expect(whole?.loss.slice(0, soFar)).toEqual(seen?.loss);
  expect(whole?.heldOut.length).toBeGreaterThan(1);
});

it('a training that diverges ends its run as failed; a rerun has no run', async () => {
  const diverging = await open({ change: { learningRate: 1e6 } });
  const training = trainCandidate(diverging.context, diverging.work, { ...quietBeat, workflowId: diverging.workflowId });
  await expect(training).rejects.toMatchObject({ code: 'UND-TRAINING-DIVERGED' });
  expect((await read(diverging.work.surface))?.status).toBe('FAILED');

  const again = await open();
  await trainCandidate(again.context, again.work, { ...quietBeat, workflowId: 'rerun/somewhere' });
  expect(await read(again.work.surface)).toBeUndefined();
});

it('a server that is not there costs the curve, and says so once', async () => {
  const { context, work, workflowId, logged } = await open({ mlflowUrl: 'http://127.0.0.1:9' });
  await trainCandidate(context, work, { ...quietBeat, workflowId });
  expect(logged.filter((line) => line.includes('learning curve'))).toHaveLength(1);
});
