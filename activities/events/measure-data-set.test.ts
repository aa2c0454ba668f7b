import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DataSetRule } from '../../models/contracts/data-set-rule.ts';
import { addDays } from '../windows/days.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { columnMapping } from './column-mapping.ts';
import type { IngestBatchInput } from './ingest-batch.ts';
import { ingestLog } from './ingest-log.ts';
import { type Bench, ingestFile, parquetRows, testCharter, withBench } from './testing.ts';

const monday = '2026-01-05';
const mapping = columnMapping({ user: 'who', item: 'item', at: 'at', price: 'price', constantKind: 'purchase' });
/** So many rows on each day, from the first Monday on; Sundays are half as busy. */
function rowsOf(days: number, change: (day: string, nth: number) => { rows?: number; price?: string; who?: string } = () => ({}), fromDay = monday) {
  return Array.from({ length: days }, (_, nth) => addDays(fromDay, nth)).flatMap((day) => {
    const usual = new Date(day).getUTCDay() === 0 ? 10 : 20;
    return Array.from({ length: change(day, 0).rows ?? usual }, (_, nth) => {
      const { price = `${(nth % 10) + 1}.00`, who = `u${nth}` } = change(day, nth);
      return `${who},i${nth % 7},${day} 10:${String(nth % 60).padStart(2, '0')}:${String(Math.floor(nth / 60)).padStart(2, '0')},${price}`;
    });
  });
}
async function ingest(bench: Bench, rows: readonly string[], rules: readonly DataSetRule[], more: Partial<IngestBatchInput> = {}, head = 'who,item,at,price') {
  const path = join(bench.folder, 'events.csv');
  await writeFile(path, `${head}\n${rows.join('\n')}\n`);
  return ingestFile(bench, { path, mapping, charter: testCharter({ data: { rules: [...rules] } }), ...more });
}
const rule = (change: Partial<DataSetRule>): DataSetRule => ({ name: 'one', measure: 'rows', action: 'warn', ...change });
const valuesOf = ({ manifest }: Awaited<ReturnType<typeof ingest>>) => manifest.warnings.map(({ rule: name, value }) => [name, Number(value.toFixed(3))]);

