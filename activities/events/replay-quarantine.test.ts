import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import type { Mend } from '../../models/contracts/mend.ts';
import { type DataState, dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { IngestResult } from '../api.ts';
import { type Context, readLatest } from '../context.ts';
import { columnMapping } from './column-mapping.ts';
import { ingestLog } from './ingest-log.ts';
import { ingestSource } from './ingest-source.ts';
import { publishData } from './publish-data.ts';
import { readQuarantine } from './read-quarantine.ts';
import { replayQuarantine, tryReplay } from './replay-quarantine.ts';
import { benchContext, parquetRows, quietBeat, testCharter, withBench } from './testing.ts';

const rows = [
  'u1,i1,2026-03-02 10:00,view',
  'u2,i2,2026-03-02 11:00,buy',
  'u3,i2,2026-03-03 11:00,buy',
  'u4,,2026-03-03 12:00,buy',
  'u5,i1,2026-03-03 13:00,look',
  'u6,i1,not a time,view',
  'u2,i2,2026-03-02 11:00,buy',
  'too,few',
];
const mapping = columnMapping({ user: 'who', item: 'item', at: 'at', kind: 'action' });
const noEdits: Mend = { kind: 'mend', edits: [], mapping: null };
const buyIsPurchase: Mend = { ...noEdits, edits: [{ column: 'action', from: 'buy', to: 'purchase' }] };

async function ingest(context: Context, folder: string, lines: readonly string[], file = 'events.csv', endsAt: string | null = null) {
  const path = join(folder, file);
  const content = `who,item,at,action\n${lines.join('\n')}\n`;
  await writeFile(path, content);
  const { blobs } = context.state;
  return ingestSource(
    context,
    {
      surface: 'home',
      charter: await putDocument(blobs, testCharter()),
      mapping: await putDocument(blobs, mapping),
      source: { path, name: basename(path), digest: digestBytes(content) },
      endsAt,
    },
    quietBeat,
  );
}
const stateOf = async (context: Context): Promise<DataState> => (await readLatest(context.state.generations, 'data/home', dataState))?.document as DataState;
async function replay(
  context: Context,
  mend: Mend,
  change: { reason?: string | null; quarantine?: string; charter?: Parameters<typeof testCharter>[0] } = {},
): Promise<IngestResult> {
  const { blobs } = context.state;
  const quarantine = change.quarantine ?? (await stateOf(context)).quarantine?.[0]?.digest ?? '';
  const charter = await putDocument(blobs, testCharter(change.charter));
  return replayQuarantine(
    context,
    {
      surface: 'home',
      charter,
      by: 'ann',
      why: 'the till was renamed',
      replay: { quarantine, reason: change.reason ?? null, mend: await putDocument(blobs, mend) },
    },
    quietBeat,
  );
}
const asideOf = async (context: Context) => {
  const { quarantine = [] } = await stateOf(context);
  return readQuarantine({ entries: quarantine, blobs: context.state.blobs, reason: undefined, limit: 100 });
};
const kindsOf = async (context: Context, day: string) => {
  const slice = (await stateOf(context)).slices.find((one) => one.day === day);
  return (await parquetRows<{ kind: string; user_id: string }>({ blobs: context.state.blobs, digest: slice?.digest ?? '' })).map(
    ({ kind, user_id }) => `${user_id} ${kind}`,
  );
};
const bench = (use: (context: Context, folder: string) => Promise<void>) => withBench(({ folder }) => use(benchContext(join(folder, 'state')), folder));

describe('quarantine', () => {
  it('is kept by source and reason, with each row as it came', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      expect((await stateOf(context)).quarantine).toMatchObject([
        { source: 'events.csv', reasons: { 'malformed-row': 1, 'missing-item': 1, 'missing-time': 1, 'unknown-kind': 4 } },
      ]);
      expect((await asideOf(context)).map(({ line, reason, raw }) => [line, reason, raw.includes('"action"')])).toEqual([
        [2, 'unknown-kind', true],
        [3, 'unknown-kind', true],
        [4, 'missing-item', true],
        [5, 'unknown-kind', true],
        [6, 'missing-time', true],
        [7, 'unknown-kind', true],
        [8, 'malformed-row', false],
      ]);
    }));

  it('lets in what was mended, into the slice of its own day, and keeps what still does not fit as it came', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      const before = await stateOf(context);
      const result = await replay(context, buyIsPurchase, { reason: 'unknown-kind' });
      expect(result.counts).toEqual({ input: 4, accepted: 2, quarantined: 1, duplicates: 1 });
      expect(await kindsOf(context, '2026-03-02')).toEqual(['u1 view', 'u2 purchase']);
      expect(await kindsOf(context, '2026-03-03')).toEqual(['u3 purchase']);
      const after = await stateOf(context);
      expect(after.generation).toBe(before.generation + 1);
      expect(after.quarantine).toMatchObject([{ reasons: { 'malformed-row': 1, 'missing-item': 1, 'missing-time': 1, 'unknown-kind': 1 } }]);
      expect((await asideOf(context)).find(({ line }) => line === 5)?.raw).toContain('look');
      // The row without an item has a kind now, but was not asked for: it stays as it came.
      expect((await asideOf(context)).find(({ line }) => line === 4)?.raw).toContain('buy');
      const [entry] = await readLedger(context.state.generations, 'home');
      expect(entry).toMatchObject({ action: 'data-mended', by: 'ann', detail: { message: expect.stringContaining('the till was renamed: 2 of 4 rows') } });
    }));

  it('says what a mend would come to, and changes nothing', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      const before = await stateOf(context);
      const quarantine = before.quarantine?.[0]?.digest ?? '';
      const tried = await tryReplay(context, { surface: 'home', charter: testCharter(), mend: buyIsPurchase, quarantine, reason: null, workDir: folder });
      expect(tried).toEqual({
        counts: { input: 6, accepted: 2, quarantined: 3, duplicates: 1 },
        acceptedByKind: { purchase: 2 },
        quarantineByReason: { 'missing-item': 1, 'missing-time': 1, 'unknown-kind': 1 },
      });
      expect(await stateOf(context)).toEqual(before);
    }));

  it('mends with another mapping, which may read the text of what was no row', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      const byHand = {
        ...mapping,
        name: 'by-hand',
        sql: "SELECT raw_line, 'mended-' || raw_line AS event_id, 'view' AS kind, split_part(_text, ',', 1) AS item_id, 's' AS session_id, TIMESTAMP '2026-03-05 10:00:00' AS wall_time FROM raw",
      };
      const result = await replay(context, { ...noEdits, mapping: await putDocument(context.state.blobs, byHand) }, { reason: 'malformed-row' });
      expect(result.counts).toEqual({ input: 1, accepted: 1, quarantined: 0, duplicates: 0 });
      expect((await stateOf(context)).slices.map(({ day }) => day)).toEqual(['2026-03-02', '2026-03-05']);
    }));

  it('is done once, however often it is asked for, and gone when nothing is left in it', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows.slice(0, 3));
      const quarantine = (await stateOf(context)).quarantine?.[0]?.digest ?? '';
      const first = await replay(context, buyIsPurchase, { quarantine });
      const after = await stateOf(context);
      expect(after.quarantine).toBeUndefined();
      expect(await replay(context, buyIsPurchase, { quarantine })).toEqual(first);
      expect(await stateOf(context)).toEqual(after);
      await expect(replay(context, noEdits, { quarantine })).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
      expect((await readLedger(context.state.generations, 'home')).length).toBe(1);
    }));

  it('shifts what was shifted, and does so again with what comes back', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows, 'events.csv', '2026-03-17');
      await replay(context, buyIsPurchase);
      expect((await stateOf(context)).slices.map(({ day, rows: count, shiftDays }) => [day, count, shiftDays])).toEqual([
        ['2026-03-16', 2, 14],
        ['2026-03-17', 1, 14],
      ]);
    }));

  it('of the log comes back the same way; a rule that the charter took away needs no mend', () =>
    bench(async (context, folder) => {
      const event = (nth: number, itemId: string) => ({
        schemaVersion: 1,
        eventId: `e${nth}`,
        kind: 'view',
        surface: 'home',
        sessionId: 's',
        itemId,
        atMs: Date.UTC(2026, 2, 2, 10, nth),
      });
      const strict = testCharter({ data: { recordRules: { 'unknown-item': 'quarantine' } } });
      const catalog = await putDocument(context.state.blobs, [{ itemId: 'i1', title: 'i1', inStock: true }]);
      await publishData({
        state: context.state,
        surface: 'home',
        charter: strict,
        nowMs: context.now,
        beat: quietBeat,
        ingest: ({ before, workDir }) =>
          ingestLog({
            surface: 'home',
            charter: strict,
            sourceName: 'log',
            events: (async function* () {
              yield* [event(1, 'i1'), event(2, 'i2')];
            })(),
            previous: before ?? { slices: [] },
            catalog,
            blobs: context.state.blobs,
            workDir,
            nowMs: context.now(),
          }),
      });
      expect((await stateOf(context)).quarantine).toMatchObject([{ source: 'log', reasons: { 'unknown-item': 1 } }]);
      expect((await replay(context, noEdits)).counts).toEqual({ input: 1, accepted: 1, quarantined: 0, duplicates: 0 });
      expect((await stateOf(context)).slices.map(({ day, rows: count }) => [day, count])).toEqual([['2026-03-02', 2]]);
      expect((await stateOf(context)).catalog).toBe(catalog);
      void folder;
    }));

  it('gives way to the same file when that comes again, and stays beside another one', () =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      await ingest(context, folder, rows);
      expect((await stateOf(context)).quarantine?.length).toBe(1);
      await ingest(context, folder, ['u9,,2026-03-09 10:00,view', 'u9,i9,2026-03-09 10:00,view']);
      expect((await stateOf(context)).quarantine?.map(({ reasons }) => reasons['missing-item'])).toEqual([1, 1]);
    }));

  it.each([
    ['an edit of a column that no row has', { ...noEdits, edits: [{ column: 'acton', to: 'x' }] }, 'UND-INPUT'],
    ['SQL in the name of a column', { ...noEdits, edits: [{ column: '"; DROP TABLE raw; --', to: 'x' }] }, 'UND-INPUT'],
  ])('refuses %s, and changes nothing', (_what, mend, code) =>
    bench(async (context, folder) => {
      await ingest(context, folder, rows);
      const before = await stateOf(context);
      await expect(replay(context, mend)).rejects.toMatchObject({ code });
      expect(await stateOf(context)).toEqual(before);
    }),
  );

  it(
    'conserves every row through any number of mends',
    () =>
      bench(async (context, folder) => {
        await ingest(context, folder, rows);
        const edit = fc.record({
          column: fc.constantFrom('action', 'item', 'at'),
          from: fc.constantFrom(undefined, null, 'buy', 'look'),
          to: fc.constantFrom(null, 'purchase', 'i1', '2026-03-02 10:00', "o'x"),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(edit, { maxLength: 3 }), fc.constantFrom(null, 'unknown-kind', 'missing-item'), async (edits, reason) => {
            const before = await stateOf(context);
            const aside = (await asideOf(context)).filter((row) => row.reason !== 'malformed-row' && (reason === null || row.reason === reason)).length;
            if (before.quarantine === undefined || aside === 0) return;
            const result = await replay(
              context,
              { ...noEdits, edits: edits.map(({ from, ...one }) => (from === undefined ? one : { ...one, from })) },
              { reason },
            );
            const after = await stateOf(context);
            const { counts } = await getDocument(context.state.blobs, result.manifest, ingestManifest);
            expect(counts.input).toBe(aside);
            const rowsIn = (state: DataState) => state.slices.reduce((sum, slice) => sum + slice.rows, 0);
            const rowsAside = (state: DataState) =>
              (state.quarantine ?? []).flatMap(({ reasons }) => Object.values(reasons)).reduce((sum, count) => sum + count, 0);
            expect(rowsIn(after) - rowsIn(before)).toBe(counts.accepted);
            expect(rowsAside(before) - rowsAside(after)).toBe(counts.accepted + counts.duplicates);
            expect((await asideOf(context)).length).toBe(rowsAside(after));
          }),
          { numRuns: 8 },
        );
      }),
    60_000,
  );
});
