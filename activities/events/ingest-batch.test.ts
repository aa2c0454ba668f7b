import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes, digestJson } from '../../models/contracts/digest.ts';
import { parseEvent } from '../../models/contracts/event-schemas.ts';
import { getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from './build-catalog.ts';
import { columnMapping } from './column-mapping.ts';
import { eventColumns } from './event-columns.ts';
import type { IngestBatchInput } from './ingest-batch.ts';
import { type Bench, ingestFile, parquetRows, testCharter, withBench } from './testing.ts';

const mapping = columnMapping({
  user: 'user',
  item: 'item',
  at: 'at',
  kind: 'kind',
  quantity: 'quantity',
  price: 'price',
  title: 'title',
  kinds: { buy: 'purchase' },
});
const header = 'user,item,at,kind,quantity,price,title';
const rows = [
  'u1,i1,2026-03-02 10:00:00,view,,,Lamp',
  'u1,i1,2026-03-02 10:05:00,buy,2,4.95,Lamp',
  'u1,i2,2026-03-03 23:59:59,buy,1,0.10,"Cup, blue"',
  ',i1,2026-03-03 12:00:00,view,,,Lamp',
  'u2,i1,2026-03-04 00:00:00,purchase,1,4.50,Desk lamp',
  'u1,i1,2026-03-02 10:05:00,buy,2,4.95,Lamp',
  'u2,,2026-03-04 00:00:00,view,,,',
  'u2,i1,yesterday,view,,,',
  'u2,i1,2026-03-04 00:00:00,stare,,,',
  'u2,i1,2026-03-04 00:00:00,buy,0,1,',
  'u2,i1,2026-03-04 00:00:00,buy,2.5,1,',
  'u2,i1,2026-03-04 00:00:00,buy,1,free,',
];

async function csv({ folder }: Bench, lines: readonly string[], file = 'events.csv'): Promise<string> {
  const path = join(folder, file);
  const whole = `${[header, ...lines].join('\n')}\n`;
  await writeFile(path, file.endsWith('.gz') ? gzipSync(whole) : whole);
  return path;
}

const ingest = (bench: Bench, path: string, change: Partial<IngestBatchInput> = {}) => ingestFile(bench, { path, mapping, ...change });

describe('ingestBatch', () => {
  it('accounts for every row, with a reason for what it turns away', () =>
    withBench(async (bench) => {
      const { manifest, digest } = await ingest(bench, await csv(bench, rows));
      expect(manifest.counts).toEqual({ input: 12, accepted: 5, quarantined: 6, duplicates: 1 });
      expect(manifest.acceptedByKind).toEqual({ purchase: 3, view: 2 });
      expect(manifest.quarantineByReason).toEqual({
        'missing-item': 1,
        'missing-time': 1,
        'unknown-kind': 1,
        'bad-quantity': 1,
        'unreadable-quantity': 1,
        'unreadable-price': 1,
      });
      expect(digest).toBe(digestJson(manifest));
      const quarantined = await parquetRows<{ line: string; reason: string; raw: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      expect(quarantined.map(({ line, reason }) => [line, reason])).toEqual([
        ['7', 'missing-item'],
        ['8', 'missing-time'],
        ['9', 'unknown-kind'],
        ['10', 'bad-quantity'],
        ['11', 'unreadable-quantity'],
        ['12', 'unreadable-price'],
      ]);
      expect(JSON.parse(quarantined[1]?.raw ?? '')).toEqual({
        user: 'u2',
        item: 'i1',
        at: 'yesterday',
        kind: 'view',
        quantity: null,
        price: null,
        title: null,
      });
      expect(await readdir(join(bench.folder, 'work'))).toEqual([]);
    }));

  it('makes slices by the day of the surface, whose rows are events', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, await csv(bench, rows));
      expect(manifest.slices.map(({ day, rows: count, source }) => [day, count, source])).toEqual([
        ['2026-03-02', 2, 'events'],
        ['2026-03-03', 2, 'events'],
        ['2026-03-04', 1, 'events'],
      ]);
      const [first] = await parquetRows<Record<string, string | null>>({ blobs: bench.blobs, digest: manifest.slices[1]?.digest ?? '' });
      expect(first).toMatchObject({ kind: 'view', user_id: null, item_id: 'i1', at_ms: String(Date.UTC(2026, 2, 3, 12)) });
      for (const slice of manifest.slices) {
        for (const row of await parquetRows({ blobs: bench.blobs, digest: slice.digest })) {
          const given = eventColumns.flatMap(({ column, type, field }) =>
            row[column] === null ? [] : [[field, type === 'VARCHAR' ? row[column] : Number(row[column])]],
          );
          expect(parseEvent({ ...Object.fromEntries(given), surface: 'home' }).success).toBe(true);
        }
      }
    }));

  it('gives the same digests again, also for the lines in another order', () =>
    withBench(async (bench) => {
      const first = await ingest(bench, await csv(bench, rows));
      const count = await bench.blobCount();
      expect(await ingest(bench, await csv(bench, rows))).toEqual(first);
      expect(await bench.blobCount()).toBe(count);
      const turned = await ingest(bench, await csv(bench, [...rows].reverse()));
      expect(turned.manifest.slices).toEqual(first.manifest.slices);
      expect(turned.manifest.catalog).toBe(first.manifest.catalog);
      const packed = await ingest(bench, await csv(bench, rows, 'events.csv.gz'));
      expect(packed.manifest.slices).toEqual(first.manifest.slices);
    }));

  it('writes a logical digest that anyone can compute from the rows', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, await csv(bench, rows));
      for (const slice of manifest.slices) {
        const stored = await parquetRows<Record<string, string | null>>({ blobs: bench.blobs, digest: slice.digest });
        const lines = stored
          .sort((a, b) => Number(a.at_ms) - Number(b.at_ms) || ((a.event_id ?? '') < (b.event_id ?? '') ? -1 : 1))
          .map((row) => {
            const later = ['device_id', 'received_ms'].flatMap((column) => (row[column] === null ? [] : [`${column}=${row[column]}`]));
            const first = eventColumns.filter(({ column }) => column !== 'device_id' && column !== 'received_ms').map(({ column }) => row[column] ?? '');
            return `${[...first, ...later].join('\u001f')}\u001e`;
          });
        expect(digestBytes(lines.join(''))).toBe(slice.logicalDigest);
      }
    }));

  it('keeps a catalog with the titles most used, the last price and the span', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, await csv(bench, rows), {
        mapping: { ...mapping, inStockDays: 1, categorySql: "SELECT item_id, 'cat-' || item_id AS category FROM catalog" },
      });
      const [first, second] = await getDocument(bench.blobs, manifest.catalog, catalogDocument);
      expect(first).toEqual({
        itemId: 'i1',
        title: 'Lamp',
        category: 'cat-i1',
        priceMinor: 450,
        inStock: true,
        availableFromMs: Date.UTC(2026, 2, 2, 10),
        availableUntilMs: Date.UTC(2026, 2, 4),
      });
      expect(second).toMatchObject({ itemId: 'i2', title: 'Cup, blue', priceMinor: 10, inStock: true });
      const later = await ingest(bench, await csv(bench, ['u1,i3,2026-03-09 10:00:00,view,,,Fork']), {
        mapping: { ...mapping, inStockDays: 5 },
        before: manifest,
      });
      const merged = await getDocument(bench.blobs, later.manifest.catalog, catalogDocument);
      expect(merged.map(({ itemId, inStock }) => [itemId, inStock])).toEqual([
        ['i1', false],
        ['i2', false],
        ['i3', true],
      ]);
    }));

  it('quarantines what the charter keeps out of scope, and rows that contradict each other under one id', () =>
    withBench(async (bench) => {
      const withId = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view', eventId: 'title' });
      const path = await csv(bench, [
        'u1,i1,2026-03-02 10:00:00,,,,e1',
        'u1,POST,2026-03-02 10:00:00,,,,e2',
        'u1,i2,2026-03-02 10:00:00,,,,e1',
        'u1,i1,2026-03-02 10:00:00,,,,e1',
      ]);
      const { manifest } = await ingest(bench, path, { mapping: withId, charter: testCharter({ scope: { itemIdPattern: '^(?!POST)' } }) });
      expect(manifest.counts).toEqual({ input: 4, accepted: 1, quarantined: 2, duplicates: 1 });
      expect(manifest.quarantineByReason).toEqual({ 'out-of-scope-code': 1, 'event-id-conflict': 1 });
    }));

  it('shifts by whole weeks on the clock on the wall, summer time or not', () =>
    withBench(async (bench) => {
      const path = await csv(bench, ['u1,i1,2026-01-13 09:30:00,view,,,', 'u1,i1,2026-01-14 00:10:00,view,,,', 'u1,i2,2026-01-14 23:50:00,view,,,']);
      // 2026-01-14 is a Wednesday; the last one on or before Tuesday 2026-06-16 is 2026-06-10, in summer time.
      const { manifest } = await ingest(bench, path, { endsAt: '2026-06-16' });
      expect(manifest.shiftDays).toBe(147);
      expect(manifest.slices.map(({ day, rows: count }) => [day, count])).toEqual([
        ['2026-06-09', 1],
        ['2026-06-10', 2],
      ]);
      const [first] = await parquetRows<{ at_ms: string }>({ blobs: bench.blobs, digest: manifest.slices[0]?.digest ?? '' });
      expect(Number(first?.at_ms)).toBe(Date.UTC(2026, 5, 9, 8, 30));
      expect((await ingest(bench, path, { endsAt: '2026-01-14' })).manifest.shiftDays).toBe(0);
      expect((await ingest(bench, path, { endsAt: '2026-01-13' })).manifest.shiftDays).toBe(-7);
      await expect(ingest(bench, path, { endsAt: '2026-02-30' })).rejects.toMatchObject({ code: 'UND-INPUT' });
    }));

  it('stops on a stop-level rule, names all that failed, and writes nothing', () =>
    withBench(async (bench) => {
      const rules = [
        { name: 'enough', measure: 'rows' as const, min: 1_000, action: 'stop' as const },
        { name: 'clean', measure: 'quarantine-share' as const, max: 0.1, action: 'stop' as const },
        { name: 'fresh', measure: 'freshness-days' as const, max: 1, action: 'warn' as const },
      ];
      const path = await csv(bench, rows);
      const before = await bench.blobCount();
      await expect(ingest(bench, path, { charter: testCharter({ data: { rules } }), asOfDay: '2026-03-04' })).rejects.toMatchObject({
        code: 'UND-RULE-STOP',
        mistakes: [{ path: '/data/rules/enough' }, { path: '/data/rules/clean' }],
      });
      expect(await bench.blobCount()).toBe(before);
      const warned = await ingest(bench, path, { charter: testCharter({ data: { rules: rules.slice(2) } }), asOfDay: '2026-03-14' });
      expect(warned.manifest.warnings).toEqual([{ rule: 'fresh', message: 'freshness-days is 10, above 1', value: 10 }]);
    }));

  it('ends at once when it is cancelled, and leaves no scratch', () =>
    withBench(async (bench) => {
      const controller = new AbortController();
      const path = await csv(bench, rows);
      await expect(ingest(bench, path, { signal: controller.signal, onProgress: ({ stage }) => stage === 'judge' && controller.abort() })).rejects.toThrow(
        /abort/i,
      );
      expect(await readdir(join(bench.folder, 'work'))).toEqual([]);
    }));

  it('ingests a file without rows as nothing', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, await csv(bench, []), { endsAt: '2026-03-04' });
      expect(manifest).toMatchObject({ counts: { input: 0, accepted: 0, quarantined: 0, duplicates: 0 }, slices: [], quarantine: null, shiftDays: 0 });
    }));

  it(
    'conserves rows and never depends on their order, whatever comes',
    () =>
      withBench(async (bench) => {
        const cell = fc.oneof(
          fc.constantFrom(
            'u1',
            'i1',
            'view',
            'buy',
            '2026-03-02 10:00:00',
            '2026-03-08 01:30:00',
            '',
            '1',
            '-1',
            '9e9',
            '4.95',
            'inf',
            'nan',
            '294247-01-10 04:00:54',
            '-infinity',
          ),
          fc.stringMatching(/^[a-z0-9 :.-]{0,12}$/),
        );
        await fc.assert(
          fc.asyncProperty(
            fc.array(
              fc.tuple(
                cell,
                cell,
                fc.constantFrom('2026-03-02 10:00:00', '2026-03-29 01:30:00', '294247-01-10 04:00:54', 'infinity', ''),
                cell,
                cell,
                cell,
                cell,
              ),
              { maxLength: 30 },
            ),
            fc.boolean(),
            async (cells, shifted) => {
              const lines = cells.map((line) => line.join(','));
              const change = shifted ? { endsAt: '2026-06-16' } : {};
              const { manifest } = await ingest(bench, await csv(bench, lines), change);
              const turned = await ingest(bench, await csv(bench, [...lines].reverse()), change);
              expect(manifest.counts.input).toBe(lines.length);
              expect(manifest.slices.reduce((sum, slice) => sum + slice.rows, 0)).toBe(manifest.counts.accepted);
              expect(turned.manifest.slices).toEqual(manifest.slices);
              expect(turned.manifest.quarantineByReason).toEqual(manifest.quarantineByReason);
            },
          ),
          { numRuns: 15 },
        );
      }),
    30_000,
  );
});