describe('what is measured of a batch', () => {
  it('is rows, values, shares of what is missing, put aside or repeated, and age', () =>
    withBench(async (bench) => {
      const never = { min: 1e9 };
      const rows = [...rowsOf(2), rowsOf(1)[0] as string, ',i1,2026-01-06 12:00:00,', 'u,,2026-01-06 12:00:00,1'];
      const rules = [
        rule({ name: 'rows', measure: 'rows', ...never }),
        rule({ name: 'items', measure: 'distinct-values', column: 'item_id', ...never }),
        rule({ name: 'users', measure: 'null-user-share', ...never }),
        rule({ name: 'prices', measure: 'null-share', column: 'unit_price_minor', ...never }),
        rule({ name: 'aside', measure: 'quarantine-share', ...never }),
        rule({ name: 'twice', measure: 'duplicate-share', ...never }),
        rule({ name: 'age', measure: 'freshness-days', ...never }),
      ];
      expect(valuesOf(await ingest(bench, rows, rules, { asOfDay: '2026-01-09' }))).toEqual([
        ['rows', 41],
        ['items', 7],
        ['users', 0.024],
        ['prices', 0.024],
        ['aside', 0.023],
        ['twice', 0.023],
        ['age', 3],
      ]);
      await expect(ingest(bench, rows, rules)).rejects.toMatchObject({ code: 'UND-INPUT' });
    }));

  it("is each day's volume against the same weekday, in the batch and in the slices before it", () =>
    withBench(async (bench) => {
      const usual = rule({ name: 'usual', measure: 'weekday-volume', min: 0.6, max: 1.5 });
      expect((await ingest(bench, rowsOf(42), [usual])).manifest.warnings).toEqual([]);
      const low = (day: string) => (day === '2026-02-12' ? { rows: 5 } : day === '2026-02-15' ? { rows: 20 } : {});
      const all = await ingest(bench, rowsOf(42, low), [usual]);
      expect(all.manifest.warnings.map(({ message }) => message)).toEqual([
        'weekday-volume on 2026-02-12 is 0.2500 (5 rows, usually 20), below 0.6',
        'weekday-volume on 2026-02-15 is 2 (20 rows, usually 10), above 1.5',
      ]);
      const first = await ingest(bench, rowsOf(35), [usual]);
      const before = mergeDataState({ previous: undefined, manifest: first.manifest, manifestDigest: first.digest });
      const second = await ingest(bench, rowsOf(7, low, addDays(monday, 35)), [usual], { before });
      expect(second.manifest.warnings).toEqual(all.manifest.warnings);
      // A day that is missing between two is one without rows; today is not over.
      const gap = await ingest(
        bench,
        rowsOf(42, (day) => (day === '2026-02-11' ? { rows: 0 } : {})),
        [usual],
        { asOfDay: '2026-02-14' },
      );
      expect(gap.manifest.warnings.map(({ message }) => message)).toEqual(['weekday-volume on 2026-02-11 is 0 (0 rows, usually 20), below 0.6']);
    }));

  it('puts aside the rows of a day, or of the batch, where the charter says so', () =>
    withBench(async (bench) => {
      const flood = (day: string) => (day === '2026-02-12' ? { rows: 60 } : {});
      const usual = rule({ name: 'usual', measure: 'weekday-volume', max: 1.5, action: 'quarantine' });
      const { manifest } = await ingest(bench, rowsOf(42, flood), [usual]);
      expect(manifest.quarantineByReason).toEqual({ usual: 60 });
      expect(manifest.slices.map(({ day }) => day)).not.toContain('2026-02-12');
      const aside = await parquetRows<{ reason: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      expect(aside.length).toBe(60);
      const few = await ingest(bench, rowsOf(3), [rule({ name: 'few', min: 1_000, action: 'quarantine' })]);
      expect(few.manifest).toMatchObject({ counts: { accepted: 0, quarantined: 60 }, quarantineByReason: { few: 60 }, slices: [] });
    }));

  it('is how far a column has moved, in a batch and against earlier slices', () =>
    withBench(async (bench) => {
      const moved = rule({ name: 'moved', measure: 'distribution-shift', column: 'unit_price_minor', max: 0.25 });
      expect((await ingest(bench, rowsOf(35), [moved])).manifest.warnings).toEqual([]);
      const dearer = (day: string) => (day >= addDays(monday, 28) ? { price: '99.00' } : {});
      const all = await ingest(bench, rowsOf(35, dearer), [moved]);
      expect(all.manifest.warnings[0]?.message).toMatch(
        /^distribution-shift of unit_price_minor is \d+\.\d{4} \(2026-02-02 to 2026-02-08 against the 28 days before\), above 0.25$/,
      );
      const first = await ingest(bench, rowsOf(28), [moved]);
      const before = mergeDataState({ previous: undefined, manifest: first.manifest, manifestDigest: first.digest });
      const second = await ingest(bench, rowsOf(7, dearer, addDays(monday, 28)), [moved], { before });
      expect(second.manifest.warnings).toEqual(all.manifest.warnings);
    }));

  it('is which columns came and went', () =>
    withBench(async (bench) => {
      const drift = rule({ name: 'drift', measure: 'schema-drift', max: 0, action: 'stop' });
      const first = await ingest(bench, rowsOf(2), [drift]);
      expect(first.manifest.source.columns).toEqual(['who', 'item', 'at', 'price']);
      const renamed = rowsOf(2).map((row) => `${row},x`);
      const again = ingest(bench, renamed, [drift], { columnsBefore: [...(first.manifest.source.columns ?? []), 'shop'] }, 'who,item,at,price,store');
      await expect(again).rejects.toMatchObject({ code: 'UND-RULE-STOP', message: expect.stringContaining('schema-drift is 2 (+store -shop), above 0') });
    }));

  it('of the log is what speaks of days that are over', () =>
    withBench(async (bench) => {
      const usual = rule({ name: 'usual', measure: 'weekday-volume', min: 0.6, action: 'stop' });
      const startMs = Date.parse(`${monday}T10:00:00Z`);
      const event = (day: number, nth: number) => ({
        schemaVersion: 1,
        eventId: `${day}-${nth}`,
        kind: 'view',
        surface: 'home',
        sessionId: 's',
        itemId: 'i',
        atMs: startMs + day * 86_400_000 + nth,
      });
      const take = (days: readonly number[], rows: number, nowDay: number, previous: Parameters<typeof ingestLog>[0]['previous'] = { slices: [] }) =>
        ingestLog({
          surface: 'home',
          charter: testCharter({ data: { rules: [usual, rule({ name: 'rows', min: 1e9, action: 'stop' })] } }),
          sourceName: 'log',
          events: (async function* () {
            for (const day of days) for (let nth = 0; nth < rows; nth += 1) yield event(day, nth);
          })(),
          previous,
          catalog,
          blobs: bench.blobs,
          workDir: join(bench.folder, 'work'),
          nowMs: startMs + nowDay * 86_400_000,
        });
      const catalog = await bench.blobs.put(Buffer.from('[]'));
      const weeks = Array.from({ length: 28 }, (_, day) => day);
      const { manifest } = await take(weeks, 10, 28);
      expect((await take([28], 3, 28, manifest)).manifest.warnings).toEqual([]);
      await expect(take([28], 3, 29, manifest)).rejects.toMatchObject({ code: 'UND-RULE-STOP' });
    }));
});
