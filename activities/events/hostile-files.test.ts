import { createCipheriv } from 'node:crypto';
import { link, open, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { columnMapping } from './column-mapping.ts';
import { text, withDuck } from './duckdb.ts';
import { type Bench, ingestFile, withBench } from './testing.ts';

/* Files that nobody means well with: a coded error or quarantined rows, nothing stored by halves, memory bounded. */

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view' });
const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

const ingest = (bench: Bench, file: string) => ingestFile(bench, { path: join(bench.folder, file), mapping });

async function refused(bench: Bench, file: string, message: RegExp): Promise<void> {
  await expect(ingest(bench, file), file).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(message) });
  expect(await bench.blobCount(), file).toBe(0);
}

async function writeGarbage({ path, head, megabytes }: { path: string; head: string | Uint8Array; megabytes: number }): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 20);
  const handle = await open(path, 'w');
  await handle.write(Buffer.from(head));
  for (let written = 0; written < megabytes; written++) await handle.write(cipher.update(zeros));
  await handle.close();
}

const peakMegabytes = () => process.resourceUsage().maxRSS / 1024;

/** Nine rows, written by pyarrow 26 with `write_page_checksum=True`, uncompressed, one dictionary; no way of DuckDB's to write one. */
const withChecksums = Buffer.from(
  'UEFSMRUEFSQVJBWH5u3UBDwVBhUAEgAAAgAAAHUwAgAAAHUxAgAAAHUyFQAVGBUYFeXg6v8CHBUSFRAVBhUGHAAAAAIAAAASAQIFJEkCABUAFXgVeBXEhPmGCBwVEhUAFQYVBhwAAAACAAAAEgECAAAAaTACAAAAaTECAAAAaTICAAAAaTMCAAAAaTQCAAAAaTACAAAAaTECAAAAaTICAAAAaTMVABWIAhWIAhWnkq++BRwVEhUAFQYVBhwAAAACAAAAEgEKAAAAMjAyNi0wMy0wMQoAAAAyMDI2LTAzLTAyCgAAADIwMjYtMDMtMDMKAAAAMjAyNi0wMy0wMQoAAAAyMDI2LTAzLTAyCgAAADIwMjYtMDMtMDMKAAAAMjAyNi0wMy0wMQoAAAAyMDI2LTAzLTAyCgAAADIwMjYtMDMtMDMVBBlMNQAYBnNjaGVtYRUGABUMJQIYBHVzZXIlAEwcAAAAFQwlAhgEaXRlbSUATBwAAAAVDCUCGAJhdCUATBwAAAAWEhkcGTwmABwVDBk1AAYQGRgEdXNlchUAFhIWlgEWlgEmVCYIKSwVBBUAFQIAFQAVEBUCADwWJBkGGSYAEgAAACYAHBUMGSUGABkYBGl0ZW0VABYSFqoBFqoBJp4BSRwVABUAFQIAPBYkGQYZJgASAAAAJgAcFQwZJQYAGRgCYXQVABYSFr4CFr4CJsgCSRwVABUAFQIAPBa0ARkGGSYAEgAAABb+BBYSJggW/gQAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRk8HAAAHAAAHAAAAB8BAABQQVIx',
  'base64',
);

