import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CharterInput } from '../models/contracts/charter.ts';
import { slateRecord } from '../models/contracts/slate.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { openFlagReader } from '../stores/flags.ts';
import type { Serving } from './server.ts';
import { call, makeServedState, openReplicas, type ServedState, until } from './testing.ts';

let root: string;
let state: ServedState;
const { running, start, close } = openReplicas(() => root);
const classifier = { name: 'classifier', staleAfterMinutes: 60 };

async function serve(charter: Partial<CharterInput> = {}, itemCount = 60): Promise<void> {
  root = await mkdtemp(join(tmpdir(), 'understudy-guardrails-'));
  state = await makeServedState({ stateDir: root, itemCount, charter: { exploration: { slots: 0 }, ...charter } });
  const champion = await state.train('ials', { factors: 4 });
  await state.publish({ champion });
}
beforeEach(() => {
  root = '';
});
afterEach(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

type Context = { country?: string; maturity?: string };
const slate = async ({ url }: Serving, context: Context = {}, count = 60) =>
  (await call(`${url}/v1/recommend`, { surface: 'home', sessionId: 'me', count, context })).body;
const idsOf = ({ items }: { items: { itemId: string }[] }): string[] => items.map(({ itemId }) => itemId);
const similar = async ({ url }: Serving, itemId: string) => idsOf((await call(`${url}/v1/similar`, { surface: 'home', itemId, count: 100 })).body);
const said = { surface: 'home', source: 'by-hand', by: 'kim', why: 'recalled by its maker' };
const flag = ({ url }: Serving, body: object) => call(`${url}/v1/flags`, { ...said, ...body });

it('a flag that is acknowledged holds here at once and at every replica soon, on the slate, on what is like an item, and without any model', async () => {
  await serve();
  const [one, two] = [await start({ replica: 'r1' }), await start({ replica: 'r2' })];
  const best = idsOf(await slate(one, {}, 3));
  const flagged = best[0] as string;
  expect(await flag(one, { mode: 'add', items: best.map((itemId) => ({ itemId, flags: ['recall'] })) })).toMatchObject({
    status: 200,
    body: { surface: 'home', generation: 1, items: 3 },
  });
  expect(idsOf(await slate(one)).filter((itemId) => best.includes(itemId))).toEqual([]);
  // Within a second on a machine that is not busy; here only that it comes about.
  await until(
    async () => idsOf(await slate(two)).includes(flagged),
    (isThere) => !isThere,
  );
  for (const serving of running) {
    const whole = await slate(serving);
    expect(whole).toMatchObject({ rung: 'model', reason: expect.stringContaining('guardrails hold back 3 items') });
    expect(idsOf(whole)).toHaveLength(57);
    expect((await similar(serving, 'i0040')).filter((itemId) => best.includes(itemId))).toEqual([]);
    expect(await similar(serving, 'i0040')).toHaveLength(56);
    serving.crashModels();
    const without = await slate(serving);
    expect(idsOf(without).filter((itemId) => best.includes(itemId))).toEqual([]);
  }
  // A replica that begins later knows it from its first answer.
  const three = await start({ replica: 'r3' });
  expect(idsOf(await slate(three)).filter((itemId) => best.includes(itemId))).toEqual([]);

  await flag(two, { mode: 'clear', items: [{ itemId: flagged }] });
  expect(idsOf(await slate(two))).toContain(flagged);
  await call(`${two.url}/v1/admin/seal`, { surface: 'home' });
  const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({});
  const numbers = records.map((record) => slateRecord.parse(record)).filter(({ replica }) => replica === 'r2');
  expect(numbers.at(-1)?.flags).toBe(2);
});

it('retrieval looks past what is held back, however much that is', async () => {
  await serve({}, 400);
  const serving = await start();
  const best = idsOf(await slate(serving, {}, 100));
  await flag(serving, { mode: 'add', items: [...best, ...state.itemIds.slice(0, 150)].map((itemId) => ({ itemId, flags: ['recall'] })) });
  const whole = await slate(serving, {}, 5);
  expect(whole.rung).toBe('model');
  expect(whole.reason).toBeUndefined();
});

it('scores and flags hold where and for whom the charter says, and a flag with an end ends', async () => {
  await serve({
    guardrails: {
      sources: [{ ...classifier, required: false }],
      thresholds: [{ kind: 'violence', atLeast: 0.8, below: 'adult' }],
      flags: [{ flag: 'alcohol', regions: ['SA'] }],
    },
  });
  let nowMs = 1_790_000_000_000;
  const serving = await start({ clock: () => nowMs });
  await flag(serving, {
    source: 'classifier',
    items: [
      { itemId: 'i0001', scores: { violence: 0.8 } },
      { itemId: 'i0002', flags: ['alcohol'] },
    ],
  });
  await flag(serving, { mode: 'add', items: [{ itemId: 'i0003', flags: ['embargo'], expiresAtMs: nowMs + 1000 }] });
  const missing = async (context: Context) => {
    const there = idsOf(await slate(serving, context));
    return ['i0001', 'i0002', 'i0003'].filter((itemId) => !there.includes(itemId));
  };
  expect(await missing({ country: 'DE', maturity: 'adult' })).toEqual(['i0003']);
  expect(await missing({ country: 'SA', maturity: 'adult' })).toEqual(['i0002', 'i0003']);
  expect(await missing({ country: 'DE', maturity: 'teen' })).toEqual(['i0001', 'i0003']);
  expect(await missing({})).toEqual(['i0001', 'i0002', 'i0003']);
  nowMs += 1000;
  expect(await missing({ country: 'DE', maturity: 'adult' })).toEqual([]);
  // What is like an item is for nobody in particular.
  expect(await similar(serving, 'i0040')).not.toContain('i0001');
});

it('where a source is required and says nothing for too long, slates are empty, still 200, and say why', async () => {
  await serve({ guardrails: { sources: [classifier] } });
  let nowMs = 1_790_000_000_000;
  const serving = await start({ clock: () => nowMs });
  const nothing = { items: [], reason: expect.stringContaining('guardrails hold back 60 items; classifier has not judged anything lately') };
  expect(await slate(serving)).toMatchObject(nothing);
  await flag(serving, { source: 'classifier', items: state.itemIds.slice(0, 20).map((itemId) => ({ itemId })) });
  expect(idsOf(await slate(serving)).toSorted()).toEqual(state.itemIds.slice(0, 20));
  await flag(serving, { source: 'classifier', items: [{ itemId: 'i0001', flags: ['spam'] }] });
  await flag(serving, { source: 'classifier', asOfMs: nowMs - 30 * 60_000, items: [{ itemId: 'i0030' }] });
  nowMs += 30 * 60_000;
  expect(idsOf(await slate(serving)).toSorted()).toEqual(state.itemIds.slice(0, 20).filter((itemId) => itemId !== 'i0001'));
  nowMs += 30 * 60_000;
  const stale = await call(`${serving.url}/v1/recommend`, { surface: 'home', sessionId: 'me' });
  expect(stale).toMatchObject({ status: 200, body: nothing });
  expect(await similar(serving, 'i0040')).toEqual([]);
  expect((await call(`${serving.url}/readyz`)).body).toMatchObject({ status: 'degraded', troubles: [expect.stringContaining('classifier has not judged')] });
});

it('a replica that has never read the flags shows nothing; one that cannot read them any more keeps what it knows', async () => {
  await serve();
  const one = await start({ replica: 'r1' });
  await flag(one, { mode: 'add', items: [{ itemId: 'i0001', flags: ['recall'] }] });
  const [flags, aside] = [join(root, 'series', 'flags', 'home'), join(root, 'aside')];
  await rename(flags, aside);
  const troubles = async ({ url }: Serving): Promise<string[]> => (await call(`${url}/readyz`)).body.troubles;
  await until(
    () => troubles(one),
    (all) => all.some((trouble) => trouble.includes('the flags cannot be read')),
  );
  expect(idsOf(await slate(one))).toHaveLength(59);
  await rename(aside, flags);
  const { generations } = state;
  const [document] = [await generations.read('flags/home', 1)];
  await generations.create('flags/home', 2, { ...(document as object), generation: 2, operationId: 'op-2', marks: [`sha256:${'0'.repeat(64)}`] });
  const two = await start({ replica: 'r2' });
  expect(await slate(two)).toMatchObject({ items: [] });
  expect(await troubles(two)).toEqual([expect.stringContaining('the flags cannot be read')]);
  expect(idsOf(await slate(one))).toHaveLength(59);
});

it.each([
  ['no items', { items: [] }],
  ['a score above one', { items: [{ itemId: 'i0001', scores: { hate: 1.5 } }] }],
  ['no reason', { why: '', items: [{ itemId: 'i0001' }] }],
  ['a source that the charter does not have', { source: 'nobody', items: [{ itemId: 'i0001' }] }],
  ['a look into the future', { asOfMs: 9e15 - 1e15, items: [{ itemId: 'i0001' }] }],
])('refuses %s and writes nothing', async (_what, body) => {
  await serve();
  const serving = await start();
  expect(await flag(serving, body)).toMatchObject({ status: 400, body: { code: 'UND-INPUT' } });
  const reader = openFlagReader({ ...state, surface: 'home' });
  expect(await reader.look()).toBe(false);
});

it('takes flags from those alone who hold the admin key, and twice the same once', async () => {
  await serve();
  const serving = await start({ keys: ['shop-key-0'], adminKey: 'admin-key-0' });
  const body = { ...said, operationId: 'op-1', items: [{ itemId: 'i0001', flags: ['recall'] }] };
  const as = (key: string) => call(`${serving.url}/v1/flags`, body, { authorization: `Bearer ${key}` });
  expect(await as('shop-key-0')).toMatchObject({ status: 401, body: { code: 'UND-UNAUTHORIZED' } });
  expect((await as('admin-key-0')).body.generation).toBe(1);
  expect((await as('admin-key-0')).body.generation).toBe(1);
});
