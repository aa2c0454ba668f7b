import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { putDocument } from '../stores/blobs.ts';
import { openLogReader, type SegmentFiles } from '../stores/event-log-files.ts';
import { isLoopback } from './http/auth.ts';
import type { Serving } from './server.ts';
import { call, canaryOf, makeServedState, openReplicas, type ServedState, until } from './testing.ts';

let root: string;
let state: ServedState;
const { running, start, close } = openReplicas(() => root);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-endurance-'));
  state = await makeServedState({ stateDir: root, charter: { repeatPolicy: 'exclude-purchased' } });
});
afterEach(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});
const stop = () => running.splice(0)[0]?.close();

const event = (eventId: string, over: Record<string, unknown> = {}) => ({
  eventId,
  kind: 'click',
  surface: 'home',
  sessionId: 's',
  itemId: 'i0012',
  atMs: Date.now(),
  ...over,
});
const post = ({ url }: Serving, events: unknown[]) => call(`${url}/v1/events`, { events });
const recommend = async ({ url }: Serving, body: Record<string, unknown>) => (await call(`${url}/v1/recommend`, { surface: 'home', ...body })).body;
const ready = async ({ url }: Serving) => (await call(`${url}/readyz`)).body;
async function slates(): Promise<SlateRecord[]> {
  const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({});
  return records.map((record) => slateRecord.parse(record));
}

/** Real files, whose disk may stop answering or be full. */
function frailDisk() {
  const is = { full: false, hanging: false };
  const hung: (() => void)[] = [];
  const files: SegmentFiles = {
    async create(path) {
      const handle = await open(path, 'wx');
      return {
        async write(bytes, position) {
          if (is.full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
          await handle.write(bytes, 0, bytes.length, position);
        },
        async sync() {
          if (is.hanging) await new Promise<void>((resolve) => hung.push(resolve));
          await handle.datasync();
        },
        truncate: (length) => handle.truncate(length),
        close: () => handle.close(),
      };
    },
  };
  const wake = () => {
    is.hanging = false;
    for (const resolve of hung.splice(0)) resolve();
  };
  return { files, is, wake };
}

it('forgets neither ids, nor visitors, nor enrolments because an old segment is damaged, and says which', async () => {
  const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
  await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 0.1 }) });
  let serving = await start();
  const seal = async () => (await call(`${serving.url}/v1/admin/seal`, { surface: 'home' })).body;
  await post(serving, [event('old')]);
  await recommend(serving, { userId: 'somebody' });
  const first = await seal();
  await post(serving, [event('new', { userId: 'cleo', kind: 'purchase' })]);
  const users = Array.from({ length: 40 }, (_, index) => `u${index}`);
  const variants = new Map<string, string>();
  for (const userId of users) variants.set(userId, (await recommend(serving, { userId })).variant);
  await seal();
  await stop();
  for (const stream of ['events', 'slates'] as const) {
    const path = join(root, 'log', 'home', stream, `${first[stream].name}.jsonl`);
    const bytes = await readFile(path);
    bytes[20] = (bytes[20] as number) ^ 1;
    await writeFile(path, bytes);
  }
  await state.publish({ canary: canaryOf(knn, { share: 0.9, stage: 1 }) });
  serving = await start();
  expect((await post(serving, [event('new')])).body.results[0].status).toBe('duplicate');
  for (const userId of users) expect((await recommend(serving, { userId })).variant).toBe(variants.get(userId));
  const { status, troubles } = await ready(serving);
  expect([status, troubles]).toEqual(['degraded', [expect.stringContaining(`2 log segments are damaged: events/${first.events.name}`)]]);
  expect((await call(`${serving.url}/metrics`)).body).toMatch(/understudy_log_damaged_segments\{surface="home"\} 2/);
});

it('gives nobody a variant for good while that cannot be recorded', async () => {
  const [popularity, knn] = [await state.train('popularity'), await state.train('item-knn')];
  await state.publish({ champion: popularity, challenger: knn, canary: canaryOf(knn, { share: 1 }) });
  const { files, is } = frailDisk();
  const serving = await start({ files });
  expect((await recommend(serving, { userId: 'known' })).variant).toBe('challenger');
  is.full = true;
  await recommend(serving, { userId: 'first' });
  await until(
    () => ready(serving),
    ({ status }) => status === 'degraded',
  );
  expect((await recommend(serving, { userId: 'late' })).variant).toBe('champion');
  expect((await recommend(serving, { userId: 'known' })).variant).toBe('challenger');
  is.full = false;
  await until(
    () => recommend(serving, { userId: 'late' }),
    ({ variant }) => variant === 'challenger',
  );
  await stop();
  for (const { unit, variant, enrolment } of await slates()) expect([unit, enrolment === null]).toEqual([unit, variant === 'champion']);
});

