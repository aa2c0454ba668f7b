import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Charter } from '../../models/contracts/charter.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { putDocument } from '../../stores/blobs.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { testCharter, withBench } from '../events/testing.ts';
import { cutWindow } from '../windows/cut-window.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { identityAsOf } from '../windows/identity.ts';
import { readEvents } from '../windows/read-events.ts';
import { newestDays, withFraming } from './open-framing.ts';
import { at } from './testing.ts';

/** Few of each, so that sessions and devices are shared, and users are told before and after the split. */
const seen = fc.record(
  {
    kind: fc.constantFrom('view' as const, 'purchase' as const),
    day: fc.integer({ min: 0, max: 5 }),
    itemId: fc.constantFrom('i1', 'i2'),
    sessionId: fc.constantFrom('s1', 's2', 's3', 's4'),
    userId: fc.constantFrom('ann', 'bob'),
    deviceId: fc.constantFrom('d1', 'd2'),
  },
  { requiredKeys: ['kind', 'day', 'itemId', 'sessionId'] },
);
const login = fc.record(
  {
    userId: fc.constantFrom('ann', 'bob', 'cid'),
    day: fc.integer({ min: 0, max: 5 }),
    sessionId: fc.constantFrom('s1', 's2', 's3'),
    deviceId: fc.constantFrom('d1', 'd2'),
  },
  { requiredKeys: ['userId', 'day', 'sessionId'] },
);

it('who is who is what training takes them for, in the whole and as of the split', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(seen, { minLength: 1, maxLength: 25 }),
      fc.array(login, { maxLength: 4 }),
      fc.constantFrom<NonNullable<Charter['identity']>['merge']>('none', 'session', 'device'),
      fc.option(fc.constantFrom('ann', 'bob')),
      (events, logins, merge, forbids) =>
        withBench(async (bench) => {
          const charter = testCharter({ timeZone: 'UTC', identity: { merge, pseudonyms: 'none' }, window: { trainDays: 3, gapDays: 1, testDays: 2 } });
          const own = (one: { day: number }, index: number) => ({ eventId: `e${index}`, surface: 'home', atMs: at(one.day) + index });
          const all = [
            ...[{ kind: 'view', day: 0, itemId: 'i1', sessionId: 'first' }, ...events, { kind: 'view', day: 5, itemId: 'i1', sessionId: 'last' }].map(
              ({ day, ...one }, index) => ({ schemaVersion: 2, ...one, ...own({ day }, index) }),
            ),
            ...(forbids === null ? [] : [{ kind: 'consent', userId: forbids, purposes: { training: false }, ...own({ day: 4 }, 200) }]),
            ...logins.map(({ day, ...one }, index) => ({ kind: 'login', ...one, ...own({ day }, 100 + index) })),
          ];
          const { manifest, digest } = await ingestLog({
            ...{ surface: 'home', charter, sourceName: 'log', previous: { slices: [] }, blobs: bench.blobs, workDir: join(bench.folder, 'work'), nowMs: at(9) },
            events: (async function* () {
              yield* all;
            })(),
            catalog: await putDocument(
              bench.blobs,
              ['i1', 'i2'].map((itemId) => ({ itemId, title: itemId, inStock: true })),
            ),
          });
          expect(manifest.counts.quarantined).toBe(0);
          const data = mergeDataState({ previous: undefined, manifest, manifestDigest: digest });
          const window = cutWindow({ dataState: data, charter, rulesDigest: manifest.rulesDigest });
          const read = async (part: 'train' | 'test', slices: typeof window.trainSlices) => {
            const { rows, units, items, unit, item, kind, atMs } = await readEvents({
              ...{ slices, blobs: bench.blobs, kinds: eventKinds, identity: identityAsOf(part, { window, charter }) },
            });
            return Array.from({ length: rows }, (_, row) =>
              [units[unit[row] as number], atMs[row], items[item[row] as number], eventKinds[kind[row] as number]].join(' '),
            ).sort();
          };
          const workDir = await mkdtemp(join(tmpdir(), 'understudy-test-'));
          try {
            await withFraming({ data, days: newestDays(data, 365), settings: charter, blobs: bench.blobs, workDir }, async (framing) => {
              const split = await framing.split(charter.window);
              expect(split?.test).toEqual(window.test);
              const of = async (table: string, where: string) =>
                (await framing.duck.rows<{ row: string }>(`SELECT concat_ws(' ', unit, at_ms, item_id, kind) AS row FROM ${table} WHERE ${where}`))
                  .map(({ row }) => row)
                  .sort();
              expect(await of('split_train', 'true')).toEqual(await read('train', window.trainSlices));
              // What `read` merges by leaves out the gap's slices, and what a check looks at does not: a link in the gap is one for the test part.
              const inGap = [...events, ...logins].some(({ day, userId }) => day === 3 && userId !== undefined);
              if (!inGap) expect(await of('merged', `day >= '${window.test.from}'`)).toEqual(await read('test', window.testSlices));
            });
          } finally {
            await rm(workDir, { recursive: true, force: true });
          }
        }),
    ),
    { numRuns: 15 },
  ));
