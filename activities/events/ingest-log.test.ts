import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../models/contracts/event.ts';
import type { DataState } from '../../models/contracts/window.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
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
async function* stream(events: readonly Event[]) {
  yield* events;
}
const catalog = `sha256:${'0'.repeat(64)}`;
const ingest = (bench: Bench, events: readonly Event[], previous: DataState['slices'] = []) =>
  ingestLog({
    surface: 'home',
    charter: testCharter({ data: { rules: [{ name: 'rows', measure: 'rows', min: 1_000, action: 'stop' }] } }),
    sourceName: 'log',
    events: stream(events),
    previous,
    catalog,
    blobs: bench.blobs,
    workDir: join(bench.folder, 'work'),
    nowMs: startMs + 100 * hourMs,
  });

describe('ingestLog', () => {
  it('makes slices of live events, with all that they say', () =>
    withBench(async (bench) => {
      const dwell = event(1, { kind: 'dwell', dwellMs: 1_234, itemId: '2026-03-02', userId: undefined });
      const { manifest } = await ingest(bench, [event(0), dwell, event(20)]);
      expect(manifest).toMatchObject({ counts: { input: 3, accepted: 3, quarantined: 0, duplicates: 0 }, catalog, quarantine: null, warnings: [] });
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
      const again = await ingest(bench, [event(0), event(1), event(20), event(2), event(2)], first.manifest.slices);
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
              const { manifest, digest } = await ingest(bench, part, state?.slices);
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
});
