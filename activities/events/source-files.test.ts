import { appendFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { putDocument } from '../../stores/blobs.ts';
import { columnMapping } from './column-mapping.ts';
import { text, withDuck } from './duckdb.ts';
import { ingestSource } from './ingest-source.ts';
import { digestSource } from './source-bytes.ts';
import { inspectSource, loadRaw } from './source-file.ts';
import { type Bench, benchContext, ingestFile, parquetRows, quietBeat, testCharter, withBench } from './testing.ts';

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view', title: 'title' });
const columns = ['user', 'item', 'at', 'title'] as const;
type Row = Record<(typeof columns)[number], string>;

const packed = (name: string, content: string): string | Uint8Array =>
  name.endsWith('.gz') ? gzipSync(content) : name.endsWith('.zst') ? zstdCompressSync(content) : content;

async function put(folder: string, files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), typeof content === 'string' ? packed(name, content) : content);
  }
}

const csvOf = (rows: readonly Row[], order: readonly (keyof Row)[] = columns) =>
  [order.join(','), ...rows.map((row) => order.map((column) => row[column]).join(','))].map((line) => `${line}\n`).join('');
const rowsOf = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, index) => {
    const n = from + index;
    return { user: `u${n % 7}`, item: `i${n % 5}`, at: `2026-03-0${1 + (n % 3)} 10:00:${10 + (n % 50)}`, title: `Lamp ${n % 5}` };
  });
const ingest = (bench: Bench, path: string) => ingestFile(bench, { path, mapping });

