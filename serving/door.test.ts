import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseInteraction, parseLogged, publishedSchemas } from '../models/contracts/event-schemas.ts';
import { createPseudonyms } from '../models/contracts/pseudonyms.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { type Serving, startServing } from './server.ts';
import { call, makeServedState, type ServedState } from './testing.ts';

let root: string;
let state: ServedState;
let serving: Serving;
const nowMs = Date.UTC(2026, 2, 2, 10);
const start = () =>
  startServing({ stateDir: root, port: 0, replica: 'r1', keys: [], adminKey: null, clock: () => nowMs, log: () => undefined, modelDeadlineMs: 2_000 });
const post = (...events: unknown[]) => call(`${serving.url}/v1/events`, { events });
const click = (eventId: string, over: Record<string, unknown> = {}) => ({
  schemaVersion: 2,
  eventId,
  kind: 'click',
  surface: 'home',
  sessionId: 's1',
  itemId: 'i0012',
  atMs: nowMs,
  ...over,
});
const logged = async () => (await openLogReader({ directory: join(root, 'log', 'home', 'events') }).tail({})).records;
const historyOf = async (who: Record<string, unknown>) => {
  const { requestId } = (await call(`${serving.url}/v1/recommend`, { surface: 'home', ...who })).body as { requestId: string };
  await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
  const slates = (await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({})).records as { requestId: string; history: string[] }[];
  return slates.find((slate) => slate.requestId === requestId)?.history;
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-door-'));
  state = await makeServedState({
    stateDir: root,
    charter: {
      scope: { itemIdPattern: '^i' },
      data: { recordRules: { 'bot-rate': { action: 'quarantine', limit: 20 }, 'unknown-item': 'quarantine', 'before-impression': 'warn' } },
    },
  });
  await state.publish({ champion: await state.train('item-knn') });
  serving = await start();
});
afterAll(async () => {
  await serving.close();
  await rm(root, { recursive: true, force: true });
});

describe('the door for events', () => {
  it('takes every kind of every version, and says when it came in', async () => {
    const change = { surface: 'home', atMs: nowMs - 1_000 };
    const { body } = await post(
      click('k1', { schemaVersion: 1, userId: 'kim' }),
      click('k2', { deviceId: 'd1' }),
      { kind: 'catalog', eventId: 'k3', itemId: 'i0001', priceMinor: 450, ...change },
      { kind: 'profile', eventId: 'k4', userId: 'kim', attributes: { tier: 'gold' }, ...change },
      { kind: 'consent', eventId: 'k5', userId: 'kim', purposes: { training: false }, ...change },
      { kind: 'login', eventId: 'k6', userId: 'kim', sessionId: 's1', ...change },
      { kind: 'catalog', eventId: 'k3', itemId: 'i0001', priceMinor: 450, ...change },
      click('k7', { schemaVersion: 9 }),
    );
    expect(body).toMatchObject({ accepted: 6, duplicate: 1, quarantined: 0, rejected: 1 });
    const records = (await logged()).map((record) => parseLogged(record));
    expect(records.filter((record) => record?.eventId.startsWith('k')).map((record) => [record?.eventId, record?.receivedAtMs])).toEqual(
      ['k1', 'k2', 'k3', 'k4', 'k5', 'k6'].map((eventId) => [eventId, nowMs]),
    );
  });

  it('puts aside what breaks a record rule, keeps it, and learns nothing from it', async () => {
    const { body } = await post(
      click('q1', { atMs: nowMs + 3_600_001, userId: 'quinn' }),
      click('q2', { itemId: 'i9999', userId: 'quinn' }),
      click('q3', { itemId: 'POST', userId: 'quinn' }),
      click('q4', { userId: 'quinn', itemId: 'i0002' }),
    );
    expect(body).toMatchObject({
      accepted: 1,
      quarantined: 3,
      results: [{ reason: 'in-the-future' }, { reason: 'unknown-item' }, { reason: 'out-of-scope-code' }, { status: 'accepted' }],
    });
    expect(await historyOf({ userId: 'quinn' })).toEqual(['i0002']);
    const records = (await logged()).filter((record) => (record as { eventId: string }).eventId.startsWith('q'));
    expect(records.length).toBe(4);
    expect(records.flatMap((record) => parseInteraction(record)?.eventId ?? [])).toEqual(['q4']);
    expect((await post(click('q1', { atMs: nowMs + 3_600_001, userId: 'quinn' }))).body).toMatchObject({ duplicate: 1 });
  });

  it('knows a visitor who does too much in a minute, from the event behind the limit on', async () => {
    const { body } = await post(...Array.from({ length: 30 }, (_, nth) => click(`b${nth}`, { userId: 'bot' })), click('b-other', { userId: 'human' }));
    expect(body).toMatchObject({ accepted: 21, quarantined: 10 });
    expect((body as { results: { reason?: string }[] }).results.slice(20, 30).every(({ reason }) => reason === 'bot-rate')).toBe(true);
  });

  it('only counts what a rule warns of', async () => {
    const own = { userId: 'wes', requestId: 'w' };
    expect((await post(click('w1', { ...own, kind: 'impression' }), click('w2', { ...own, atMs: nowMs - 5 }))).body).toMatchObject({ accepted: 2 });
    const metrics = await (await fetch(`${serving.url}/metrics`)).text();
    expect(metrics).toMatch(/understudy_rule_warnings_total\{surface="home",rule="before-impression"\} 1/);
  });

  it('gives a user what the session did before: by a login, by an event of the user, and after a restart', async () => {
    await post(click('m1', { sessionId: 'm', itemId: 'i0003' }), click('m2', { sessionId: 'm', itemId: 'i0004', atMs: nowMs + 1 }));
    expect(await historyOf({ userId: 'mo' })).toEqual([]);
    await post({ kind: 'login', eventId: 'm3', surface: 'home', atMs: nowMs + 2, userId: 'mo', sessionId: 'm' });
    expect(await historyOf({ userId: 'mo' })).toEqual(['i0003', 'i0004']);
    await post(click('n1', { sessionId: 'n', itemId: 'i0005' }), click('n2', { sessionId: 'n', userId: 'nia', itemId: 'i0006', atMs: nowMs + 1 }));
    expect(await historyOf({ userId: 'nia' })).toEqual(['i0005', 'i0006']);
    await serving.close();
    serving = await start();
    expect(await historyOf({ userId: 'mo' })).toEqual(['i0003', 'i0004']);
    expect(await historyOf({ userId: 'nia' })).toEqual(['i0005', 'i0006']);
    expect((await post(click('m1', { sessionId: 'm', itemId: 'i0003' }))).body).toMatchObject({ duplicate: 1 });
  });
});

