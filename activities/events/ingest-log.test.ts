import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { DataState, IngestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { catalogDocument } from './build-catalog.ts';
import { ingestLog } from './ingest-log.ts';
import { type Bench, parquetRows, testCharter, withBench } from './testing.ts';

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 2, 2, 10);
const event = (index: number, change: Partial<Event> = {}): Event => ({
  schemaVersion: 1,
  eventId: `e${index}`,
  kind: 'click',
  surface: 'home',
  userId: 'u1',
  sessionId: 's1',
  itemId: 'i1',
  atMs: startMs + index * hourMs,
  requestId: 'r1',
  position: 3,
  ...change,
});
async function* stream(events: readonly unknown[]) {
  yield* events;
}
const items = ['i1', '2026-03-02'].map((itemId) => ({ itemId, title: itemId, inStock: true }));
type Before = Parameters<typeof ingestLog>[0]['previous'];
async function ingest(
  bench: Bench,
  events: readonly unknown[],
  previous: Before & { quarantine?: DataState['quarantine'] | IngestManifest['quarantine'] } = { slices: [] },
  change: Partial<CharterInput['data']> = {},
) {
  const { quarantine } = previous;
  return ingestLog({
    surface: 'home',
    charter: testCharter({ data: { rules: [{ name: 'rows', measure: 'rows', min: 1_000, action: 'stop' }], ...change } }),
    sourceName: 'log',
    events: stream(events),
    previous,
    quarantine: typeof quarantine === 'string' || quarantine === null ? undefined : quarantine,
    catalog: await putDocument(bench.blobs, items),
    blobs: bench.blobs,
    workDir: join(bench.folder, 'work'),
    nowMs: startMs + 100 * hourMs,
  });
}