describe('a source of several files', () => {
  it(
    'gives the same slices whatever its files are called, how they are packed and in which order their columns stand',
    () =>
      withBench(async (bench) => {
        const rows = [...rowsOf(60), ...rowsOf(9)];
        await put(bench.folder, { 'one.csv': csvOf(rows) });
        const { manifest: expected } = await ingest(bench, join(bench.folder, 'one.csv'));
        const names = ['p-1.csv', 'p-2.csv.gz', 'p-3.csv.zst', 'p-4.tsv', 'p-5.txt'];
        await fc.assert(
          fc.asyncProperty(
            fc.shuffledSubarray(names, { minLength: 2 }),
            fc.shuffledSubarray([...columns], { minLength: 4 }),
            fc.array(fc.nat(4), { minLength: rows.length, maxLength: rows.length }),
            async (used, order, place) => {
              await rm(join(bench.folder, 'many'), { recursive: true, force: true });
              const parts = used.map((name, index) => [
                name,
                csvOf(
                  rows.filter((_row, at) => (place[at] ?? 0) % used.length === index),
                  index % 2 === 0 ? order : columns,
                ),
              ]);
              await put(join(bench.folder, 'many'), Object.fromEntries(parts));
              const { manifest } = await ingest(bench, join(bench.folder, 'many', fc.sample(fc.constantFrom('', '*', 'p-*'), 1)[0] ?? ''));
              expect(manifest.slices).toEqual(expected.slices);
              expect(manifest.counts).toEqual(expected.counts);
              expect(manifest.catalog).toBe(expected.catalog);
            },
          ),
          { numRuns: 12, seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
        );
      }),
    60_000,
  );

  it('has one digest, which no name of a folder is part of; a single file has its own', () =>
    withBench(async (bench) => {
      const [first, second] = [csvOf(rowsOf(5)), csvOf(rowsOf(4, 5))];
      await put(bench.folder, { 'data/day=1/p.csv': first, 'data/day=2/p.csv': second, 'single/p.csv': first });
      const path = join(bench.folder, 'data/*/p.csv');
      const { manifest } = await ingest(bench, path);
      expect(manifest.source).toMatchObject({
        bytes: first.length + second.length,
        digest: digestBytes([first, second].map((part) => `${digestBytes(part)}\n`).join('')),
      });
      expect(await digestSource(path)).toEqual({ name: 'data/*/p.csv', digest: manifest.source.digest });
      await rename(join(bench.folder, 'data'), join(bench.folder, 'moved'));
      expect((await inspectSource({ path: join(bench.folder, 'moved') })).digest).toBe(manifest.source.digest);
      for (const one of ['single', 'single/*.csv', 'single/p.csv'])
        expect(await digestSource(join(bench.folder, one)), one).toMatchObject({ digest: digestBytes(first) });
    }));

  it('counts its lines on from file to file, and says which file a line stands in', () =>
    withBench(async (bench) => {
      await put(bench.folder, {
        'data/a.csv': 'user,item,at,title\nu1,i1,2026-03-02,\nu1\nu1,i2,2026-03-02,\n',
        'data/b.csv': 'user,item,at,title\n',
        'data/c.csv.gz': 'item,user,at,title\ni3,u3,2026-03-02,\n,u3,2026-03-02,\ni3,u3,2026-03-02,x,y\ni3,u3,yesterday,\n',
      });
      const path = join(bench.folder, 'data');
      const { manifest } = await ingest(bench, path);
      expect(manifest.counts).toEqual({ input: 7, accepted: 3, quarantined: 4, duplicates: 0 });
      const quarantined = await parquetRows<{ line: string; reason: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      const lines = quarantined.map(({ line, reason }) => [Number(line), reason] as const);
      expect(lines.sort(([a], [b]) => a - b)).toEqual([
        [2, 'malformed-row'],
        [5, 'missing-item'],
        [6, 'malformed-row'],
        [7, 'missing-time'],
      ]);
      const source = await inspectSource({ path });
      await withDuck({ workDir: undefined }, async (duck) => {
        await loadRaw({ duck, source, requires: ['user'] });
        const found = await duck.rows(`
          SELECT file, line - first_line + 1 AS row FROM (VALUES ${lines.map(([line]) => `(${line}::DOUBLE)`).join(', ')}) lines(line)
          ASOF JOIN raw_files ON line >= first_line ORDER BY line`);
        expect(found).toEqual([
          { file: 'a.csv', row: 2 },
          { file: 'c.csv.gz', row: 2 },
          { file: 'c.csv.gz', row: 3 },
          { file: 'c.csv.gz', row: 4 },
        ]);
        expect(await duck.rows('SELECT raw_line, user, item FROM raw WHERE raw_line IN (3, 4) ORDER BY 1')).toEqual([
          { raw_line: 3, user: 'u1', item: 'i2' },
          { raw_line: 4, user: 'u3', item: 'i3' },
        ]);
      });
    }));

  it('may be of JSON lines with different members, or of Parquet with different types', () =>
    withBench(async (bench) => {
      await put(bench.folder, {
        'json/a.jsonl.zst': '{"user":"u1","item":"i1","at":"2026-03-02"}\n\n[]\n{"user":"u1","item":"i2","at":"2026-03-02"}\n',
        'json/b.ndjson': '{"at":"2026-03-02","title":"Lamp","item":"i1","user":"u2"}\n{"user":"u2","at":"2026-03-02"}\n',
      });
      const { manifest } = await ingest(bench, join(bench.folder, 'json'));
      expect(manifest.counts).toEqual({ input: 5, accepted: 3, quarantined: 2, duplicates: 0 });
      const quarantined = await parquetRows<{ line: string; reason: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      expect(quarantined.map(({ line }) => Number(line)).sort()).toEqual([3, 6]);
      await mkdir(join(bench.folder, 'pq/day=5'), { recursive: true });
      const one = text(join(bench.folder, 'pq/day=5/a.parquet'));
      const two = text(join(bench.folder, 'pq/day=5/b.parquet'));
      await withDuck({ workDir: undefined }, async (duck) => {
        await duck.run(`COPY (SELECT 1 AS "user", 'i1' AS item, DATE '2026-03-02' AS "at", 'Lamp' AS title) TO ${one} (FORMAT parquet)`);
        await duck.run(`COPY (SELECT '2026-03-02' AS "AT", 'Lamp' AS title, 'i2' AS item, 'u2' AS "user") TO ${two} (FORMAT parquet)`);
      });
      const parquet = await ingest(bench, join(bench.folder, 'pq/**/*.parquet'));
      expect(parquet.manifest.counts).toEqual({ input: 2, accepted: 2, quarantined: 0, duplicates: 0 });
      await withDuck({ workDir: undefined }, (duck) => duck.run(`COPY (SELECT 'u' AS "user", 'i2' AS item, '2026-03-02' AS "at") TO ${two} (FORMAT parquet)`));
      await expect(ingest(bench, join(bench.folder, 'pq'))).rejects.toMatchObject({
        code: 'UND-FILE',
        message: expect.stringMatching(/b\.parquet lacks the column title/),
      });
    }));

  it('is refused where its files do not fit together', () =>
    withBench(async (bench) => {
      const good = csvOf(rowsOf(3));
      const cases: [string, Record<string, string | Uint8Array>, RegExp][] = [
        ['lacks', { 'a.csv': good, 'b.csv': 'user,item,at\nu,i,2026-03-02\n' }, /b\.csv lacks the column title, which .*a\.csv has/],
        ['more', { 'a.csv': good, 'b.csv.gz': 'user,item,at,title,x\nu,i,2026-03-02,,\n' }, /b\.csv\.gz has the column x, which .*a\.csv lacks/],
        ['formats', { 'a.csv': good, 'b.jsonl': '{}\n' }, /b\.jsonl is of another format than .*a\.csv/],
        ['readme', { 'a.csv': good, 'README.md': 'hello' }, /README\.md: its name ends in none of/],
        ['empty', { 'a.csv': good, 'b.csv': '' }, /b\.csv is empty/],
        ['cut', { 'a.csv': good, 'b.csv.zst': zstdCompressSync(good).subarray(0, 20) }, /b\.csv\.zst: .*unexpected end/],
        ['prose', { 'a.csv': csvOf(rowsOf(30)), 'b.csv': 'user,item,at,title\nDear all\nbye\n' }, /b\.csv: 2 of 2 rows are not CSV.*row 1$/],
        ['open', { 'a.csv': good, 'b.csv': 'user,item,at,title\nu,"i,2026-03-02,\nu,i,2026-03-02,\nu,i,2026-03-02,\n' }, /b\.csv: line 2.*quote/],
        ['nothing', { _SUCCESS: 'x' }, /no file in the folder/],
      ];
      for (const [folder, files, message] of cases) {
        await put(join(bench.folder, folder), files);
        await expect(ingest(bench, join(bench.folder, folder)), folder).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(message) });
      }
      await expect(ingest(bench, join(bench.folder, 'lacks/*.parquet'))).rejects.toMatchObject({
        code: 'UND-FILE',
        message: expect.stringMatching(/No file matches/),
      });
      await expect(digestSource(join(bench.folder, 'lacks/*.parquet'))).rejects.toMatchObject({ code: 'UND-FILE' });
      expect(await bench.blobCount()).toBe(0);
    }));

  it('is refused when a file grew while it was read, or is another than when the work was asked for', () =>
    withBench(async (bench) => {
      await put(bench.folder, { 'data/a.csv': csvOf(rowsOf(5)), 'data/b.csv': csvOf(rowsOf(5, 5)) });
      const path = join(bench.folder, 'data/*.csv');
      const grows = ingestFile(bench, {
        path,
        mapping,
        onProgress: ({ stage }) => void (stage === 'read' && appendFileSync(join(bench.folder, 'data/b.csv'), csvOf(rowsOf(1)).split('\n')[1] ?? '')),
      });
      await expect(grows).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(/b\.csv changed while it was read/) });
      expect(await bench.blobCount()).toBe(0);

      const context = benchContext(join(bench.folder, 'state'));
      const { blobs } = context.state;
      const request = {
        surface: 'home',
        charter: await putDocument(blobs, testCharter()),
        mapping: await putDocument(blobs, mapping),
        source: { path, ...(await digestSource(path)) },
        endsAt: null,
      };
      await put(bench.folder, { 'data/c.csv': csvOf(rowsOf(5, 10)) });
      await expect(ingestSource(context, request, quietBeat)).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(/changed/) });
      await rm(join(bench.folder, 'data/c.csv'));
      expect(await ingestSource(context, request, quietBeat)).toMatchObject({ counts: { input: 11 } });
    }));
});
