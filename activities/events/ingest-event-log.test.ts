import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestBytes } from '../../models/contracts/digest.ts';
import { dataState } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { LogReader } from '../../stores/event-log.ts';
import { type Context, readLatest } from '../context.ts';
import { columnMapping } from './column-mapping.ts';
import { ingestEventLog } from './ingest-event-log.ts';
import { ingestSource } from './ingest-source.ts';
import { type Bench, benchContext, parquetRows, quietBeat, testCharter, withBench } from './testing.ts';

/** Sealed segments by name, as they stand in the log now; `reads` counts the segments that were read. */
function fakeLog(segments: Map<string, unknown[]>) {
  const log = { reads: 0 };
  const reader: LogReader = {
    sealed: async () => [...segments].map(([name, { length }]) => ({ name, records: length, bytes: 1, digest: digestBytes(name) })),
    async *read(some) {
      log.reads += some.length;
      for (const { name } of some) yield* segments.get(name) ?? [];
    },
    tail: () => Promise.reject(new Error('not in this test')),
    scan: () => Promise.reject(new Error('not in this test')),
    follow: () => ({ look: () => Promise.reject(new Error('not in this test')) }),
  };
  return { log, reader };
}

const event = (eventId: string, at: string, change: object = {}) => ({
  schemaVersion: 1,
  eventId,
  kind: 'click',
  surface: 'home',
  userId: 'u1',
  sessionId: 's1',
  itemId: 'i1',
  atMs: Date.parse(at),
  ...change,
});

async function withLog(use: (world: { bench: Bench; context: Context; segments: Map<string, unknown[]>; reads: () => number }) => Promise<void>) {
  await withBench(async (bench) => {
    const segments = new Map<string, unknown[]>();
    const { log, reader } = fakeLog(segments);
    const context = benchContext(bench.folder);
    const { state } = context;
    await use({ bench, context: { ...context, state: { ...state, logReader: () => reader } }, segments, reads: () => log.reads });
  });
}

async function bringFile({ state, ...context }: Context, folder: string): Promise<void> {
  const content = 'user,item,at\nu1,i1,2026-03-02 10:00:00\n';
  const path = join(folder, 'shop.csv');
  await writeFile(path, content);
  const charter = await putDocument(state.blobs, testCharter());
  const mapping = await putDocument(state.blobs, columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view' }));
  const source = { path, name: 'shop.csv', digest: digestBytes(content) };
  await ingestSource({ ...context, state }, { surface: 'home', charter, mapping, source, endsAt: null }, quietBeat);
}

const ingest = async (context: Context, change: Parameters<typeof testCharter>[0] = {}) =>
  ingestEventLog(context, { surface: 'home', charter: await context.state.blobs.put(canonicalJson(testCharter(change))) }, quietBeat);

const logged = async ({ state }: Context) =>
  Promise.all(
    ((await readLatest(state.generations, 'data/home', dataState))?.document.slices ?? [])
      .filter(({ source }) => source === 'log')
      .map(async ({ day, digest }) => [day, (await parquetRows<{ event_id: string }>({ blobs: state.blobs, digest })).map((row) => row.event_id)]),
  );

describe('ingestEventLog', () => {
  it('takes in each segment once, whichever life of a replica sealed it and when', () =>
    withLog(async ({ bench, context, segments, reads }) => {
      await bringFile(context, bench.folder);
      segments.set('one-00000001~a', [event('e1', '2026-03-03T10:00:00Z')]);
      segments.set('one-00000003~b', [event('e3', '2026-03-04T10:00:00Z')]);
      expect(await ingest(context)).toMatchObject({ generation: 2, counts: { input: 2, accepted: 2 } });
      expect(await ingest(context)).toMatchObject({ generation: 2, counts: { input: 0 } });
      expect(reads()).toBe(2);
      // What the earlier life left open was sealed by its successor only now, and is late.
      segments.set('one-00000002~a', [event('e2', '2026-03-03T09:00:00Z'), event('e1', '2026-03-03T10:00:00Z')]);
      expect(await ingest(context)).toMatchObject({ generation: 3, counts: { input: 2, accepted: 1, duplicates: 1 } });
      expect(await logged(context)).toEqual([
        ['2026-03-03', ['e2', 'e1']],
        ['2026-03-04', ['e3']],
      ]);
      // Sent again to another replica: nothing new, so no generation.
      segments.set('two-00000001~c', [event('e3', '2026-03-04T10:00:00Z')]);
      expect(await ingest(context)).toMatchObject({ generation: 3, counts: { input: 1, accepted: 0, duplicates: 1 } });
      expect(reads()).toBe(4);
    }));

  it('slices anew by the days of another time zone, and leaves other sources alone', () =>
    withLog(async ({ bench, context, segments }) => {
      await bringFile(context, bench.folder);
      segments.set('one-00000001', [event('e1', '2026-03-03T10:30:00Z'), event('e2', '2026-03-03T11:30:00Z')]);
      await ingest(context);
      expect(await logged(context)).toEqual([['2026-03-03', ['e1', 'e2']]]);
      await ingest(context, { timeZone: 'Pacific/Auckland' });
      const expected = [
        ['2026-03-03', ['e1']],
        ['2026-03-04', ['e2']],
      ];
      expect(await logged(context)).toEqual(expected);
      await bringFile(context, bench.folder);
      expect(await logged(context)).toEqual(expected);
      expect(await ingest(context, { timeZone: 'Pacific/Auckland' })).toMatchObject({ generation: 3, counts: { input: 0 } });
    }));

  it('quarantines a record that is no event, and keeps the others', () =>
    withLog(async ({ bench, context, segments }) => {
      await bringFile(context, bench.folder);
      const bad = [event('e2', '2026-03-03T10:00:00Z', { atMs: 'soon' }), event('e3', '2026-03-03T10:00:00Z', { kind: 'stare' }), 'nothing', null];
      segments.set('one-00000001', [event('e1', '2026-03-03T10:00:00Z'), ...bad]);
      expect(await ingest(context)).toMatchObject({ counts: { input: 5, accepted: 1, quarantined: 4, duplicates: 0 } });
      expect(await logged(context)).toEqual([['2026-03-03', ['e1']]]);
    }));

  it('needs data that say what the items are', () =>
    withLog(async ({ context, segments }) => {
      segments.set('one-00000001', [event('e1', '2026-03-03T10:00:00Z')]);
      await expect(ingest(context)).rejects.toMatchObject({ code: 'UND-NO-DATA' });
    }));
});
