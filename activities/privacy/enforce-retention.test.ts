import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataState, type DataState } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import { openLogReader, openLogWriter } from '../../stores/event-log-files.ts';
import { readLedger } from '../../stores/ledger.ts';
import { fileReport } from '../../stores/report-inbox.ts';
import { latestReport, readReports } from '../../stores/reports.ts';
import { type Context, readLatest } from '../context.ts';
import { ingestEventLog } from '../events/ingest-event-log.ts';
import { publishData } from '../events/publish-data.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { benchContext, parquetRows, quietBeat, testCharter, withBench } from '../events/testing.ts';
import { openReport } from '../escalation/open-report.ts';
import { takeReportStep } from '../escalation/take-step.ts';
import { registerCharter } from '../registry/charters.ts';
import { cutoffsOf } from './cutoffs.ts';
import { enforceRetention } from './enforce-retention.ts';

const dayMs = 86_400_000;
/** 20 March 2026, noon, is now. */
const at = (daysAgo: number) => Date.UTC(2026, 2, 20, 12) - daysAgo * dayMs;
let count = 0;
const event = (kind: string, daysAgo: number, own: Record<string, unknown> = {}) => ({
  schemaVersion: 1,
  eventId: `e${count++}`,
  kind,
  surface: 'home',
  userId: 'u',
  sessionId: 's',
  itemId: 'i',
  atMs: at(daysAgo),
  ...own,
});
const retention = { days: 10, daysOf: { purchase: 15, view: 3 }, slateDays: 5, quarantineDays: 4, reportDays: 365 };

async function withData(events: readonly unknown[], use: (context: Context) => Promise<void>, ingestedDaysAgo = 0): Promise<void> {
  await withBench(async ({ folder }) => {
    const context = benchContext(join(folder, 'state'));
    const { state } = context;
    // What is too old when it comes is not taken in: it is kept for as long as nobody says otherwise.
    const charter = testCharter({ confidence: { view: 1, purchase: 1 } });
    await registerCharter(state, charter, 1);
    const catalog = await putDocument(state.blobs, [{ itemId: 'i', title: 'i', inStock: true }]);
    await publishData({
      state,
      surface: 'home',
      charter,
      nowMs: () => at(20),
      beat: quietBeat,
      ingest: ({ workDir }) =>
        ingestLog({
          surface: 'home',
          charter,
          sourceName: 'nothing',
          events: (async function* () {})(),
          previous: { slices: [] },
          catalog,
          blobs: state.blobs,
          workDir,
          nowMs: at(0),
        }),
    });
    const writer = await openLogWriter({ directory: join(state.root, 'log', 'home', 'events'), writer: 'w' });
    for (const one of events) {
      await writer.append([one]);
      await writer.seal();
    }
    await writer.close();
    const slates = await openLogWriter({ directory: join(state.root, 'log', 'home', 'slates'), writer: 'w' });
    await slates.append([4, 5, 6].map((daysAgo) => ({ requestId: `r${daysAgo}`, atMs: at(daysAgo) })));
    await slates.close();
    await ingestEventLog({ ...context, now: () => at(ingestedDaysAgo) }, { surface: 'home', charter: null }, quietBeat);
    await registerCharter(state, testCharter({ retention, confidence: { view: 1, purchase: 1 } }), 2);
    await use(context);
  });
}
const dataOf = async ({ state }: Context): Promise<DataState> => (await readLatest(state.generations, 'data/home', dataState))?.document as DataState;
async function rowsOf(context: Context): Promise<string[]> {
  const { slices } = await dataOf(context);
  const rows = await Promise.all(slices.map(({ digest }) => parquetRows<{ kind: string; at_ms: string }>({ blobs: context.state.blobs, digest })));
  return rows.flat().map(({ kind, at_ms }) => `${kind} ${(at(0) - Number(at_ms)) / dayMs}`);
}