describe('ingestBatch, of files that are other than they say,', () => {
  it(
    'refuses 200 MB of noise by whatever name, in little memory',
    () =>
      withBench(async (bench) => {
        const noise = join(bench.folder, 'noise');
        await writeGarbage({ path: noise, head: Buffer.of(255), megabytes: 200 });
        const before = peakMegabytes();
        const cases: [string, RegExp][] = [
          ['noise.csv', /first line is not text/],
          ['noise.parquet', /No magic bytes/],
          ['noise.jsonl.gz', /incorrect header/],
          ['noise.csv.zst', /Unknown frame/],
          ['noise.jsonl', /of its first [0-9]+ rows are not JSON objects/],
        ];
        for (const [file, message] of cases) {
          await link(noise, join(bench.folder, file));
          await refused(bench, file, message);
        }
        await writeGarbage({ path: join(bench.folder, 'header.csv'), head: 'user,item,at\nu,i,2026-03-02\n', megabytes: 20 });
        await refused(bench, 'header.csv', /header\.csv/);
        await writeGarbage({ path: join(bench.folder, 'first.jsonl'), head: '{"user":"u"}\n'.repeat(100_000), megabytes: 20 });
        await refused(bench, 'first.jsonl', /first\.jsonl/);
        expect(peakMegabytes() - before).toBeLessThan(1_000);
      }),
    60_000,
  );

  it('refuses Parquet that ends anywhere but at its end', () =>
    withBench(async (bench) => {
      const whole = join(bench.folder, 'whole.parquet');
      await withDuck({ workDir: undefined }, (duck) =>
        duck.run(`COPY (SELECT 'u' || range AS "user", 'i' AS item, '2026-03-02' AS "at" FROM range(2000)) TO ${text(whole)} (FORMAT parquet)`),
      );
      const bytes = await readFile(whole);
      const random = createRandom(seed);
      for (const length of [1, 4, 8, 12, bytes.length - 1, bytes.length - 8, ...Array.from({ length: 12 }, () => 1 + random.below(bytes.length - 1))]) {
        await writeFile(join(bench.folder, 'cut.parquet'), bytes.subarray(0, length));
        await refused(bench, 'cut.parquet', /cut\.parquet/);
      }
    }));

  it('notices a flipped bit in a Parquet page that has a checksum', () =>
    withBench(async (bench) => {
      const path = join(bench.folder, 'flipped.parquet');
      await writeFile(path, withChecksums);
      const right = (await ingest(bench, 'flipped.parquet')).manifest;
      expect(right.counts.accepted).toBe(9);
      const stored = await bench.blobCount();
      // Where the cells of `user` (the dictionary), `item` and `at` stand; headers and footer have no checksum.
      const cells = ['u0', 'i0', '2026-03-01'].map((cell) => withChecksums.indexOf(cell));
      const random = createRandom(seed);
      for (const start of cells) {
        for (let turn = 0; turn < 12; turn++) {
          const flipped = Buffer.from(withChecksums);
          const [at, bit] = [start + random.below(12), random.below(8)];
          flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
          await writeFile(path, flipped);
          const outcome = ingest(bench, 'flipped.parquet');
          await expect(outcome, `byte ${at}, bit ${bit}`).rejects.toMatchObject({
            code: 'UND-FILE',
            message: expect.stringMatching(/checksum: the file is damaged/),
          });
        }
      }
      expect(await bench.blobCount()).toBe(stored);
    }));

  it(
    'ends with a coded error or a whole batch for a bit flipped anywhere in Parquet without checksums',
    () =>
      withBench(async (bench) => {
        const path = join(bench.folder, 'any.parquet');
        await withDuck({ workDir: undefined }, (duck) =>
          duck.run(
            `COPY (SELECT 'u' || range % 7 AS "user", 'i' || range % 5 AS item, '2026-03-02' AS "at" FROM range(300)) TO ${text(path)} (FORMAT parquet)`,
          ),
        );
        const whole = await readFile(path);
        const random = createRandom(seed);
        for (let turn = 0; turn < 40; turn++) {
          const flipped = Buffer.from(whole);
          const [at, bit] = [random.below(whole.length), random.below(8)];
          flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
          await writeFile(path, flipped);
          const before = await bench.blobCount();
          const outcome = await ingest(bench, 'any.parquet').then(
            ({ manifest }) => manifest.counts.accepted + manifest.counts.quarantined + manifest.counts.duplicates - manifest.counts.input,
            (error) => error.code,
          );
          expect([0, 'UND-FILE'], `byte ${at}, bit ${bit}`).toContain(outcome);
          if (outcome !== 0) expect(await bench.blobCount()).toBe(before);
        }
      }),
    60_000,
  );

  it('takes or refuses what is as large as can be', () =>
    withBench(async (bench) => {
      const { folder } = bench;
      const long = 'x'.repeat(10 << 20);
      await writeFile(join(folder, 'long.csv'), `user,item,at\nu,i,2026-03-02\nu,${long},2026-03-02\n`);
      await refused(bench, 'long.csv', /long\.csv: line 3: Maximum line size/);
      const wide = (columns: number) => {
        const names = ['user', 'item', 'at', ...Array.from({ length: columns - 3 }, (_, index) => `a rather long name of column ${index}`)];
        return `${names.join(',')}\n${`u,i,2026-03-02${','.repeat(columns - 3)}\n`.repeat(20)}u${','.repeat(columns - 1)}\n`;
      };
      await writeFile(join(folder, 'wide.csv'), wide(10_000));
      await refused(bench, 'wide.csv', /has 10000 columns, and at most 2000/);
      await writeFile(join(folder, 'wide.jsonl'), `{${Array.from({ length: 10_000 }, (_, index) => `"c${index}":1`).join(',')}}\n`);
      await refused(bench, 'wide.jsonl', /has 10000 columns/);
      await writeFile(join(folder, 'header.csv'), `user,${'i'.repeat(2 << 20)},at\nu,i,2026-03-02\n`);
      await refused(bench, 'header.csv', /first line is longer than 1048576 bytes/);
      await writeFile(join(folder, 'wide.csv'), wide(2_000));
      expect((await ingest(bench, 'wide.csv')).manifest.counts).toEqual({ input: 21, accepted: 1, quarantined: 1, duplicates: 19 });
      await writeFile(join(folder, 'long.jsonl'), ['i', long].map((item) => `${JSON.stringify({ user: 'u', item, at: '2026-03-02' })}\n`).join(''));
      expect((await ingest(bench, 'long.jsonl')).manifest.quarantineByReason).toEqual({ 'malformed-item': 1 });
    }));

  it('takes a header alone for no rows, and nothing at all for a mistake', () =>
    withBench(async (bench) => {
      const { folder } = bench;
      for (const [file, bytes] of [
        ['empty.csv.gz', gzipSync('')],
        ['empty.csv.zst', zstdCompressSync('')],
      ] as const) {
        await writeFile(join(folder, file), bytes);
        await refused(bench, file, /lacks the columns? user, item, at/);
      }
      await writeFile(join(folder, 'none.jsonl.gz'), gzipSync(''));
      await refused(bench, 'none.jsonl.gz', /lacks the columns user, item, at/);
      await symlink('loop.csv', join(folder, 'loop.csv'));
      await refused(bench, 'loop.csv', /ELOOP/);
      for (const [file, bytes] of [
        ['header.csv', 'user,item,at'],
        ['header.csv.gz', gzipSync('user,item,at\n')],
      ] as const) {
        await writeFile(join(folder, file), bytes);
        expect((await ingest(bench, file)).manifest.counts.input, file).toBe(0);
      }
      expect(await readdir(join(folder, 'work'))).toEqual([]);
    }));
});