describe('what a person allows', () => {
  const says = (eventId: string, userId: string, purposes: Record<string, boolean>, atMs = nowMs) => ({
    kind: 'consent',
    eventId,
    surface: 'home',
    atMs,
    userId,
    purposes,
  });
  const recordOf = async (requestId: string) => {
    await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
    const slates = (await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({})).records as {
      requestId: string;
      unit: string;
      userId?: string;
      history: string[];
    }[];
    return slates.find((slate) => slate.requestId === requestId);
  };

  it('holds at once, and after a restart: nobody is known who does not want to be', async () => {
    await post(click('a1', { userId: 'pat', sessionId: 'pat-s', itemId: 'i0002' }));
    expect(await historyOf({ userId: 'pat' })).toEqual(['i0002']);
    await post(says('a2', 'pat', { personalization: false }, nowMs - 10));
    expect((await post(click('a3', { userId: 'pat', sessionId: 'pat-s', itemId: 'i0003' }))).body).toMatchObject({ accepted: 1 });
    for (const again of [false, true]) {
      if (again) {
        await serving.close();
        serving = await start();
      }
      const asked = { surface: 'home', userId: 'pat', sessionId: 'pat-s', context: { history: [{ itemId: 'i0004' }] } };
      const { requestId } = (await call(`${serving.url}/v1/recommend`, asked)).body as { requestId: string };
      const record = await recordOf(requestId);
      expect(record).toMatchObject({ history: [] });
      expect(JSON.stringify(record)).not.toContain('pat');
    }
    await post(says('a4', 'pat', { personalization: true }));
    await post(click('a5', { userId: 'pat', sessionId: 'pat-s', itemId: 'i0005' }));
    expect(await historyOf({ userId: 'pat' })).toEqual(expect.arrayContaining(['i0005']));
  });

  it('holds for a device, whoever sits before it, and for a session that was served by another replica', async () => {
    await post(click('d1', { userId: 'dee', deviceId: 'tablet', itemId: 'i0002' }));
    await post({ kind: 'consent', eventId: 'd2', surface: 'home', atMs: nowMs, deviceId: 'tablet', purposes: { personalization: false } });
    await post({ kind: 'consent', eventId: 'd3', surface: 'home', atMs: nowMs, sessionId: 'dee-s', purposes: { personalization: false } });
    for (const again of [false, true]) {
      if (again) {
        await serving.close();
        serving = await start();
      }
      for (const [where, known] of [
        [{ deviceId: 'tablet' }, false],
        [{ sessionId: 'dee-s' }, false],
        [{ deviceId: 'another' }, true],
      ] as const) {
        const asked = { surface: 'home', userId: 'dee', ...where, context: { history: [{ itemId: 'i0004', kind: 'click' }] } };
        const { requestId } = (await call(`${serving.url}/v1/recommend`, asked)).body as { requestId: string };
        const record = await recordOf(requestId);
        expect(record?.history, JSON.stringify(where)).toEqual(known ? ['i0004'] : []);
        expect(JSON.stringify(record).includes('dee')).toBe(known);
        expect(JSON.stringify(record)).not.toContain('another');
      }
    }
  });

  it('leaves nothing on disk of one who allows nothing', async () => {
    await post(says('n-no', 'nobody', { personalization: false, training: false }));
    expect((await post(click('n-1', { userId: 'nobody' }), click('n-2', { userId: 'somebody' }))).body).toMatchObject({
      accepted: 1,
      withheld: 1,
      results: [{ status: 'withheld' }, { status: 'accepted' }],
    });
    const kinds = (await logged()).filter((record) => (record as { userId?: string }).userId === 'nobody').map((record) => (record as { kind: string }).kind);
    expect(kinds).toEqual(['consent']);
  });
});

