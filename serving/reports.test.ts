import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filedReport, type Report, reportAnswer } from '../models/contracts/escalation.ts';
import { createPseudonyms } from '../models/contracts/pseudonyms.ts';
import { reportSeries } from '../stores/reports.ts';
import { readServingEnvironment } from './environment.ts';
import { createRateLimit } from './rate-limit.ts';
import { makeServedState, openReplicas, call, type ServedState } from './testing.ts';

let root: string;
let state: ServedState;
const replicas = openReplicas(() => root);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-reports-'));
});
afterEach(async () => {
  await replicas.close();
  await rm(root, { recursive: true, force: true });
});

const served = async (charter = {}): Promise<void> => {
  state = await makeServedState({ stateDir: root, charter });
  await state.publish({ champion: await state.train('popularity') });
};
const request = { surface: 'home', about: { of: 'item', itemId: 'i0001' }, kind: 'harmful', words: 'It cut me.', reporter: { userId: 'ann' } };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

it('a report is on disk before it is answered, outlives the replica, and its reporter is told how it stands and nothing else', async () => {
  await served();
  const first = await replicas.start();
  const { status, headers, body } = await call(`${first.url}/v1/reports`, request);
  expect(status).toBe(202);
  expect(headers.get('location')).toBe(`/v1/reports/${body.id}`);
  expect(Object.keys(body)).toEqual(['id', 'link']);
  const path = join(root, 'reports', 'home', `${body.id}.json`);
  const filed = filedReport.parse(JSON.parse(await readFile(path, 'utf8')));
  expect(filed).toMatchObject({ id: body.id, words: 'It cut me.', severity: null, reporter: { userId: 'ann' } });
  expect(((await stat(join(root, 'reports'))).mode & 0o777).toString(8)).toBe('700');
  // Severity is for the house to say.
  expect((await call(`${first.url}/v1/reports`, { ...request, severity: 'critical' })).body).toMatchObject({ code: 'UND-INPUT' });
  await replicas.close();
  const second = await replicas.start({ replica: 'r2' });
  const asked = await call(`${second.url}${body.link}`);
  expect(asked).toMatchObject({ status: 200, body: { id: body.id, state: 'received', outcome: null } });
  reportAnswer.parse(asked.body);
  const sent = { ...request, operationId: 'form-1' };
  const [one, two] = [await call(`${second.url}/v1/reports`, sent), await call(`${second.url}/v1/reports`, sent)];
  expect(two.body).toEqual(one.body);
});

it('keys for reports alone open reports, and nothing else', async () => {
  await served();
  const { url } = await replicas.start({ keys: ['a-key'], reporterKeys: ['of-a-form'], adminKey: 'the-admin' });
  expect((await call(`${url}/v1/reports`, request)).status).toBe(401);
  expect((await call(`${url}/v1/reports`, request, bearer('another'))).body).toMatchObject({ code: 'UND-UNAUTHORIZED' });
  for (const key of ['of-a-form', 'a-key', 'the-admin']) {
    const { status, body } = await call(`${url}/v1/reports`, request, bearer(key));
    expect(status).toBe(202);
    expect((await call(`${url}${body.link}`, undefined, bearer(key))).status).toBe(200);
    expect((await call(`${url}${body.link}`)).status).toBe(401);
  }
  expect((await call(`${url}/v1/recommend`, { surface: 'home', sessionId: 's' }, bearer('of-a-form'))).status).toBe(401);
  expect((await call(`${url}/v1/admin/seal`, { surface: 'home' }, bearer('of-a-form'))).status).toBe(401);
  const document = (await call(`${url}/openapi.json`)).body.paths['/v1/reports'].post;
  expect(document.security).toEqual([{ reporter: [] }, { key: [] }, { admin: [] }]);
  expect(Object.keys(document.responses)).toEqual(['202', '400', '401', '404', '413', '429', '503', 'default']);
  expect((await call(`${url}/docs`)).body).toContain('or one for reports alone');
  expect(readServingEnvironment({ UNDERSTUDY_REPORTER_KEYS: 'a, b' }).reporterKeys).toEqual(['a', 'b']);
});

it('what is no report is refused with a code', async () => {
  await served();
  const { url } = await replicas.start();
  const refused: [string, object | string][] = [
    ['UND-INPUT', { ...request, about: { of: 'item' } }],
    ['UND-INPUT', { ...request, about: { of: 'item', itemId: 'i1', requestId: 'q' } }],
    ['UND-INPUT', { ...request, about: { of: 'pattern', pattern: '  ' } }],
    ['UND-INPUT', { ...request, kind: 'boring' }],
    ['UND-INPUT', { ...request, words: 'w'.repeat(4_001) }],
    ['UND-TOO-LARGE', { ...request, words: 'w'.repeat(20_000) }],
    ['UND-UNKNOWN-SURFACE', { ...request, surface: 'nowhere' }],
    ['UND-JSON', '{"surface":'],
  ];
  for (const [code, body] of refused) expect((await call(`${url}/v1/reports`, body)).body, JSON.stringify(body).slice(0, 100)).toMatchObject({ code });
});

