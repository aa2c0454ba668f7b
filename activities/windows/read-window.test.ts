import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter, CharterInput } from '../../models/contracts/charter.ts';
import { type Event, unitOf } from '../../models/contracts/event.ts';
import { putDocument } from '../../stores/blobs.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { openBench, testCharter } from '../events/testing.ts';
import { cutWindow } from './cut-window.ts';
import { mergeDataState } from './merge-data-state.ts';
import { readHistories, readShoppers } from './read-shoppers.ts';
import { readTest } from './read-test.ts';
import { readTrain } from './read-window.ts';

let bench: Awaited<ReturnType<typeof openBench>>;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const hourMs = 3_600_000;
/** Days 0 and 1 train, day 2 is the gap, day 3 tests. */
const at = (day: number, hour = 12) => Date.UTC(2026, 2, 2 + day, hour);
let next = 0;
const event = (kind: Event['kind'], who: string, itemId: string, atMs: number, quantity?: number): Event => ({
  schemaVersion: 1,
  eventId: `e${next++}`,
  kind,
  surface: 'home',
  ...(who.startsWith('u') ? { userId: who } : {}),
  sessionId: `s-${who}`,
  itemId,
  atMs,
  ...(quantity === undefined ? {} : { quantity }),
});
async function* stream(events: readonly Event[]) {
  yield* events;
}

/** A window over the events; day 0 and day 3 are there in any case. The catalog has all items, as `known` says where it does. */
async function windowOf(events: readonly Event[], change: Partial<CharterInput> = {}, known: CatalogItem[] = []) {
  const charter: Charter = testCharter(change);
  const all = [event('view', 'u-first', 'i-first', at(0)), ...events, event('view', 'u-last', 'i-last', at(3))];
  const items = new Map([...all.map(({ itemId }) => ({ itemId, title: itemId, inStock: true })), ...known].map((item) => [item.itemId, item]));
  const { manifest, digest } = await ingestLog({
    surface: 'home',
    charter,
    sourceName: 'log',
    events: stream(all),
    previous: { slices: [] },
    catalog: await putDocument(bench.blobs, [...items.values()]),
    blobs: bench.blobs,
    workDir: join(bench.folder, 'work'),
    nowMs: at(9),
  });
  const window = cutWindow({
    dataState: mergeDataState({ previous: undefined, manifest, manifestDigest: digest }),
    charter,
    rulesDigest: manifest.rulesDigest,
  });
  return { window, blobs: bench.blobs, charter };
}

/** Rows by unit: item, weight, time. */
function rowsOf({ interactions, vocabulary, userIds }: Awaited<ReturnType<typeof readTrain>>) {
  return Object.fromEntries(
    userIds.map((unit, index) => {
      const entries = Array.from(
        { length: (interactions.indptr[index + 1] ?? 0) - (interactions.indptr[index] ?? 0) },
        (_, offset) => (interactions.indptr[index] ?? 0) + offset,
      );
      return [unit, entries.map((entry) => [vocabulary[interactions.items[entry] ?? 0], interactions.weights[entry], interactions.atMs[entry]])];
    }),
  );
}

