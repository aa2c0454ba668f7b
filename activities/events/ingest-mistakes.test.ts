import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from './build-catalog.ts';
import { columnMapping } from './column-mapping.ts';
import { text, withDuck } from './duckdb.ts';
import type { IngestBatchInput } from './ingest-batch.ts';
import { type Bench, ingestFile, testCharter, withBench } from './testing.ts';

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', kind: 'kind', title: 'title' });
const header = 'user,item,at,kind,quantity,price,title';
const rows = ['u1,i1,2026-03-02 10:00:00,view,,,Lamp', 'u2,,2026-03-04 00:00:00,view,,,'];

async function csv({ folder }: Bench, lines: readonly string[]): Promise<string> {
  const path = join(folder, 'events.csv');
  await writeFile(path, `${[header, ...lines].join('\n')}\n`);
  return path;
}

const ingest = (bench: Bench, path: string, change: Partial<IngestBatchInput> = {}) => ingestFile(bench, { path, mapping, ...change });

describe('ingestBatch, of files and configurations with mistakes,', () => {
  it('says of a broken file what is wrong with it', () =>
    withBench(async (bench) => {
      const whole = `${[header, ...Array.from({ length: 5_000 }, (_, index) => `u${index},i${index % 7},2026-03-02 10:00:00,view,,,`)].join('\n')}\n`;
      const packed = gzipSync(whole);
      const parquetPath = join(bench.folder, 'whole.parquet');
      const csvPath = join(bench.folder, 'whole.csv');
      await writeFile(csvPath, whole);
      await withDuck({ workDir: undefined }, (duck) =>
        duck.run(`COPY (SELECT * FROM read_csv(${text(csvPath)}, all_varchar = true)) TO ${text(parquetPath)} (FORMAT parquet)`),
      );
      expect((await ingest(bench, parquetPath)).manifest.counts.input).toBe(5_000);
      const parquet = await readFile(parquetPath);
      const broken: [string, Uint8Array | string, RegExp][] = [
        ['cut.csv.gz', packed.subarray(0, packed.length - 200), /cut\.csv\.gz.*unexpected end/i],
        ['rotten.csv.gz', Buffer.concat([packed.subarray(0, 100), Buffer.alloc(200), packed.subarray(300)]), /rotten\.csv\.gz/],
        ['cut.parquet', parquet.subarray(0, parquet.length - 100), /cut\.parquet/],
        ['rotten.parquet', Buffer.alloc(500, 7), /rotten\.parquet/],
        ['open.csv', `${header}\nu1,"i1,2026-03-02,view,,,\nu2,i2,2026-03-02,view,,,\nu3,i3,2026-03-02,view,,,\n`, /line 2.*quote/],
        ['prose.csv', `${header}\nDear all,\nhere are the events.\nu1,i1,2026-03-02,view,,,\n`, /2 of 3 rows are not CSV of 7 columns.*; the first is row 1$/],
        ['binary.csv', Buffer.concat([Buffer.from(`${header}\n`), Buffer.from(packed)]), /binary\.csv/],
        ['binary.jsonl', packed, /binary\.jsonl/],
        ['list.jsonl', '[\n{"user":"u1"},\n{"user":"u2"}\n]\n', /3 of 4 rows are not JSON objects; the first is row 1$/],
        ['cases.jsonl', '{"user":"u1","User":"u2"}\n', /columns 1 and 2 have the same/],
        ['cut.jsonl.gz', gzipSync('{"user":"u1"}\n'.repeat(999)).subarray(0, 30), /unexpected end/i],
        ['latin1.csv', Buffer.from(`${header}\nu1,i1,2026-03-02,view,,,caf\u00e9\n`, 'latin1'), /latin1\.csv.*utf-8/i],
        ['empty.csv', '', /empty\.csv is empty/],
        ['twice.csv', 'user,User,at\n1,2,3\n', /columns 1 and 2 have the same/],
        ['other.csv', 'user,thing\n1,2\n', /lacks the columns? .*item/],
        ['events.xlsx', 'x', /ends in none of/],
      ];
      for (const [file, bytes, message] of broken) {
        await writeFile(join(bench.folder, file), bytes);
        await expect(ingest(bench, join(bench.folder, file)), file).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(message) });
      }
      await expect(ingest(bench, join(bench.folder, 'nowhere.csv'))).rejects.toMatchObject({
        code: 'UND-FILE',
        message: expect.stringContaining('nowhere.csv'),
      });
    }));

  it('refuses a mapping that loses or doubles lines', () =>
    withBench(async (bench) => {
      const path = await csv(bench, rows);
      await expect(ingest(bench, path, { mapping: { ...mapping, sql: `${mapping.sql} WHERE item IS NOT NULL` } })).rejects.toMatchObject({
        code: 'UND-CONSERVATION',
      });
    }));

  it('says of a mapping and a time zone that DuckDB cannot run that they are mistakes of the charter', () =>
    withBench(async (bench) => {
      const path = await csv(bench, rows);
      const sql = (columns: string) => ({ name: 'plain', requires: [], sql: `SELECT raw_line, ${columns} FROM raw` });
      const wrong: [Partial<IngestBatchInput>, string, RegExp][] = [
        [{ mapping: sql('itme AS item_id') }, '/source/mapping/sql', /Binder Error.*itme/],
        [{ mapping: sql('item AS AS item_id') }, '/source/mapping/sql', /Parser Error/],
        [{ mapping: sql('no_such_function(item) AS item_id') }, '/source/mapping/sql', /Catalog Error/],
        [{ mapping: sql('CAST(item AS INTEGER) AS quantity') }, '/source/mapping/sql', /Conversion Error: a value is no INT32, in the column item$/],
        [{ mapping: { ...mapping, sql: 'SELECT item AS item_id FROM raw' } }, '/source/mapping/sql', /raw_line/],
        [{ mapping: { ...mapping, categorySql: 'SELECT item_id, colour AS category FROM catalog' } }, '/source/mapping/categorySql', /colour/],
        [{ charter: { ...testCharter(), timeZone: '+01:00' } }, '/timeZone', /Unknown TimeZone/],
      ];
      for (const [change, at, message] of wrong)
        await expect(ingest(bench, path, change), at).rejects.toMatchObject({
          code: 'UND-CHARTER',
          message: expect.stringMatching(message),
          mistakes: [{ path: at, message: expect.stringMatching(message) }],
        });
    }));

  it('cuts categories that are longer than a catalog holds, as it cuts titles', () =>
    withBench(async (bench) => {
      const { manifest } = await ingest(bench, await csv(bench, [`u1,i1,2026-03-02 10:00:00,view,,,${'é'.repeat(300)}`]), {
        mapping: { ...mapping, categorySql: "SELECT item_id, repeat('😀', 300) AS category FROM catalog" },
      });
      const [item] = await getDocument(bench.blobs, manifest.catalog, catalogDocument);
      expect([item?.title, item?.category]).toEqual(['é'.repeat(200), '😀'.repeat(200)]);
    }));
});
