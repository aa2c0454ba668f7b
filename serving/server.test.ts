import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { slateRecord } from '../models/contracts/slate.ts';
import { slotPropensities } from '../models/slate/explore.ts';
import { putDocument } from '../stores/blobs.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { type Serving, startServing } from './server.ts';
import { call, makeServedState, type ServedState, until } from './testing.ts';

let root: string;
let state: ServedState;
let serving: Serving;
const start = (over: Partial<Parameters<typeof startServing>[0]> = {}) =>
  startServing({
    stateDir: state.stateDir,
    port: 0,
    replica: 'r1',
    keys: [],
    adminKey: null,
    clock: Date.now,
    log: () => undefined,
    seed: 5,
    modelDeadlineMs: 2_000,
    ...over,
  });
const recommend = (body: Record<string, unknown>) => call(`${serving.url}/v1/recommend`, { surface: 'home', ...body });
const post = (events: unknown[]) => call(`${serving.url}/v1/events`, { events });
const event = (eventId: string, over: Record<string, unknown> = {}) => ({
  eventId,
  kind: 'click',
  surface: 'home',
  userId: 'ann',
  sessionId: 's1',
  itemId: 'i0012',
  atMs: Date.now(),
  ...over,
});
const records = async () =>
  (await openLogReader({ directory: join(state.stateDir, 'log', 'home', 'slates') }).tail({})).records.map((record) => slateRecord.parse(record));
const recordOf = (requestId: string) =>
  until(
    async () => (await records()).find((one) => one.requestId === requestId),
    (one) => one !== undefined,
  );

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-serving-'));
  // Every seventh item is sold out; what was bought is not shown again.
  state = await makeServedState({
    stateDir: root,
    charter: { repeatPolicy: 'exclude-purchased', exploration: { poolDepth: 30, challengerDepth: 5 } },
    catalog: (item, index) => ({ ...item, inStock: index % 7 !== 0 }),
  });
  await state.publish({ champion: await state.train('item-knn') });
  serving = await start();
});
afterAll(async () => {
  await serving?.close();
  await rm(root, { recursive: true, force: true });
});

describe('POST /v1/recommend', () => {
  it('answers a slate in scope, with a record that replays it', async () => {
    const { status, body, headers } = await recommend({
      sessionId: 'me',
      exclude: ['i0001'],
      context: {
        history: [
          { itemId: 'i0011', kind: 'click' },
          { itemId: 'i0013', kind: 'purchase' },
        ],
      },
    });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({ surface: 'home', variant: 'champion', generation: 1, rung: 'model', artifact: expect.stringMatching(/^sha256:/) });
    expect(body.items).toHaveLength(10);
    for (const { itemId } of body.items) expect(Number(itemId.slice(1)) % 7 !== 0 && itemId !== 'i0001' && itemId !== 'i0013').toBe(true);

    const record = await recordOf(body.requestId);
    expect(record).toMatchObject({ unit: 's:me', replica: 'r1', history: ['i0011', 'i0013'], historyWeights: [1, 4], enrolment: null, releaseId: null });
    expect(new Set(record?.excluded)).toEqual(new Set(['i0001', 'i0013']));
    expect(record?.items).toEqual(body.items.map((item: { itemId: string }) => item.itemId));
    const exploration = record?.exploration;
    if (!record || !exploration) throw new Error('The slate has no exploration');
    const lookup = slotPropensities({ exploration, size: 10 });
    for (const [slot, itemId] of record.items.entries()) expect(record.propensities?.[slot]).toBeCloseTo(lookup.marginal(itemId, slot), 9);
    expect(exploration.poolProbabilities.reduce((sum, value) => sum + value, 0) + exploration.floorItems * exploration.floorProbability).toBeCloseTo(1, 9);
  });

  it('remembers what a visitor did, from the first slate after the events', async () => {
    await post([event('h1', { userId: 'bea', itemId: 'i0030' }), event('h2', { userId: 'bea', itemId: 'i0031', kind: 'purchase' })]);
    const { body } = await recommend({ userId: 'bea' });
    expect(await recordOf(body.requestId)).toMatchObject({ unit: 'u:bea', history: ['i0030', 'i0031'], historyWeights: [1, 4], excluded: ['i0031'] });
  });

  it('takes the pipeline’s profiles', async () => {
    const blob = await putDocument(state.blobs, {
      dora: [
        ['i0041', 1],
        ['i0044', 4],
      ],
    });
    await state.generations.create('profiles/home', 1, { kind: 'profiles', blob });
    const ask = async () => recordOf((await recommend({ userId: 'dora' })).body.requestId);
    const record = await until(ask, (one) => (one?.history.length ?? 0) > 0);
    expect(record).toMatchObject({ history: ['i0041', 'i0044'], historyWeights: [1, 4], excluded: ['i0044'] });
  });

  it('is short with its reason, or empty, rather than illegal', async () => {
    const allowed = state.itemIds.filter((_, index) => index % 7 !== 0);
    const short = await recommend({ sessionId: 'me', exclude: allowed.slice(0, -3) });
    expect(short.body.items).toHaveLength(3);
    expect(short.body.reason).toMatch(/3 of 10/);
    const empty = await recommend({ sessionId: 'me', exclude: allowed });
    expect(empty).toMatchObject({ status: 200, body: { items: [], reason: expect.any(String) } });
    expect((await recommend({ sessionId: 'me', count: 100 })).body.items.length).toBe(allowed.length);
  });

  it('names every mistake, and unknown surfaces', async () => {
    const wrong = await recommend({ count: 0, exclude: [7], stranger: true });
    expect(wrong).toMatchObject({ status: 400, body: { code: 'UND-INPUT', type: 'urn:understudy:problem:UND-INPUT' } });
    expect(wrong.body.mistakes.length).toBe(3);
    expect(wrong.headers.get('content-type')).toBe('application/problem+json');
    expect(await recommend({ surface: 'nowhere' })).toMatchObject({ status: 404, body: { code: 'UND-UNKNOWN-SURFACE' } });
  });
});

