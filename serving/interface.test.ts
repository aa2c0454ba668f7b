import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { slateRecord } from '../models/contracts/slate.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { problemResponse } from './http/problem-response.ts';
import { openApiDocument } from './openapi.ts';
import { routeList } from './routes/table.ts';
import type { Serving } from './server.ts';
import { call, canaryOf, makeServedState, startReplica, until } from './testing.ts';

let root: string;
let serving: Serving;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-interface-'));
  const state = await makeServedState({ stateDir: root });
  const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
  await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 0.3 }) });
  serving = await startReplica(root);
});
afterAll(async () => {
  await serving.close();
  await rm(root, { recursive: true, force: true });
});
const event = (over: Record<string, unknown> = {}) => ({ eventId: 'e1', kind: 'click', surface: 'home', sessionId: 's', itemId: 'i0012', atMs: 1, ...over });

describe('the interface document', () => {
  /** The shape of an OpenAPI 3.1 document as far as this one goes: nothing is in it that the specification does not know. */
  const schema = z.looseObject({});
  const content = z.record(z.string().regex(/^\w+\/[\w+.-]+$/), z.strictObject({ schema, example: z.unknown().optional() }));
  const operation = z.strictObject({
    operationId: z.string(),
    summary: z.string().min(1),
    description: z.string(),
    parameters: z.array(z.strictObject({ name: z.string(), in: z.enum(['path', 'query', 'header', 'cookie']), required: z.literal(true), schema })).optional(),
    security: z.array(z.record(z.string(), z.array(z.string()))),
    requestBody: z.strictObject({ required: z.boolean(), content }).optional(),
    responses: z.record(z.string().regex(/^(?:[1-5]\d\d|default)$/), z.strictObject({ description: z.string().min(1), content })),
  });
  const document = z.strictObject({
    openapi: z.string().regex(/^3\.1\.\d+$/),
    info: z.strictObject({
      title: z.string(),
      version: z.string(),
      description: z.string(),
      license: z.strictObject({ name: z.string(), identifier: z.string() }),
    }),
    servers: z.array(z.strictObject({ url: z.url() })),
    paths: z.record(z.string().regex(/^\//), z.partialRecord(z.enum(['get', 'post']), operation)),
    components: z.strictObject({
      securitySchemes: z.record(z.string(), z.strictObject({ type: z.literal('http'), scheme: z.literal('bearer'), description: z.string() })),
      schemas: z.record(z.string(), schema),
    }),
  });
  const read = async () => document.parse((await call(`${serving.url}/openapi.json`)).body);

  it('has the shape of OpenAPI 3.1, its references lead somewhere, its names are unique, its path parameters are declared', async () => {
    const parsed = await read();
    const text = JSON.stringify(parsed);
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) expect(parsed.components.schemas).toHaveProperty(name as string);
    expect(text).not.toMatch(/"\$ref":"(?!#\/components\/schemas\/)/);
    const operations = Object.entries(parsed.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((one) => ({ path, ...(one as z.infer<typeof operation>) })),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, parameters = [], responses, security } of operations) {
      expect(parameters.map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      for (const scheme of security.flatMap(Object.keys)) expect(parsed.components.securitySchemes).toHaveProperty(scheme);
      for (const media of Object.values(responses[200]?.content ?? {})) expect(Object.keys(media.schema).length).toBeGreaterThan(0);
    }
    const statusesOf = (path: string, method: 'get' | 'post') => Object.keys(parsed.paths[path]?.[method]?.responses ?? {});
    expect(statusesOf('/v1/events', 'post')).toEqual(['200', '400', '404', '413', '503', 'default']);
    expect(statusesOf('/v1/admin/seal', 'post')).toEqual(['200', '400', '404', '413', '503', 'default']);
    expect(statusesOf('/readyz', 'get')).toEqual(['200', '503', 'default']);
  });

  it('asks for a key exactly where the tier does', () => {
    const securityOf = (locks: { key: boolean; admin: boolean }) => {
      const { paths } = document.parse(openApiDocument({ version: '0', url: 'http://127.0.0.1:1', locks }));
      return [paths['/v1/recommend']?.post?.security, paths['/v1/admin/seal']?.post?.security, paths['/livez']?.get?.security];
    };
    expect(securityOf({ key: false, admin: false })).toEqual([[], [], []]);
    expect(securityOf({ key: true, admin: true })).toEqual([[{ key: [] }, { admin: [] }], [{ admin: [] }], []]);
  });

  it('tells what the routes answer', async () => {
    const answers = {
      '/v1/recommend': await call(`${serving.url}/v1/recommend`, { surface: 'home', userId: 'ann' }),
      '/v1/events': await call(`${serving.url}/v1/events`, { events: [event(), { eventId: 'bad' }] }),
      '/v1/surfaces/:surface': await call(`${serving.url}/v1/surfaces/home`),
      '/v1/admin/seal': await call(`${serving.url}/v1/admin/seal`, { surface: 'home' }),
      '/livez': await call(`${serving.url}/livez`),
      '/readyz': await call(`${serving.url}/readyz`),
    };
    for (const [path, { status, body }] of Object.entries(answers)) {
      expect([path, status]).toEqual([path, 200]);
      routeList.find((route) => route.path === path)?.answer.schema?.parse(body);
    }
  });
});

describe('what is refused', () => {
  /** Sends bytes as they are. */
  const raw = (text: string) =>
    new Promise<string>((resolve) => {
      let answer = '';
      const { hostname, port } = new URL(serving.url);
      const socket = connect(Number(port), hostname, () => socket.write(text));
      socket.on('data', (bytes) => {
        answer += bytes.toString();
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', () => resolve(answer));
    });

  it('is a problem also where it is no HTTP, or OPTIONS', async () => {
    const problemOf = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    const garbage = await raw('GARBAGE\r\n\r\n');
    expect(garbage).toMatch(/^HTTP\/1.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/);
    expect(problemOf(garbage)).toMatchObject({ status: 400, code: 'UND-INPUT' });
    expect(problemOf(await raw(`GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`))).toMatchObject({ status: 413, code: 'UND-TOO-LARGE' });
    const options = await fetch(`${serving.url}/v1/recommend`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow'), options.headers.get('content-type')]).toEqual([405, 'POST', 'application/problem+json']);
    expect((await fetch(`${serving.url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404);
    expect((await call(`${serving.url}/v1/recommend`, '{"surface":"home"}', { 'content-type': 'application/json-nonsense' })).status).toBe(400);
    expect((await call(`${serving.url}/v1/recommend`, '{"surface":"home"}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
  });

  it('names twenty mistakes and counts the others', async () => {
    const strange = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`stranger${index}`, 1]));
    const { body } = await call(`${serving.url}/v1/events`, { events: [{ ...event(), ...strange }] });
    expect(body.results[0].problem.mistakes).toHaveLength(20);
    expect(body.results[0].problem.moreMistakes).toBe(4_980);
    const whole = await call(`${serving.url}/v1/recommend`, { surface: 'home', ...strange });
    expect([whole.status, whole.body.mistakes.length, whole.body.moreMistakes]).toEqual([400, 20, 4_980]);
    expect(JSON.stringify(whole.body).length).toBeLessThan(6_000);
  });

  it('is logged from where it was thrown, when it broke inside', () => {
    const lines: string[] = [];
    const deepInside = () => {
      throw new TypeError('no such thing');
    };
    try {
      deepInside();
    } catch (error) {
      const response = { headersSent: false, getHeader: () => 'r1', setHeader: () => undefined, writeHead: () => undefined, end: () => undefined };
      problemResponse({ log: (line) => lines.push(line) })(error, {} as never, response as never, () => undefined);
    }
    expect(lines[0]).toMatch(/^r1: TypeError: no such thing\n.*deepInside/);
  });
});

it('records how many items were asked for and the share that was in force', async () => {
  const { body } = await call(`${serving.url}/v1/recommend`, { surface: 'home', userId: 'bob', count: 3 });
  const records = async () => (await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({})).records.map((one) => slateRecord.parse(one));
  const record = await until(
    async () => (await records()).find(({ requestId }) => requestId === body.requestId),
    (one) => one !== undefined,
  );
  expect(record).toMatchObject({ count: 3, share: 0.3, items: { length: 3 } });
});

it('drains: says so while it still answers, ends each connection with its answer, and resets none', async () => {
  const draining = await startReplica(root, { replica: 'r2', drainGraceMs: 1_500 });
  const { hostname, port } = new URL(draining.url);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const body = JSON.stringify({ surface: 'home', sessionId: 'me' });
  const ask = () =>
    new Promise<{ status: number | string; connection: string }>((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const request = httpRequest({ hostname, port, path: '/v1/recommend', method: 'POST', agent, headers }, (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection ?? '' }));
      });
      request.on('error', (error: NodeJS.ErrnoException) => resolve({ status: error.code ?? error.message, connection: '' }));
      request.end(body);
    });
  const answers: Awaited<ReturnType<typeof ask>>[] = [];
  let sending = true;
  const visitors = Array.from({ length: 8 }, async () => {
    while (sending) answers.push(await ask());
  });
  await until(
    () => answers.length,
    (count) => count > 50,
  );
  const closing = draining.close();
  // As a balancer does: it asks on a connection of its own, and turns away.
  const seen = await until(
    () => call(`${draining.url}/readyz`, undefined, { connection: 'close' }),
    ({ status }) => status === 503,
  );
  expect(seen.body.status).toBe('draining');
  const before = answers.length;
  await until(
    () => answers.length,
    (count) => count > before + 16,
  );
  sending = false;
  await Promise.all([closing, ...visitors]);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(answers.slice(-8).map(({ connection }) => connection)).toEqual(Array(8).fill('close'));
  agent.destroy();
});