it('an id that nobody has, or that is none, is not there', async () => {
  await served();
  const { url } = await replicas.start();
  for (const id of [`r-${'0'.repeat(32)}`, 'r-1', '..%2F..%2Fdeployment', '%00'])
    expect((await call(`${url}/v1/reports/${id}`)).body).toMatchObject({ status: 404, code: 'UND-NOT-FOUND' });
});

it('whoever has the admin key sees what waits for an answer, without what was said', async () => {
  await served();
  const { url } = await replicas.start({ keys: ['a-key'], reporterKeys: ['of-a-form'], adminKey: 'the-admin' });
  const id = `r-${'1'.repeat(32)}`;
  const times = { filedAtMs: 1, openedAtMs: 2, acknowledgedAtMs: null, closedAtMs: null, acknowledgeByMs: 3, resolveByMs: 4 };
  const open: Report = {
    ...{
      kind: 'report',
      id,
      surface: 'home',
      generation: 1,
      about: { of: 'pattern' },
      reportKind: 'unfair',
      severity: 'medium',
      text: `sha256:${'0'.repeat(64)}`,
    },
    ...{ state: 'open', duplicateOf: null, caseId: null, count: null, block: { state: 'none' }, owner: 'ann', level: 0, ...times, missed: 0, outcome: null },
    steps: [{ atMs: 2, by: 'escalation', what: 'opened', why: 'w', operation: null }],
  };
  const over: Report = { ...open, id: `r-${'2'.repeat(32)}`, state: 'resolved', closedAtMs: 9, outcome: 'done' };
  for (const one of [open, over]) await state.generations.create(reportSeries(one), 1, one);
  expect((await call(`${url}/v1/admin/reports`, undefined, bearer('the-admin'))).body).toEqual({ reports: [open] });
  for (const key of ['a-key', 'of-a-form']) expect((await call(`${url}/v1/admin/reports`, undefined, bearer(key))).status).toBe(401);
  expect((await call(`${url}/v1/reports/${over.id}`, undefined, bearer('of-a-form'))).body).toEqual({ id: over.id, state: 'resolved', outcome: 'done' });
});

it('one person cannot flood, nor one key; others go on', async () => {
  await served();
  let nowMs = Date.now();
  const { url } = await replicas.start({ clock: () => nowMs });
  const send = (userId: string) => call(`${url}/v1/reports`, { ...request, reporter: { userId } });
  const statuses: number[] = [];
  for (let n = 0; n < 22; n += 1) statuses.push((await send('ann')).status);
  expect(statuses).toEqual([...Array.from({ length: 20 }, () => 202), 429, 429]);
  const refused = await send('ann');
  expect(refused.body).toMatchObject({ code: 'UND-TOO-OFTEN' });
  expect(refused.headers.get('retry-after')).toBe('5');
  expect((await send('ben')).status).toBe(202);
  nowMs += 6_000;
  expect([(await send('ann')).status, (await send('ann')).status]).toEqual([202, 429]);
  // Of one key, all people together: what was asked before counts.
  nowMs += 60_000;
  const many = await Promise.all(Array.from({ length: 310 }, (_, n) => send(`p${n}`)));
  expect(many.filter(({ status }) => status === 202)).toHaveLength(300);
});

it('a rate limit lets so many pass at once, and so many a minute from then on', () => {
  const may = createRateLimit({ burst: 3, perMinute: 60, senders: 2 });
  expect([0, 0, 0, 0].map((atMs) => may('a', atMs))).toEqual([true, true, true, false]);
  expect([999, 1_000, 1_000, 500].map((atMs) => may('a', atMs))).toEqual([false, true, false, false]);
  expect([100_000, 100_000, 100_000, 100_000].map((atMs) => may('a', atMs))).toEqual([true, true, true, false]);
});

it('where people are known by pseudonyms, so is who reports', async () => {
  const pseudonymKey = 'a key of at least thirty-two characters';
  await served({ identity: { pseudonyms: 'keyed' } });
  const { url } = await replicas.start({ pseudonymKey });
  const { body } = await call(`${url}/v1/reports`, request);
  const text = await readFile(join(root, 'reports', 'home', `${body.id}.json`), 'utf8');
  expect(JSON.parse(text).reporter.userId).toBe(createPseudonyms(pseudonymKey).of('ann'));
});