describe('POST /v1/events', () => {
  it('answers each event, once and for all', async () => {
    const batch = [event('e1'), event('e2'), event('e1'), event('e3', { atMs: -1 }), 'nonsense', event('e4', { surface: 'nowhere' })];
    const { status, body } = await post(batch);
    expect(status).toBe(200);
    expect(body.results.map((one: { status: string }) => one.status)).toEqual(['accepted', 'accepted', 'duplicate', 'rejected', 'rejected', 'rejected']);
    expect(body.results[5].problem.code).toBe('UND-UNKNOWN-SURFACE');
    const again = await post(batch.slice(0, 2));
    expect(again.body).toMatchObject({ accepted: 0, duplicate: 2, rejected: 0 });
    const { records: logged } = await openLogReader({ directory: join(root, 'log', 'home', 'events') }).tail({});
    expect(logged.filter((one) => (one as { eventId: string }).eventId === 'e1')).toHaveLength(1);
  });

  it('takes an event that comes twice at once as one', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post([event('race')])));
    const statuses = answers.map(({ body }) => body.results[0].status).sort();
    expect(statuses).toEqual(['accepted', ...Array(7).fill('duplicate')]);
  });

  it('refuses what is malformed, too large or too many', async () => {
    const url = `${serving.url}/v1/events`;
    expect(await call(url, '{"events":[')).toMatchObject({ status: 400, body: { code: 'UND-JSON' } });
    expect(await call(url, '"\u00ff', { 'content-type': 'text/plain' })).toMatchObject({ status: 400, body: { code: 'UND-JSON' } });
    expect(await call(url, {})).toMatchObject({ status: 400, body: { code: 'UND-INPUT' } });
    expect(await call(url, { events: [] })).toMatchObject({ status: 400, body: { code: 'UND-INPUT' } });
    expect(await call(url, { events: Array(1_001).fill(event('x')) })).toMatchObject({ status: 400, body: { code: 'UND-INPUT' } });
    expect(await call(url, { events: ['x'.repeat(1_100_000)] })).toMatchObject({ status: 413, body: { code: 'UND-TOO-LARGE' } });
    expect(await post([event('e9', { surface: 'nowhere' })])).toMatchObject({ status: 404, body: { code: 'UND-UNKNOWN-SURFACE' } });
  });

  it('counts the bytes of a body whose length was not told', async () => {
    const { hostname, port } = new URL(serving.url);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write('POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let chunk = 0; chunk < 12; chunk += 1) socket.write(`20000\r\n${'x'.repeat(0x20000)}\r\n`);
      });
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        if (text.includes('}')) socket.destroy();
      });
      socket.on('close', () => resolve(text));
      // The tier ends the connection while the body still comes.
      socket.on('error', () => resolve(text));
      setTimeout(reject, 5_000, new Error('no answer')).unref();
    });
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });
});

