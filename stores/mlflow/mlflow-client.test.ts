import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, inject, it } from 'vitest';
import { createMlflow } from './mlflow-client.ts';

const mlflow = createMlflow({ trackingUri: inject('mlflowUrl') });
const artifact = `sha256:${'e'.repeat(64)}`;
const newKey = () => `retrain/home/${randomUUID()}`;

describe('the MLflow client, on a real server', () => {
  it('finds its run again by key, and logs the same thing twice without harm', async () => {
    const key = newKey();
    const create = () => mlflow.findOrCreateRun({ experiment: 'client-test', key, name: 'ials', tags: { 'understudy.surface': 'home' } });
    const run = await create();
    expect((await create()).runId).toBe(run.runId);
    const tagged = await mlflow.findOrCreateRun({ experiment: 'client-test', key, name: 'ials', tags: { 'understudy.intent': 'refresh' } });
    expect(tagged.runId).toBe(run.runId);
    const params = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`p${index}`, String(index)]));
    for (const _ of [1, 2]) {
      await mlflow.logParams({ runId: run.runId, params });
      await mlflow.logMetrics({ runId: run.runId, metrics: { ndcg_at_10: 0.25 }, atMs: run.startedAtMs });
    }
    await mlflow.endRun({ runId: run.runId, status: 'FINISHED' });
    const read = await mlflow.readRun({ runId: run.runId });
    expect(Object.keys(read.params)).toHaveLength(150);
    expect(read).toMatchObject({
      metrics: { ndcg_at_10: 0.25 },
      tags: { 'understudy.key': key, 'understudy.surface': 'home', 'understudy.intent': 'refresh' },
      status: 'FINISHED',
    });
  });

  it("refuses another value for a param, with the server's own words and no retry", async () => {
    const run = await mlflow.findOrCreateRun({ experiment: 'client-test', key: newKey(), name: 'x' });
    await mlflow.logParams({ runId: run.runId, params: { factors: '64' } });
    await expect(mlflow.logParams({ runId: run.runId, params: { factors: '32' } })).rejects.toMatchObject({
      code: 'UND-MLFLOW',
      message: expect.stringContaining('factors'),
    });
  });

  it('stores artifacts byte for byte', async () => {
    const run = await mlflow.findOrCreateRun({ experiment: 'client-test', key: newKey(), name: 'x' });
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    await mlflow.uploadArtifact({ runId: run.runId, path: 'model/recommend.onnx', bytes });
    expect(Buffer.compare(await mlflow.downloadArtifact({ runId: run.runId, path: 'model/recommend.onnx' }), bytes)).toBe(0);
  });

  it('makes one version an artifact, and moves aliases', async () => {
    const model = `m-${randomUUID()}`;
    const run = await mlflow.findOrCreateRun({ experiment: 'client-test', key: newKey(), name: 'x' });
    for (const _ of [1, 2]) await mlflow.createRegisteredModel({ model });
    expect(await mlflow.getByAlias({ model, alias: 'champion' })).toBeUndefined();
    const versions = [];
    for (const _ of [1, 2]) versions.push(await mlflow.createModelVersion({ model, runId: run.runId, path: 'model', artifact }));
    expect(versions[0]).toEqual(versions[1]);
    const version = versions[0]?.version ?? '';
    await mlflow.setAlias({ model, alias: 'champion', version });
    await mlflow.setVersionTag({ model, version, key: 'understudy.outcome', value: 'promoted' });
    expect(await mlflow.getByAlias({ model, alias: 'champion' })).toMatchObject({ version, artifact });
    for (const _ of [1, 2]) await mlflow.deleteAlias({ model, alias: 'champion' });
    expect(await mlflow.getByAlias({ model, alias: 'champion' })).toBeUndefined();
  });

  it("gives a coded error when a proxy answers in the server's place", async () => {
    const proxy = createServer((_request, response) => response.end('<html>starting</html>')).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    try {
      const { port } = proxy.address() as AddressInfo;
      const behind = createMlflow({ trackingUri: `http://127.0.0.1:${port}`, retryForMs: 150 });
      await expect(behind.createRegisteredModel({ model: 'm' })).rejects.toMatchObject({ code: 'UND-MLFLOW', message: expect.stringContaining('starting') });
    } finally {
      proxy.close();
    }
  });

  it('gives a coded error, without the token, when nobody answers', async () => {
    const nobody = createMlflow({ trackingUri: 'http://127.0.0.1:9', token: 'secret-token', retryForMs: 150 });
    const error = await nobody.createRegisteredModel({ model: 'm' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UND-MLFLOW' });
    expect(String((error as Error).stack)).not.toContain('secret-token');
  });
});