describe('ingestLog', () => {
  it('makes slices of live events, with all that they say', () =>
    withBench(async (bench) => {
      const dwell = event(1, { kind: 'dwell', dwellMs: 1_234, itemId: '2026-03-02', userId: undefined });
      const { manifest } = await ingest(bench, [event(0), dwell, event(20)]);
      expect(manifest).toMatchObject({
        counts: { input: 3, accepted: 3, quarantined: 0, duplicates: 0 },
        catalog: digestJson(items),
        quarantine: null,
        warnings: [],
      });
      expect(manifest.slices.map(({ day, rows }) => [day, rows])).toEqual([
        ['2026-03-02', 2],
        ['2026-03-03', 1],
      ]);
      const rows = await parquetRows({ blobs: bench.blobs, digest: manifest.slices[0]?.digest ?? '' });
      expect(rows).toMatchObject([
        { event_id: 'e0', request_id: 'r1', position: 3 },
        { event_id: 'e1', dwell_ms: '1234', item_id: '2026-03-02', user_id: null },
      ]);
    }));

  it('adds what is new to a day, counts what is known as duplicates, and leaves other days alone', () =>
    withBench(async (bench) => {
      const first = await ingest(bench, [event(0), event(1), event(20)]);
      const again = await ingest(bench, [event(0), event(1), event(20), event(2), event(2)], first.manifest);
      expect(again.manifest.counts).toEqual({ input: 5, accepted: 1, quarantined: 0, duplicates: 4 });
      expect(again.manifest.slices.map(({ day, rows }) => [day, rows])).toEqual([['2026-03-02', 3]]);
      const once = await ingest(bench, [event(0), event(1), event(2)]);
      expect(again.manifest.slices).toEqual(once.manifest.slices);
    }));

  it(
    'ends with the same slices however the log is cut',
    () =>
      withBench(async (bench) => {
        const events = Array.from({ length: 12 }, (_, index) => event(index * 5));
        const whole = (await ingest(bench, events)).manifest.slices;
        await fc.assert(
          fc.asyncProperty(fc.array(fc.subarray(events, { minLength: 0 }), { maxLength: 4 }), async (parts) => {
            let state: DataState | undefined;
            for (const part of [...parts, events]) {
              const { manifest, digest } = await ingest(bench, part, state);
              state = mergeDataState({ previous: state, manifest, manifestDigest: digest });
            }
            expect(state?.slices).toEqual(whole);
          }),
          { numRuns: 8 },
        );
      }),
    30_000,
  );

  it('turns away what a clock far ahead dates, which would be the last day of the data', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, [event(0), event(100), event(101), event(102), event(1_000_000)]);
      expect(manifest.counts).toEqual({ input: 5, accepted: 3, quarantined: 2, duplicates: 0 });
      expect(manifest.quarantineByReason).toEqual({ 'in-the-future': 2 });
      expect(manifest.slices.at(-1)?.day).toBe('2026-03-06');
    }));

  it('takes no events as nothing', () =>
    withBench(async (bench) => {
      expect((await ingest(bench, [])).manifest).toMatchObject({ counts: { input: 0, accepted: 0 }, slices: [] });
    }));

  it('drops a repetition on whatever day it comes, and keeps apart what only has the same id', () =>
    withBench(async (bench) => {
      const first = await ingest(bench, [event(0), event(30)]);
      const resent = [event(0), { ...event(0), receivedAtMs: startMs + 50 * hourMs }, event(0, { atMs: startMs + 60 * hourMs }), event(61)];
      const { manifest } = await ingest(bench, resent, first.manifest);
      expect(manifest.counts).toEqual({ input: 4, accepted: 1, duplicates: 2, quarantined: 1 });
      expect(manifest.quarantineByReason).toEqual({ 'event-id-conflict': 1 });
      expect(manifest.slices.map(({ day, rows }) => [day, rows])).toEqual([['2026-03-04', 1]]);
    }));

  it('judges a clock by the moment at which the event came in, whenever the log is read', () =>
    withBench(async (bench) => {
      const came = (index: number, receivedAtMs: number) => ({ ...event(index), receivedAtMs });
      const { manifest } = await ingest(bench, [
        came(10, startMs + 10 * hourMs),
        came(11, startMs + 9 * hourMs),
        came(12, startMs + 9 * hourMs),
        came(13, startMs),
      ]);
      expect(manifest.quarantineByReason).toEqual({ 'in-the-future': 3 });
    }));

  it('does with each record rule what the charter says, or stops', () =>
    withBench(async (bench) => {
      const events = [event(0, { kind: 'impression', atMs: startMs + 5 }), event(1, { atMs: startMs }), event(2, { itemId: 'nobody-knows-it' })];
      const { manifest } = await ingest(bench, events);
      expect(manifest.warnings.map(({ rule, value }) => [rule, value])).toEqual([
        ['unknown-item', 1],
        ['before-impression', 1],
      ]);
      const strict = await ingest(bench, events, { slices: [] }, { recordRules: { 'unknown-item': 'quarantine', 'before-impression': 'quarantine' } });
      expect(strict.manifest.quarantineByReason).toEqual({ 'unknown-item': 1, 'before-impression': 1 });
      expect(strict.manifest.rulesDigest).not.toBe(manifest.rulesDigest);
      const count = await bench.blobCount();
      await expect(ingest(bench, events, { slices: [] }, { recordRules: { 'unknown-item': 'stop', 'before-impression': 'stop' } })).rejects.toMatchObject({
        code: 'UND-RULE-STOP',
      });
      expect(await bench.blobCount()).toBe(count);
    }));

  it('keeps changes of items and people in slices of their own, and changes the catalog', () =>
    withBench(async (bench) => {
      const change = (eventId: string, own: Record<string, unknown>) => ({
        schemaVersion: 1,
        eventId,
        surface: 'home',
        atMs: startMs,
        receivedAtMs: startMs + 9,
        ...own,
      });
      const changes = [
        change('c1', { kind: 'catalog', itemId: 'i1', title: 'Lamp', priceMinor: 450, inStock: false }),
        change('c2', { kind: 'catalog', itemId: 'i1', priceMinor: null, atMs: startMs + 1 }),
        change('c3', { kind: 'catalog', itemId: 'i9', title: 'Vase' }),
        change('c4', { kind: 'consent', userId: 'u1', purposes: { training: false } }),
        // A clock that is a day ahead: it counts from when it came in.
        change('c5', { kind: 'login', userId: 'u1', sessionId: 's1', atMs: startMs + 24 * hourMs }),
      ];
      const first = await ingest(bench, [event(0), ...changes.slice(0, 4)]);
      expect(first.manifest.counts).toEqual({ input: 5, accepted: 5, quarantined: 0, duplicates: 0 });
      expect(first.manifest.acceptedByKind).toEqual({ click: 1, catalog: 3, consent: 1 });
      expect(await getDocument(bench.blobs, first.manifest.catalog, catalogDocument)).toEqual([
        items[1],
        { itemId: 'i1', title: 'Lamp', inStock: false },
        { itemId: 'i9', title: 'Vase', inStock: true, availableFromMs: startMs },
      ]);
      const state = mergeDataState({ previous: undefined, manifest: first.manifest, manifestDigest: first.digest });
      const second = await ingest(bench, [changes[0], changes[4], { ...changes[0], kind: 'nonsense', eventId: 'c6' }], state);
      expect(second.manifest.counts).toEqual({ input: 3, accepted: 1, quarantined: 1, duplicates: 1 });
      expect(second.manifest.catalog).toBe(digestJson(items));
      expect(second.manifest.changes?.map(({ day, rows }) => [day, rows])).toEqual([['2026-03-02', 5]]);
      const rows = await parquetRows<Record<string, string>>({ blobs: bench.blobs, digest: second.manifest.changes?.[0]?.digest ?? '' });
      expect(rows.map(({ kind, subject, at_ms }) => [kind, subject, Number(at_ms) - startMs])).toEqual([
        ['catalog', 'i:i1', 0],
        ['catalog', 'i:i9', 0],
        ['consent', 'u:u1', 0],
        ['catalog', 'i:i1', 1],
        ['login', 'u:u1', 9],
      ]);
      const whole = await ingest(bench, [event(0), ...changes]);
      expect(second.manifest.changes).toEqual(whole.manifest.changes);
    }));

  it('has each record once, whatever became of it, however often it is sent again and wherever the log is cut', { timeout: 60_000 }, () =>
    withBench(async (bench) => {
      const profile = { eventId: 'p', kind: 'profile', userId: 'u1', attributes: { tier: 'gold' }, surface: 'home', atMs: startMs, schemaVersion: 1 };
      const records: readonly Record<string, unknown>[] = [
        event(0),
        event(1, { itemId: 'nobody-knows-it' }),
        event(2, { atMs: startMs + 1_000 * hourMs }),
        event(3, { itemId: undefined }),
        profile,
        { ...profile, eventId: 'of-another-version', schemaVersion: 9 },
        { ...event(0), itemId: '2026-03-02' },
        { ...profile, attributes: { tier: 'tin' } },
      ];
      const held = async (parts: readonly (readonly unknown[])[]) => {
        let state: DataState | undefined;
        const ids: string[] = [];
        for (const part of parts) {
          const recordRules = { 'unknown-item': 'quarantine' } as const;
          const { manifest, digest } = await ingest(bench, part, state, { recordRules });
          expect(manifest.counts.input).toBe(part.length);
          state = mergeDataState({ previous: state, manifest, manifestDigest: digest });
        }
        for (const { digest } of [...(state?.slices ?? []), ...(state?.changes ?? [])])
          ids.push(...(await parquetRows<{ event_id: string }>({ blobs: bench.blobs, digest })).map((row) => row.event_id));
        for (const { digest } of state?.quarantine ?? [])
          ids.push(...(await parquetRows<{ raw: string; reason: string }>({ blobs: bench.blobs, digest })).map((row) => `${row.raw} ${row.reason}`));
        return ids.map((id) => id.replace(/"receivedAtMs":(null|"\d+")/, '').replace(/,"body":null/, '')).sort();
      };
      const once = await held([records]);
      expect(once).toHaveLength(records.length);
      const again = fc.array(fc.record({ nth: fc.nat(records.length - 1), later: fc.nat(20), receivedAtMs: fc.constantFrom(undefined, startMs + 1) }), {
        maxLength: 12,
      });
      await fc.assert(
        fc.asyncProperty(again, fc.array(fc.nat(20), { maxLength: 3 }), async (resent, cuts) => {
          const log: Record<string, unknown>[] = [...records];
          // Never before the record itself: of two with one id the first holds.
          for (const { nth, later, receivedAtMs } of resent) {
            const first = log.indexOf(records[nth] as Record<string, unknown>);
            log.splice(Math.min(log.length, first + 1 + later), 0, { ...records[nth], ...(receivedAtMs === undefined ? {} : { receivedAtMs }) });
          }
          const places = [0, ...cuts.map((cut) => Math.min(cut, log.length)).sort((a, b) => a - b), log.length];
          expect(await held(places.slice(1).map((to, nth) => log.slice(places[nth], to)))).toEqual(once);
        }),
        { numRuns: 12 },
      );
    }),
  );
});
