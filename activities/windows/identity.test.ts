import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Charter } from '../../models/contracts/charter.ts';
import { putDocument } from '../../stores/blobs.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { testCharter, withBench } from '../events/testing.ts';
import { cutWindow } from './cut-window.ts';
import { mergeDataState } from './merge-data-state.ts';
import { readHistories } from './read-shoppers.ts';
import { readTest } from './read-test.ts';
import { readTrain, type WindowInput } from './read-window.ts';

const dayMs = 86_400_000;
const at = (day: number, hour = 12) => Date.UTC(2026, 2, 2, hour) + day * dayMs;
let count = 0;
const seen = (sessionId: string, atMs: number, own: Record<string, unknown> = {}) => ({
  schemaVersion: 2,
  eventId: `e${count++}`,
  kind: 'purchase',
  surface: 'home',
  sessionId,
  itemId: `of-${sessionId}-${own.userId ?? 'nobody'}`,
  atMs,
  ...own,
});
const login = (userId: string, sessionId: string, atMs: number, own: Record<string, unknown> = {}) => ({
  kind: 'login',
  eventId: `l${count++}`,
  surface: 'home',
  atMs,
  userId,
  sessionId,
  ...own,
});

/** Days 0 and 1 to train on, 2 for the gap, 3 to test. */
async function unitsOf(events: readonly Record<string, unknown>[], merge: NonNullable<Charter['identity']>['merge'] | undefined) {
  return withBench(async (bench) => {
    const charter = testCharter(merge === undefined ? {} : { identity: { merge, pseudonyms: 'none' } });
    const all = [seen('first', at(0)), seen('first', at(1)), seen('last', at(3)), ...events];
    const items = [...new Set(all.map((one) => (one as { itemId?: string }).itemId).filter((itemId) => itemId !== undefined))];
    const { manifest, digest } = await ingestLog({
      surface: 'home',
      charter,
      sourceName: 'log',
      events: (async function* () {
        yield* all;
      })(),
      previous: { slices: [] },
      catalog: await putDocument(
        bench.blobs,
        items.map((itemId) => ({ itemId, title: itemId, inStock: true })),
      ),
      blobs: bench.blobs,
      workDir: join(bench.folder, 'work'),
      nowMs: at(9),
    });
    expect(manifest.counts.quarantined).toBe(0);
    const dataState = mergeDataState({ previous: undefined, manifest, manifestDigest: digest });
    const window = cutWindow({ dataState, charter, rulesDigest: manifest.rulesDigest });
    const input: WindowInput = { window, blobs: bench.blobs, charter };
    const train = await readTrain(input);
    const { users, newUsers } = await readTest({ ...input, ...train });
    const histories = await readHistories({ ...input, maxItems: 9 });
    const known = (units: readonly string[]) => units.filter((unit) => !['s:first', 's:last'].includes(unit)).sort();
    return { train: known(train.userIds), test: known([...users, ...newUsers].map(({ unit }) => unit)), histories: [...histories.keys()].sort() };
  });
}

describe('who somebody is', () => {
  it("takes what a session did before its user was known for the user's", async () => {
    const events = [seen('a', at(0, 8)), seen('a', at(0, 9), { userId: 'ann' }), seen('b', at(0))];
    expect(await unitsOf(events, undefined)).toMatchObject({ train: ['s:b', 'u:ann'], histories: ['ann'] });
    expect(await unitsOf(events, 'none')).toMatchObject({ train: ['s:a', 's:b', 'u:ann'] });
  });

  it('leaves a session alone that several users share', async () => {
    expect(await unitsOf([seen('a', at(0)), seen('a', at(0), { userId: 'ann' }), seen('a', at(0), { userId: 'bob' })], 'session')).toMatchObject({
      train: ['s:a', 'u:ann', 'u:bob'],
    });
  });

  it('knows a session by a login alone, and a device where the charter says so', async () => {
    const events = [seen('a', at(0), { deviceId: 'phone' }), seen('c', at(1), { deviceId: 'phone' }), login('ann', 'a', at(1), { deviceId: 'phone' })];
    expect(await unitsOf(events, 'session')).toMatchObject({ train: ['s:c', 'u:ann'] });
    expect(await unitsOf(events, 'device')).toMatchObject({ train: ['u:ann'], histories: ['ann'] });
    expect(await unitsOf([...events, login('bob', 'x', at(1), { deviceId: 'phone' })], 'device')).toMatchObject({ train: ['s:c', 'u:ann'] });
  });

  it('learns nothing for the train part from what came after it', async () => {
    const events = [
      seen('a', at(0), { deviceId: 'phone' }),
      login('ann', 'a', at(3), { deviceId: 'phone' }),
      seen('a', at(3), { userId: 'ann' }),
      seen('d', at(3), { deviceId: 'phone', itemId: 'of-a-nobody' }),
    ];
    const { train, test } = await unitsOf(events, 'device');
    expect(train).toEqual(['s:a']);
    expect(test).toEqual(['u:ann']);
  });
});

describe('what somebody allows', () => {
  const forbid = (who: Record<string, string>, purpose: string, atMs: number) => ({
    kind: 'consent',
    eventId: `c${count++}`,
    surface: 'home',
    atMs,
    ...who,
    purposes: { [purpose]: false },
  });

  it('is asked of the whole person before training and before profiles, whenever it was said', async () => {
    const events = [
      seen('a', at(0, 8)),
      seen('a', at(0, 9), { userId: 'ann' }),
      seen('b', at(0), { userId: 'bob' }),
      seen('c', at(0), { userId: 'cid', deviceId: 'phone' }),
      seen('d', at(3), { userId: 'bob', itemId: 'of-b-bob' }),
      forbid({ userId: 'ann' }, 'training', at(3, 20)),
      forbid({ userId: 'bob' }, 'personalization', at(3)),
      forbid({ deviceId: 'phone' }, 'training', at(2)),
    ];
    const { train, test, histories } = await unitsOf(events, undefined);
    expect(train).toEqual(['u:bob']);
    expect(test).toEqual(['u:bob']);
    expect(histories).toEqual(['bob']);
  });
});