describe('readTrain', () => {
  it('gives one entry an event, weighted by kind, users and sessions by time; nothing of gap and test', async () => {
    const input = await windowOf([
      event('purchase', 'u2', 'b', at(1, 9)),
      event('view', 'u2', 'c', at(0, 9)),
      event('view', 'u2', 'c', at(0, 8)),
      event('add-to-cart', 'x1', 'a', at(1)),
      event('impression', 'u2', 'a', at(0)),
      event('purchase', 'u2', 'z', at(2)),
      event('purchase', 'u2', 'y', at(3)),
    ]);
    const train = await readTrain(input);
    expect(train.vocabulary).toEqual(['a', 'b', 'c', 'i-first']);
    expect(train.userIds).toEqual(['s:s-x1', 'u:u-first', 'u:u2']);
    expect(rowsOf(train)).toEqual({
      's:s-x1': [['a', 0.5, at(1)]],
      'u:u-first': [['i-first', Math.fround(0.1), at(0)]],
      'u:u2': [
        ['c', Math.fround(0.1), at(0, 8)],
        ['c', Math.fround(0.1), at(0, 9)],
        ['b', 1, at(1, 9)],
      ],
    });
  });

  it('takes back purchases that were returned, the newest first, by quantity', async () => {
    const input = await windowOf([
      event('purchase', 'u1', 'a', at(0, 1), 2),
      event('purchase', 'u1', 'a', at(0, 2), 3),
      event('return', 'u1', 'a', at(0, 3), 4),
      event('purchase', 'u2', 'a', at(0, 1)),
      event('return', 'u2', 'a', at(0, 2)),
      event('return', 'u2', 'a', at(0, 3)),
      event('return', 'u3', 'a', at(0, 1)),
      event('purchase', 'u3', 'a', at(0, 2)),
      event('purchase', 'u4', 'a', at(0, 1)),
      event('return', 'u5', 'a', at(0, 2)),
      event('view', 'u2', 'a', at(0, 1)),
    ]);
    const rows = rowsOf(await readTrain(input));
    expect(rows).toEqual({
      'u:u-first': expect.anything(),
      'u:u1': [['a', 1, at(0, 1)]],
      'u:u2': [['a', Math.fround(0.1), at(0, 1)]],
      'u:u3': [['a', 1, at(0, 2)]],
      'u:u4': [['a', 1, at(0, 1)]],
    });
  });

  it('leaves out rare items and then empty units, and says so when nothing is left', async () => {
    const input = await windowOf([event('view', 'u1', 'a', at(0)), event('view', 'u2', 'a', at(0)), event('view', 'u3', 'b', at(0))]);
    const train = await readTrain({ ...input, vocabularyMinEvents: 2 });
    expect([train.vocabulary, train.userIds]).toEqual([['a'], ['u:u1', 'u:u2']]);
    await expect(readTrain({ ...input, vocabularyMinEvents: 3 })).rejects.toMatchObject({ code: 'UND-NO-DATA' });
  });

  it('takes an event once though two slices hold it', async () => {
    const input = await windowOf([event('view', 'u1', 'a', at(0))]);
    const { trainSlices } = input.window;
    const doubled = { ...input.window, trainSlices: [...trainSlices, ...trainSlices.map((slice) => ({ ...slice, source: 'again' }))] };
    expect(await readTrain({ ...input, window: doubled })).toEqual(await readTrain(input));
  });

  it('leaves an event to the test part that stands in both, as a source that came twice brings it', async () => {
    const twice = event('purchase', 'u1', 'a', at(0));
    const once = await windowOf([event('purchase', 'u1', 'b', at(0)), twice]);
    const later = await windowOf([{ ...twice, atMs: at(3) }]);
    const input = { ...once, window: { ...once.window, testSlices: later.window.testSlices } };
    expect(rowsOf(await readTrain(input))).toEqual({ 'u:u-first': expect.anything(), 'u:u1': [['b', 1, at(0)]] });
    expect((await readHistories({ ...input, maxItems: 9 })).get('u1')?.map(({ itemId }) => itemId)).toEqual(['b']);
    expect(rowsOf(await readTrain(once))['u:u1']).toHaveLength(2);
  });

  it('agrees with a plain reading of the events', async () => {
    const some = fc.record({
      kind: fc.constantFrom('view' as const, 'purchase' as const, 'impression' as const),
      who: fc.constantFrom('u1', 'u2', 'x1', 'é', '😀', '\uffee'),
      item: fc.constantFrom('a', 'b', 'ü', 'Z'),
      hours: fc.integer({ min: 0, max: 90 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(some, { maxLength: 25 }), async (list) => {
        const events = list.map(({ kind, who, item, hours }) => event(kind, who, item, at(0, 0) + hours * hourMs));
        const train = await readTrain(await windowOf(events));
        const expected: Record<string, unknown[]> = { 'u:u-first': [['i-first', Math.fround(0.1), at(0)]] };
        const inTrain = events.filter((one) => one.kind !== 'impression' && one.atMs < at(2, 0));
        for (const one of inTrain.sort((a, b) => a.atMs - b.atMs || (a.itemId < b.itemId ? -1 : a.itemId > b.itemId ? 1 : a.eventId < b.eventId ? -1 : 1)))
          expected[unitOf(one)] = [...(expected[unitOf(one)] ?? []), [one.itemId, one.kind === 'view' ? Math.fround(0.1) : 1, one.atMs]];
        expect(rowsOf(train)).toEqual(expected);
        expect(train.interactions.indptr[0]).toBe(0);
      }),
      { numRuns: 10 },
    );
  }, 30_000);
});

describe('readTest', () => {
  const story = [
    event('purchase', 'u1', 'a', at(0, 1)),
    event('view', 'u1', 'b', at(0, 2)),
    event('purchase', 'u2', 'c', at(1)),
    event('purchase', 'x1', 'd', at(1)),
    event('purchase', 'u3', 'a', at(0)),
    event('purchase', 'u1', 'a', at(3, 1)),
    event('purchase', 'u1', 'b', at(3, 2)),
    event('purchase', 'u1', 'd', at(3, 3)),
    event('purchase', 'u1', 'd', at(3, 4)),
    event('view', 'u1', 'c', at(3)),
    event('purchase', 'u1', 'new', at(3)),
    event('purchase', 'u2', 'a', at(3, 1)),
    event('return', 'u2', 'a', at(3, 2)),
    event('purchase', 'cold', 'a', at(3)),
    event('purchase', 'u9', 'a', at(3)),
    event('purchase', 'u3', 'new', at(3)),
  ];

  it('gives what known users went on to buy, and counts all others', async () => {
    const input = await windowOf(story);
    const train = await readTrain(input);
    const test = await readTest({ ...input, ...train });
    const names = (indexes: number[]) => indexes.map((index) => train.vocabulary[index]);
    expect(
      test.users.map((user) => ({
        unit: user.unit,
        history: names(user.history),
        weights: user.historyWeight,
        relevant: names(user.relevant),
        fresh: names(user.relevantNew),
        exclude: user.exclude,
      })),
    ).toEqual([{ unit: 'u:u1', history: ['a', 'b'], weights: [1, Math.fround(0.1)], relevant: ['a', 'b', 'd'], fresh: ['d'], exclude: [] }]);
    expect(train.userIds[test.users[0]?.userIndex ?? -1]).toBe('u:u1');
    expect(test.left).toEqual({ coldUsers: 1, sessions: 1, outOfVocabulary: 2, outOfScope: 0, repeats: 0, usersWithoutRelevant: 1 });
  });

  it('follows the repeat policy: bought is excluded, seen is not', async () => {
    const input = await windowOf(story, { repeatPolicy: 'exclude-purchased' });
    const train = await readTrain(input);
    const test = await readTest({ ...input, ...train });
    expect(
      test.users.map((user) => [user.unit, user.relevant.map((index) => train.vocabulary[index]), user.exclude.map((index) => train.vocabulary[index])]),
    ).toEqual([['u:u1', ['b', 'd'], ['a']]]);
    expect(test.left.repeats).toBe(1);
  });

  it('holds the scope as of the split', async () => {
    const catalog = [
      { itemId: 'b', title: 'b', category: 'adult', inStock: true },
      { itemId: 'c', title: 'c', inStock: false },
    ];
    const input = await windowOf(story, { scope: { excludeCategories: ['adult'], excludeItems: ['d'] } }, catalog);
    const train = await readTrain(input);
    const test = await readTest({ ...input, ...train });
    expect(train.vocabulary.filter((_item, index) => test.scopeBias[index] !== 0)).toEqual(['b', 'c', 'd']);
    expect(test.left.outOfScope).toBe(2);
    expect(test.users.map((user) => user.relevant.map((index) => train.vocabulary[index]))).toEqual([['a']]);
  });

  it('measures the sessions of a surface that knows nobody: the last item from those before it', async () => {
    const session = (sessionId: string, itemId: string, atMs: number) => ({ ...event('purchase', 'nobody', itemId, atMs), userId: undefined, sessionId });
    const input = await windowOf([
      ...['a', 'b', 'c'].map((itemId) => session('s0', itemId, at(0))),
      ...['b', 'new', 'c', 'a'].map((itemId, order) => session('s1', itemId, at(3, 1 + order))),
      session('s2', 'a', at(3)),
      ...['c', 'new'].map((itemId, order) => session('s3', itemId, at(3, order))),
    ]);
    const train = await readTrain(input);
    const test = await readTest({ ...input, ...train });
    const names = (indexes: number[]) => indexes.map((index) => train.vocabulary[index]);
    expect(test.users.map((user) => [user.unit, names(user.history), names(user.relevant), user.exclude])).toEqual([['s:s1', ['b', 'c'], ['a'], []]]);
  });
});

describe('readHistories and readShoppers', () => {
  it('give the last events of known users, and what customers came back for', async () => {
    const input = await windowOf([
      event('view', 'u1', 'a', at(0, 1)),
      event('purchase', 'u1', 'b', at(0, 2)),
      event('purchase', 'u1', 'c', at(1)),
      event('view', 'x1', 'a', at(0)),
      event('purchase', 'u1', 'b', at(3)),
      event('purchase', 'u1', 'z', at(3)),
      event('purchase', 'u7', 'b', at(3)),
      event('purchase', 'x1', 'b', at(3)),
    ]);
    const histories = await readHistories({ ...input, maxItems: 2 });
    expect([...histories.keys()]).toEqual(['u-first', 'u1']);
    expect(histories.get('u1')).toEqual([
      { itemId: 'b', kind: 'purchase', weight: 1, atMs: at(0, 2) },
      { itemId: 'c', kind: 'purchase', weight: 1, atMs: at(1) },
    ]);
    expect((await readHistories({ ...input, maxItems: 9, through: 'test' })).get('u7')).toHaveLength(1);
    expect(await readShoppers(input)).toEqual([
      {
        customerId: 'u1',
        history: ['b', 'c'],
        wants: [
          { itemId: 'b', repeat: true },
          { itemId: 'z', repeat: false },
        ],
      },
      { customerId: 'u7', history: [], wants: [{ itemId: 'b', repeat: false }] },
    ]);
    const once = await readShoppers({ ...input, charter: { ...input.charter, repeatPolicy: 'exclude-purchased' } });
    expect(once[0]?.wants).toEqual([{ itemId: 'z', repeat: false }]);
  });
});
