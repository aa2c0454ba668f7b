import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { type DataState, dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { IngestRequest } from '../api.ts';
import { type Context, readLatest } from '../context.ts';
import { addDays } from '../windows/days.ts';
import { catalogDocument } from './build-catalog.ts';
import { columnMapping } from './column-mapping.ts';
import { ingestSource } from './ingest-source.ts';
import { benchContext, quietBeat, testCharter, withBench } from './testing.ts';

const firstDay = '2026-03-02';
const header = 'user,item,at,title';
/** One view an hour of a day, of the items `name-0` to `name-4`. */
const rowsOf = (name: string, days: number, from = firstDay) =>
  Array.from({ length: days * 5 }, (_, index) => `u${index % 3},${name}-${index % 5},${addDays(from, Math.floor(index / 5))} 1${index % 5}:00:00,${name}`);

async function request(context: Context, path: string, rows: readonly string[], change: Partial<IngestRequest> = {}): Promise<IngestRequest> {
  const content = `${[header, ...rows].join('\n')}\n`;
  await writeFile(path, content);
  const { blobs } = context.state;
  return {
    surface: 'home',
    charter: await putDocument(blobs, testCharter({ retrainOnNewData: true })),
    mapping: await putDocument(blobs, columnMapping({ user: 'user', item: 'item', at: 'at', title: 'title', constantKind: 'view' })),
    source: { path, name: basename(path), digest: digestBytes(content) },
    endsAt: null,
    ...change,
  };
}

const stateOf = async (context: Context): Promise<DataState> => {
  const latest = await readLatest(context.state.generations, 'data/home', dataState);
  if (latest === undefined) throw new Error('no data');
  return latest.document;
};
const itemsOf = async (context: Context) => getDocument(context.state.blobs, (await stateOf(context)).catalog, catalogDocument);
const days = (state: DataState, source: string) => state.slices.filter((slice) => slice.source === source).map(({ day }) => day);

/** Does `act` once, before the first write into the series. */
function beforeFirst(context: Context, series: string, act: () => Promise<void>): Context {
  let done = false;
  const { generations } = context.state;
  const create: typeof generations.create = async (name, generation, document) => {
    if (name === series && !done) {
      done = true;
      await act();
    }
    return generations.create(name, generation, document);
  };
  return { ...context, state: { ...context.state, generations: { ...generations, create } } };
}

describe('ingestSource', () => {
  it('holds the events of a source once, whatever they were shifted by before', () =>
    withBench(async (bench) => {
      const context = benchContext(join(bench.folder, 'one'));
      const path = join(bench.folder, 'shop.csv');
      const other = await request(context, join(bench.folder, 'other.csv'), rowsOf('cup', 2));
      await ingestSource(context, other, quietBeat);
      for (const endsAt of ['2026-05-20', null, '2026-05-06', '2026-05-20'])
        await ingestSource(context, await request(context, path, rowsOf('lamp', 9), { endsAt }), quietBeat);

      const fresh = benchContext(join(bench.folder, 'two'));
      await ingestSource(fresh, await request(fresh, join(bench.folder, 'other.csv'), rowsOf('cup', 2)), quietBeat);
      await ingestSource(fresh, await request(fresh, path, rowsOf('lamp', 9), { endsAt: '2026-05-20' }), quietBeat);
      const [after, expected] = [await stateOf(context), await stateOf(fresh)];
      expect(after.slices).toEqual(expected.slices);
      expect(days(after, 'shop.csv')).toHaveLength(9);
      expect(days(after, 'other.csv')).toEqual([firstDay, addDays(firstDay, 1)]);
      // Nor does the catalog remember when things were sold under another shift.
      expect(await itemsOf(context)).toEqual(await itemsOf(fresh));
    }));

  it('replaces only the days of another file of the same name, whose shift is the same', () =>
    withBench(async (bench) => {
      const context = benchContext(bench.folder);
      const path = join(bench.folder, 'shop.csv');
      await ingestSource(context, await request(context, path, rowsOf('lamp', 4)), quietBeat);
      await ingestSource(context, await request(context, path, rowsOf('cup', 2, addDays(firstDay, 3))), quietBeat);
      const state = await stateOf(context);
      expect(days(state, 'shop.csv')).toEqual([0, 1, 2, 3, 4].map((day) => addDays(firstDay, day)));
      expect(state.slices.every((slice) => !('shiftDays' in slice))).toBe(true);
      // Without rows there is no shift to speak of.
      await ingestSource(context, await request(context, path, [], { endsAt: '2026-05-20' }), quietBeat);
      expect((await stateOf(context)).slices).toEqual(state.slices);
      expect(await itemsOf(context)).toHaveLength(10);
    }));

  it('keeps the items of both sources when two are ingested at once', () =>
    withBench(async (bench) => {
      const context = benchContext(bench.folder);
      const lamps = await request(context, join(bench.folder, 'lamps.csv'), rowsOf('lamp', 3));
      const cups = await request(context, join(bench.folder, 'cups.csv'), rowsOf('cup', 3));
      const late = beforeFirst(context, 'data/home', async () => void (await ingestSource(context, cups, quietBeat)));
      const result = await ingestSource(late, lamps, quietBeat);
      expect(result.generation).toBe(2);
      expect((await itemsOf(context)).map(({ itemId }) => itemId)).toEqual(
        [0, 1, 2, 3, 4].map((n) => `cup-${n}`).concat([0, 1, 2, 3, 4].map((n) => `lamp-${n}`)),
      );
      const state = await stateOf(context);
      expect([days(state, 'lamps.csv').length, days(state, 'cups.csv').length]).toEqual([3, 3]);
      expect(state.ingest).toBe(result.manifest);
      // One after the other is the same, and each again is nothing new.
      await ingestSource(context, cups, quietBeat);
      await ingestSource(context, lamps, quietBeat);
      expect(await stateOf(context)).toEqual(state);
    }));

  it('measures freshness by the day that it is, before any shift', () =>
    withBench(async (bench) => {
      const context = benchContext(bench.folder);
      const { blobs } = context.state;
      const ingest = async (action: 'warn' | 'stop', change: { endsAt?: string; timeZone?: string } = {}) => {
        const { endsAt = null, timeZone = 'Europe/London' } = change;
        const rules = [{ name: 'fresh', measure: 'freshness-days' as const, max: 5, action }];
        const charter = await putDocument(blobs, testCharter({ timeZone, data: { rules } }));
        const result = await ingestSource(context, await request(context, join(bench.folder, 'shop.csv'), rowsOf('lamp', 9), { charter, endsAt }), quietBeat);
        return (await getDocument(blobs, result.manifest, ingestManifest)).warnings;
      };
      expect(await ingest('warn')).toEqual([{ rule: 'fresh', message: 'freshness-days is 10, above 5', value: 10 }]);
      expect(await ingest('warn', { timeZone: 'Pacific/Auckland' })).toMatchObject([{ value: 11 }]);
      await expect(ingest('stop')).rejects.toMatchObject({ code: 'UND-RULE-STOP', message: expect.stringContaining('freshness-days is 10') });
      const note = [{ rule: 'fresh', message: 'does not apply: the timestamps were shifted by 7 days', value: 7 }];
      expect(await ingest('stop', { endsAt: '2026-03-20' })).toEqual(note);
      // The file ends on the weekday of that day: nothing was shifted.
      expect(await ingest('warn', { endsAt: '2026-03-10' })).toMatchObject([{ value: 10 }]);
    }));

  it('asks for a retraining though the attempt that published the data died before it could say so', () =>
    withBench(async (bench) => {
      const context = benchContext(bench.folder);
      const lamps = await request(context, join(bench.folder, 'lamps.csv'), rowsOf('lamp', 3));
      const dying = beforeFirst(context, 'profiles/home', () => Promise.reject(new Error('killed')));
      await expect(ingestSource(dying, lamps, quietBeat)).rejects.toThrow('killed');
      expect(await ingestSource(context, lamps, quietBeat)).toMatchObject({ generation: 1, retrain: true });
      // What another source brought since asks by itself.
      await ingestSource(context, await request(context, join(bench.folder, 'cups.csv'), rowsOf('cup', 3)), quietBeat);
      expect(await ingestSource(context, lamps, quietBeat)).toMatchObject({ generation: 2, retrain: false });
      const silent = await putDocument(context.state.blobs, testCharter());
      expect(await ingestSource(context, { ...lamps, charter: silent }, quietBeat)).toMatchObject({ retrain: false });
    }));
});