describe('around it', () => {
  it('tells what is in force, and that it is alive and ready', async () => {
    expect(await call(`${serving.url}/v1/surfaces/home`)).toMatchObject({
      status: 200,
      body: { generation: 1, slateSize: 10, modelThreads: 1, refused: null },
    });
    expect(await call(`${serving.url}/v1/surfaces/nowhere`)).toMatchObject({ status: 404, body: { code: 'UND-UNKNOWN-SURFACE' } });
    expect(await call(`${serving.url}/livez`)).toMatchObject({ status: 200, body: { status: 'alive' } });
    expect(await call(`${serving.url}/readyz`)).toMatchObject({ status: 200, body: { status: 'ready', surfaces: { home: { generation: 1 } } } });
    const report = JSON.parse(await readFile(join(root, 'run', 'replicas', 'r1.json'), 'utf8'));
    expect(report).toMatchObject({ replica: 'r1', url: serving.url, pid: process.pid, surfaces: { home: { generation: 1 } } });
    expect((await call(`${serving.url}/metrics`)).body).toMatch(/understudy_slates_total\{surface="home",variant="champion",rung="model"\} \d+/);
  });

  it('documents every route that it has, from the schemas that check them', async () => {
    const { body } = await call(`${serving.url}/openapi.json`);
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/v1/recommend', '/v1/events', '/v1/surfaces/{surface}', '/v1/admin/seal', '/livez', '/readyz', '/metrics']),
    );
    expect(body.paths['/v1/recommend'].post.requestBody.content['application/json'].schema.properties.count).toMatchObject({ type: 'integer', maximum: 100 });
    for (const example of [body.paths['/v1/recommend'].post.requestBody.content['application/json'].example])
      expect((await recommend(example)).status).toBe(200);
    const page = await call(`${serving.url}/docs`);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.body).toContain('/v1/recommend');
    expect(page.body).not.toMatch(/(?:src|href)="https?:/);
  });

  it('says 404 and 405 as problems, and keeps the caller’s request id', async () => {
    expect(await call(`${serving.url}/nowhere`, undefined, { 'x-request-id': 'mine-1' })).toMatchObject({
      status: 404,
      body: { code: 'UND-NOT-FOUND', requestId: 'mine-1' },
    });
    const wrong = await call(`${serving.url}/v1/recommend`);
    expect(wrong).toMatchObject({ status: 405, body: { code: 'UND-METHOD' } });
    expect(wrong.headers.get('allow')).toBe('POST');
    expect((await call(`${serving.url}/livez`, undefined, { 'x-request-id': 'not sound' })).headers.get('x-request-id')).not.toBe('not sound');
    expect(await call(`${serving.url}/v1/surfaces/%E0%A4%A`)).toMatchObject({ status: 400, body: { code: 'UND-INPUT' } });
  });

  it('seals both logs for the pipeline', async () => {
    await recommend({ sessionId: 'me' });
    await post([event('sealed-1')]);
    const { status, body } = await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
    expect(status).toBe(200);
    expect(body.events.records).toBeGreaterThan(0);
    expect(body.slates.records).toBeGreaterThan(0);
    expect((await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).sealed()).at(-1)).toEqual(body.slates);
    expect(await call(`${serving.url}/v1/admin/seal`, { surface: 'home' })).toMatchObject({ status: 200, body: { events: null, slates: null } });
  });
});

describe('keys', () => {
  it('are asked for on /v1, and the admin’s on the admin routes', async () => {
    const guarded = await start({ replica: 'r2', keys: ['k1', 'k2'], adminKey: 'boss' });
    try {
      const ask = (key: string | null, path = '/v1/recommend') =>
        call(`${guarded.url}${path}`, { surface: 'home' }, key === null ? {} : { authorization: `Bearer ${key}` });
      expect(await ask(null)).toMatchObject({ status: 401, body: { code: 'UND-UNAUTHORIZED' } });
      expect((await ask('k3')).status).toBe(401);
      for (const key of ['k1', 'k2', 'boss']) expect((await ask(key)).status).toBe(200);
      expect((await ask('k1', '/v1/admin/seal')).status).toBe(401);
      expect((await ask('boss', '/v1/admin/seal')).status).toBe(200);
      expect((await call(`${guarded.url}/livez`)).status).toBe(200);
    } finally {
      await guarded.close();
    }
  });

  it('are needed beyond this machine', async () => {
    await expect(start({ replica: 'r3', host: '0.0.0.0' })).rejects.toMatchObject({ code: 'UND-ENVIRONMENT' });
    const open = await start({ replica: 'r3', host: '0.0.0.0', keys: ['k1'] });
    const seal = await call(`${open.url}/v1/admin/seal`, { surface: 'home' }, { authorization: 'Bearer k1' });
    await open.close();
    expect(seal.status).toBe(401);
  });
});

it('knows again after a restart what it acknowledged, and takes its report away at the end', async () => {
  await post([event('kept', { userId: 'cleo', itemId: 'i0050' })]);
  await serving.close();
  expect(await readdir(join(root, 'run', 'replicas'))).toEqual([]);
  serving = await start();
  expect((await post([event('kept')])).body.results[0].status).toBe('duplicate');
  const { body } = await recommend({ userId: 'cleo' });
  expect((await recordOf(body.requestId))?.history).toEqual(['i0050']);
});