describe('the schemas of events', () => {
  it('are listed, and each can be had', async () => {
    const { schemas } = (await call(`${serving.url}/v1/schemas`)).body as { schemas: { name: string; version: number; path: string }[] };
    expect(schemas.length).toBe(publishedSchemas.length);
    for (const { name, version, path } of schemas) {
      const answer = await fetch(`${serving.url}${path}`);
      expect(answer.headers.get('content-type')).toMatch('application/schema+json');
      expect(await answer.json()).toMatchObject({ $id: `/v1/schemas/${name}/${version}`, properties: { kind: { const: name } } });
    }
  });

  it.each(['click/3', 'nothing/1', 'click/1e0', '__proto__/1', 'click/1/2'])('of %s there is none', async (path) => {
    expect(await call(`${serving.url}/v1/schemas/${path}`)).toMatchObject({ status: 404, body: { code: 'UND-NOT-FOUND' } });
  });
});

describe('a surface that knows people by pseudonyms', () => {
  const key = 'a key of at least thirty-two characters';
  const begin = async (stateDir: string, pseudonymKey: string | null) =>
    startServing({
      stateDir,
      port: 0,
      replica: 'r1',
      keys: [],
      adminKey: null,
      pseudonymKey,
      clock: () => nowMs,
      log: () => undefined,
      modelDeadlineMs: 2_000,
    });

  it('writes them and no ids, knows everybody by them, and serves with no other key', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'understudy-door-'));
    const keyed = await makeServedState({ stateDir: folder, charter: { identity: { pseudonyms: 'keyed' } } });
    await keyed.publish({ champion: await keyed.train('item-knn') });
    const tier = await begin(folder, key);
    const ids = ['customer-77', 'phone-77', 'session-77'];
    try {
      const who = { userId: 'customer-77', sessionId: 'session-77' };
      await call(`${tier.url}/v1/events`, { events: [click('p1', { ...who, deviceId: 'phone-77', itemId: 'i0002' })] });
      const slate = await call(`${tier.url}/v1/recommend`, { surface: 'home', ...who, deviceId: 'phone-77' });
      expect(slate.status).toBe(200);
      // By the device's pseudonym, too, it is known what it allows.
      const denial = { kind: 'consent', eventId: 'p0', surface: 'home', atMs: nowMs, deviceId: 'shared-77', purposes: { personalization: false } };
      await call(`${tier.url}/v1/events`, { events: [denial] });
      const nobody = await call(`${tier.url}/v1/recommend`, { surface: 'home', ...who, deviceId: 'shared-77' });
      await call(`${tier.url}/v1/admin/seal`, { surface: 'home' });
      const [event] = (await openLogReader({ directory: join(folder, 'log', 'home', 'events') }).tail({})).records;
      const [record, unknown] = (await openLogReader({ directory: join(folder, 'log', 'home', 'slates') }).tail({})).records;
      expect(unknown).toMatchObject({ requestId: (nobody.body as { requestId: string }).requestId, history: [] });
      expect(JSON.stringify(unknown)).not.toContain(createPseudonyms(key).of('customer-77'));
      const { of } = createPseudonyms(key);
      expect(event).toMatchObject({ userId: of('customer-77'), deviceId: of('phone-77'), sessionId: of('session-77') });
      expect(record).toMatchObject({ unit: `u:${of('customer-77')}`, userId: of('customer-77'), sessionId: of('session-77'), history: ['i0002'] });
      for (const id of ids) expect(JSON.stringify([event, record, slate])).not.toContain(id);
    } finally {
      await tier.close();
    }
    for (const wrong of [null, `${key}!`]) {
      const refusing = await begin(folder, wrong);
      try {
        expect((await call(`${refusing.url}/readyz`)).status).toBe(503);
        expect(await call(`${refusing.url}/v1/events`, { events: [click('p2')] })).toMatchObject({ status: 404, body: { code: 'UND-UNKNOWN-SURFACE' } });
        expect(JSON.stringify((await call(`${refusing.url}/readyz`)).body)).toContain('UND-PSEUDONYM-KEY');
      } finally {
        await refusing.close();
      }
    }
    await rm(folder, { recursive: true, force: true });
  });
});