it('refuses events when too many wait for a disk that does not answer', async () => {
  await state.publish({ champion: await state.train('popularity') });
  const { files, is, wake } = frailDisk();
  const serving = await start({ files });
  expect((await post(serving, [event('before')])).status).toBe(200);
  is.hanging = true;
  const large = (batch: number) =>
    Array.from({ length: 1_000 }, (_, place) => event(`${batch}-${place}`, { requestId: 'r'.repeat(128), userId: 'u'.repeat(128) }));
  const refused: Awaited<ReturnType<typeof post>>[] = [];
  const answers = Array.from({ length: 50 }, async (_, batch) => {
    const answer = await post(serving, large(batch));
    if (answer.status !== 200) refused.push(answer);
    return answer.status;
  });
  try {
    // Half a megabyte each, and sixteen megabytes may wait.
    await until(
      () => refused.length,
      (count) => count > 5,
      20_000,
    );
    for (const answer of refused) expect(answer).toMatchObject({ status: 503, body: { code: 'UND-OVERLOADED' } });
    expect(refused[0]?.headers.get('retry-after')).toBe('5');
  } finally {
    wake();
  }
  const accepted = (await Promise.all(answers)).filter((status) => status === 200);
  expect(accepted.length).toBeGreaterThan(20);
  expect((await post(serving, [event('after')])).status).toBe(200);
});

it('counts as popular only what a catalog has', async () => {
  // No artifact: the rungs below answer.
  await state.publish({ champion: `sha256:${'0'.repeat(64)}` });
  const serving = await start();
  await post(
    serving,
    Array.from({ length: 500 }, (_, index) => event(`g${index}`, { itemId: `garbage-${index}`, kind: 'purchase', sessionId: `s${index}` })),
  );
  expect(await recommend(serving, { sessionId: 'fresh' })).toMatchObject({ rung: 'static', reason: expect.stringContaining('popularity: no events yet') });
  await post(serving, [event('real', { itemId: 'i0042' })]);
  expect(await recommend(serving, { sessionId: 'fresh' })).toMatchObject({ rung: 'popularity', items: { length: 10 } });
});

it('stays quick for a visitor who buys without end', async () => {
  await state.publish({ champion: await state.train('item-knn') });
  const serving = await start();
  const took: number[] = [];
  for (let batch = 0; batch < 8; batch += 1) {
    const events = Array.from({ length: 1_000 }, (_, place) =>
      event(`b${batch}-${place}`, { kind: 'purchase', userId: 'till', itemId: `thing-${batch}-${place}` }),
    );
    const startedAt = performance.now();
    await post(serving, events);
    took.push(performance.now() - startedAt);
  }
  // Without a bound the last batch takes several times as long as the first ones.
  expect(Math.min(...took.slice(5))).toBeLessThan(3 * Math.max(...took.slice(0, 3)));
  await recommend(serving, { userId: 'till' });
  await stop();
  expect((await slates())[0]?.excluded).toHaveLength(1_000);
});

it('reads profiles again that could not be read at first', async () => {
  await state.publish({ champion: await state.train('popularity') });
  let nowMs = Date.now();
  const serving = await start({ clock: () => nowMs });
  const profiles = { dora: [['i0041', 1]] };
  await state.generations.create('profiles/home', 1, { kind: 'profiles', blob: digestBytes(canonicalJson(profiles)) });
  await until(
    () => ready(serving),
    ({ troubles }) => troubles.some((trouble: string) => trouble.includes('profiles cannot be read')),
  );
  await putDocument(state.blobs, profiles);
  nowMs += 60_000;
  await until(
    () => ready(serving),
    ({ status }) => status === 'ready',
  );
  await recommend(serving, { userId: 'dora' });
  await stop();
  expect((await slates()).at(-1)?.history).toEqual(['i0041']);
});

it('keeps the admin routes closed where keys are set and no admin key is', async () => {
  await state.publish({ champion: await state.train('popularity') });
  const serving = await start({ keys: ['k1'] });
  const without: Record<string, string> = {};
  for (const headers of [without, { authorization: 'Bearer k1' }])
    expect(await call(`${serving.url}/v1/admin/seal`, { surface: 'home' }, headers)).toMatchObject({
      status: 401,
      body: { code: 'UND-UNAUTHORIZED', detail: expect.stringContaining('UNDERSTUDY_ADMIN_KEY') },
    });
});

it('takes only real addresses of this machine for such', () => {
  for (const address of ['localhost', '127.0.0.1', '127.8.9.10', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])
    expect([address, isLoopback(address)]).toEqual([address, true]);
  for (const address of ['127.evil.example', '0.0.0.0', '::', '10.0.0.1', '::ffff:10.0.0.1', '128.0.0.1', 'localhost.example'])
    expect([address, isLoopback(address)]).toEqual([address, false]);
});
