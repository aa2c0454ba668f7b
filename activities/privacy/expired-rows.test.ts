import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DataState, dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import type { IngestResult } from '../api.ts';
import { type Context, readLatest } from '../context.ts';
import { columnMapping } from '../events/column-mapping.ts';
import { ingestEventLog } from '../events/ingest-event-log.ts';
import { ingestSource } from '../events/ingest-source.ts';
import { replayQuarantine } from '../events/replay-quarantine.ts';
import { digestSource } from '../events/source-bytes.ts';
import { benchContext, quietBeat, testCharter, withBench } from '../events/testing.ts';
import { currentCharter, registerCharter } from '../registry/charters.ts';
import { enforceRetention } from './enforce-retention.ts';

/* A source that always comes as a whole: what retention has erased does not come back, and does not stop what is new. */

const dayMs = 86_400_000;
/** 20 March 2026, noon, is now. */
const at = (daysAgo: number) => Date.UTC(2026, 2, 20, 12) - daysAgo * dayMs;
const retention = { days: 10, daysOf: { purchase: 15, view: 3 }, slateDays: 5, quarantineDays: 30 };
const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', kind: 'kind', atFormat: 'epoch-ms' });
const row = (kind: string, daysAgo: number, item = 'i1') => `u${daysAgo},${item},${at(daysAgo)},${kind}`;
const early = [row('purchase', 20), row('purchase', 14), row('view', 14), row('click', 14), row('purchase', 8), row('view', 8), row('click', 8, '')];

type Bench = { context: Context; ingest: (rows: readonly string[], daysAgo: number) => Promise<IngestResult>; data: () => Promise<DataState> };

const withDumps = (use: (bench: Bench) => Promise<void>) =>
  withBench(async ({ folder }) => {
    let daysAgo = 0;
    const context = benchContext(join(folder, 'state'), { now: () => at(daysAgo) });
    const { state } = context;
    await registerCharter(state, testCharter({ retention }), 1);
    const path = join(folder, 'dump.csv');
    await use({
      context,
      async ingest(rows, when) {
        daysAgo = when;
        await writeFile(path, `user,item,at,kind\n${rows.join('\n')}\n`);
        const [charter, stored] = [await currentCharter(state, 'home'), await putDocument(state.blobs, mapping)];
        const request = { surface: 'home', charter, mapping: stored, source: { path, ...(await digestSource(path)) }, endsAt: null };
        const result = await ingestSource(context, request, quietBeat);
        daysAgo = 0;
        return result;
      },
      data: async () => (await readLatest(state.generations, 'data/home', dataState))?.document as DataState,
    });
  });

const held = ({ slices, changes, quarantine }: DataState) => ({
  slices: slices.map(({ day, digest, rows }) => ({ day, digest, rows })),
  changes,
  aside: quarantine?.map(({ reasons }) => reasons),
});

describe('a dump that holds all days since the beginning', () => {
  it('is taken in after retention without what was erased, each row counted once', () =>
    withDumps(async ({ context, ingest, data }) => {
      const first = await ingest(early, 8);
      // Of the 20 days that it is old, the first purchase has 12 behind it.
      expect(first.counts).toEqual({ input: 7, accepted: 5, quarantined: 1, duplicates: 0, expired: 1 });
      await enforceRetention(context, { surface: 'home' }, quietBeat);
      const swept = await data();
      expect(swept.slices.map(({ day, rows }) => `${day} ${rows}`)).toEqual(['2026-03-06 1', '2026-03-12 1']);
      const again = await ingest([...early, row('view', 1), row('view', 1), row('purchase', 14)], 0);
      expect(again.counts).toEqual({ input: 10, accepted: 3, quarantined: 1, duplicates: 2, expired: 4 });
      const after = await data();
      expect(held(after).slices.slice(0, 2)).toEqual(held(swept).slices);
      expect(after.slices.map(({ day }) => day)).toEqual(['2026-03-06', '2026-03-12', '2026-03-19']);
      // What a manifest says is what was counted, and one of before that says nothing of it stays readable.
      const manifest = await getDocument(context.state.blobs, again.manifest, ingestManifest);
      expect(manifest.counts.expired).toBe(4);
      const { expired: _, ...before } = manifest.counts;
      expect(ingestManifest.parse({ ...manifest, counts: before }).counts.expired).toBeUndefined();
    }));

  it('leaves what retention leaves, bit for bit', () =>
    withDumps(async ({ context, ingest, data }) => {
      await ingest(early, 8);
      await enforceRetention(context, { surface: 'home' }, quietBeat);
      const swept = held(await data());
      await withDumps(async (other) => {
        await other.ingest(early, 0);
        expect(held(await other.data()).slices).toEqual(swept.slices);
      });
    }));

  it('keeps everything where the charter says nothing of age', () =>
    withDumps(async ({ context, ingest }) => {
      await registerCharter(context.state, testCharter(), 2);
      expect((await ingest(early, 0)).counts).toEqual({ input: 7, accepted: 6, quarantined: 1, duplicates: 0 });
    }));
});

it('a log that is taken in late, and rows that come out of quarantine late, are held to the same', () =>
  withDumps(async ({ context, ingest, data }) => {
    await ingest([row('purchase', 8), row('click', 8, ''), row('purchase', 8, '')], 8);
    const { state } = context;
    const writer = await openLogWriter({ directory: join(state.root, 'log', 'home', 'events'), writer: 'w' });
    let count = 0;
    const event = (kind: string, daysAgo: number, own: object = {}) => ({ eventId: `e${count++}`, kind, surface: 'home', atMs: at(daysAgo), ...own });
    const seen = { schemaVersion: 2, userId: 'u', sessionId: 's', itemId: 'i1' };
    await writer.append([
      event('view', 4, seen),
      event('view', 2, seen),
      event('purchase', 12, seen),
      event('profile', 12, { userId: 'u', attributes: { tier: 'gold' } }),
      event('profile', 2, { userId: 'u', attributes: { tier: 'gold' } }),
      event('consent', 12, { userId: 'u', purposes: { training: true } }),
    ]);
    await writer.close();
    const logged = await ingestEventLog(context, { surface: 'home', charter: null }, quietBeat);
    expect(logged.counts).toEqual({ input: 6, accepted: 4, quarantined: 0, duplicates: 0, expired: 2 });
    expect((await data()).changes?.reduce((rows, slice) => rows + slice.rows, 0)).toBe(2);
    // Three days on, the click is too old by now, and the purchase is not.
    const late = { ...context, now: () => at(-3) };
    const quarantine = (await data()).quarantine?.[0]?.digest ?? '';
    const mend = await putDocument(state.blobs, { kind: 'mend', edits: [{ column: 'item', to: 'i1' }], mapping: null });
    const request = { surface: 'home', charter: await currentCharter(state, 'home'), by: 'me', why: 'a test', replay: { quarantine, reason: null, mend } };
    expect((await replayQuarantine(late, request, quietBeat)).counts).toEqual({ input: 2, accepted: 0, quarantined: 0, duplicates: 1, expired: 1 });
    expect((await data()).quarantine).toBeUndefined();
  }));