describe('retention', () => {
  it('keeps each kind for its own number of days, on the calendar of the surface', () => {
    const zone = { retention, timeZone: 'Europe/London', nowMs: Date.UTC(2026, 2, 30, 0, 30) };
    // It is the 30th in London, by summer time, which began on the 29th: three days are 28, 29 and 30.
    expect(new Date(cutoffsOf(zone).events.view).toISOString()).toBe('2026-03-28T00:00:00.000Z');
    expect(new Date(cutoffsOf({ ...zone, retention: { ...retention, daysOf: { view: 1 } } }).events.view).toISOString()).toBe('2026-03-29T23:00:00.000Z');
  });

  it('erases what is older from data, logs, profiles and all that earlier generations held, and nothing else', () =>
    withData(
      [
        event('view', 1),
        event('view', 2),
        event('view', 3),
        event('purchase', 3),
        event('click', 9),
        event('click', 10),
        event('purchase', 14),
        event('purchase', 15),
      ],
      async (context) => {
        const { state } = context;
        const before = await dataOf(context);
        expect((await rowsOf(context)).length).toBe(8);
        const result = await enforceRetention(context, { surface: 'home' }, quietBeat);
        expect(result).toMatchObject({ removed: { events: 3, loggedEvents: 3, slates: 2 }, days: 3 });
        expect(await rowsOf(context)).toEqual(['purchase 14', 'click 9', 'purchase 3', 'view 2', 'view 1']);
        expect((await dataOf(context)).slices.filter(({ digest }) => before.slices.some((slice) => slice.digest === digest)).length).toBe(4);
        const logged = (await openLogReader({ directory: join(state.root, 'log', 'home', 'events') }).tail({})).records as { kind: string }[];
        expect(logged.length).toBe(5);
        const gone = before.slices.filter(({ day }) => ['2026-03-05', '2026-03-10', '2026-03-17'].includes(day));
        expect(gone.length).toBe(3);
        for (const { digest } of gone)
          await expect(state.blobs.localPath(digest)).rejects.toMatchObject({ code: 'UND-ERASED', details: { certificate: 'retention-home-2026-03-20' } });
        // A segment of which nothing is left takes no room.
        const files = await readdir(join(state.root, 'log', 'home', 'events'));
        const sizes = await Promise.all(
          files.filter((file) => file.endsWith('.jsonl')).map(async (file) => (await readFile(join(state.root, 'log', 'home', 'events', file))).length),
        );
        expect(sizes.filter((size) => size === 0).length).toBe(3);
        expect((await readLedger(state.generations, 'home')).map(({ action }) => action)).toEqual([
          'charter-registered',
          'charter-registered',
          'retention-enforced',
        ]);
        // Again: nothing more. And what is taken in later comes on top of it.
        expect(await enforceRetention(context, { surface: 'home' }, quietBeat)).toMatchObject({ removed: {}, days: 0, blobs: 0 });
        await ingestEventLog(context, { surface: 'home', charter: null }, quietBeat);
        expect((await rowsOf(context)).length).toBe(5);
        const profiles = (await state.generations.latest('profiles/home'))?.document as { blob: string };
        expect(JSON.parse(Buffer.from(await state.blobs.get(profiles.blob)).toString('utf8')).u.length).toBe(4);
      },
    ));

  it('drops what was cut off torn segments, by what stands in it or by its age', () =>
    withData([event('click', 1)], async (context) => {
      const folder = join(context.state.root, 'log', 'home', 'events');
      const cut = async (name: string, text: string, daysAgo: number) => {
        await writeFile(join(folder, `${name}.cut`), text);
        await utimes(join(folder, `${name}.cut`), at(daysAgo) / 1000, at(daysAgo) / 1000);
      };
      await cut('a-00000001~x', `torn","userId":"u1"}\n${JSON.stringify(event('view', 4))}\n`, 1);
      await cut('b-00000001~x', `torn","userId":"u1"}\n${JSON.stringify(event('view', 1))}\n`, 1);
      await cut('c-00000001~x', 'torn","userId":"u1"}\n{"ever', 3);
      await cut('d-00000001~x', '\u0000\u0000\nnull\n7\n', 2);
      const left = async () => (await readdir(folder)).filter((file) => file.endsWith('.cut')).map((file) => file[0]);
      expect(await enforceRetention(context, { surface: 'home' }, quietBeat)).toMatchObject({ removed: { tornTails: 2 } });
      expect(await left()).toEqual(['b', 'd']);
      const later = { ...context, now: () => at(-2) };
      expect(await enforceRetention(later, { surface: 'home' }, quietBeat)).toMatchObject({ removed: { tornTails: 2 } });
      expect(await left()).toEqual([]);
    }));

  it('drops quarantine by its age', () =>
    withData(
      [event('click', 6), event('click', 6, { itemId: undefined })],
      async (context) => {
        expect((await dataOf(context)).quarantine).toMatchObject([{ sinceMs: at(5) }]);
        const digest = (await dataOf(context)).quarantine?.[0]?.digest ?? '';
        expect(await enforceRetention(context, { surface: 'home' }, quietBeat)).toMatchObject({ removed: { quarantined: 1 } });
        expect((await dataOf(context)).quarantine).toBeUndefined();
        await expect(context.state.blobs.get(digest)).rejects.toMatchObject({ code: 'UND-ERASED' });
      },
      5,
    ));

  it('drops what reporters said a while after their reports were closed, and not how those went', () =>
    withData([event('click', 1)], async (context) => {
      const { state } = context;
      await registerCharter(state, testCharter({ owners: ['ann'], retention: { ...retention, reportDays: 7 } }), 3);
      const file = async (itemId: string, daysAgo: number, isClosed: boolean) => {
        const then = { ...context, now: () => at(daysAgo) };
        const report = {
          surface: 'home',
          about: { of: 'item' as const, itemId },
          kind: 'wrong' as const,
          words: `words on ${itemId}`,
          reporter: { userId: 'u' },
        };
        const { id } = await fileReport({ root: state.root, generations: state.generations }, { ...report, nowMs: at(daysAgo) });
        const of = { surface: 'home', id };
        await openReport(then, of);
        const step = { do: 'reject' as const, by: 'ann', why: 'as it was', proof: { kind: 'unauthenticated' as const } };
        if (isClosed) expect(await takeReportStep(then, { ...of, step, operation: `close/${itemId}` })).toMatchObject({ accepted: true });
        return async () => state.blobs.has((await latestReport(state.generations, of))?.text ?? '');
      };
      const [old, open, young] = [await file('a', 8, true), await file('b', 8, false), await file('c', 6, true)];
      expect(await enforceRetention(context, { surface: 'home' }, quietBeat)).toMatchObject({ removed: { reports: 1 }, blobs: 1 });
      expect([await old(), await open(), await young()]).toEqual([false, true, true]);
      expect((await readReports(state.generations, 'home')).map(({ state: is }) => is).sort()).toEqual(['open', 'rejected', 'rejected']);
      expect(await enforceRetention(context, { surface: 'home' }, quietBeat)).toMatchObject({ removed: {} });
    }));

  it('is asked for only where the charter has some', () =>
    withBench(async ({ folder }) => {
      const context = benchContext(join(folder, 'state'));
      await registerCharter(context.state, testCharter(), 1);
      await expect(enforceRetention(context, { surface: 'home' }, quietBeat)).rejects.toMatchObject({ code: 'UND-CHARTER' });
    }));
});
