import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnMapping } from './column-mapping.ts';
import { ingestBatch } from './ingest-batch.ts';
import { type Bench, parquetRows, testCharter, withBench } from './testing.ts';

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view', title: 'title' });

async function ingest(bench: Bench, file: string, content: string | Uint8Array) {
  const path = join(bench.folder, file);
  await writeFile(path, file.endsWith('.gz') ? gzipSync(content) : content);
  const { manifest } = await ingestBatch({
    surface: 'home',
    charter: testCharter(),
    source: { path, name: 'events' },
    mapping,
    blobs: bench.blobs,
    workDir: join(bench.folder, 'work'),
  });
  const quarantined =
    manifest.quarantine === null ? [] : await parquetRows<{ line: string; reason: string; raw: string }>({ blobs: bench.blobs, digest: manifest.quarantine });
  return { manifest, malformed: quarantined.filter(({ reason }) => reason === 'malformed-row').map(({ line, raw }) => [Number(line), raw]), quarantined };
}

describe('rows that are none', () => {
  it('of a CSV are quarantined at their lines, with their text', () =>
    withBench(async (bench) => {
      const lines = [
        'a,x,2026-03-02,Lamp',
        'b,x,2026-03-02',
        'c,x,2026-03-02,Lamp,more',
        'd,,2026-03-02,Lamp',
        'e,"x"y,2026-03-02,Lamp',
        'f,x,2026-03-02,"Lamp,\nblue"',
        'g',
        'h,x,2026-03-02,',
      ];
      for (const [file, newline] of [
        ['rows.csv', '\n'],
        ['rows.csv.gz', '\n'],
        ['dos.csv', '\r\n'],
      ] as const) {
        const { manifest, malformed, quarantined } = await ingest(bench, file, ['user,item,at,title', ...lines].join(newline));
        expect(manifest.counts, file).toEqual({ input: 8, accepted: 3, quarantined: 5, duplicates: 0 });
        expect(manifest.quarantineByReason).toEqual({ 'malformed-row': 4, 'missing-item': 1 });
        expect(malformed).toEqual([2, 3, 5, 7].map((line) => [line, lines[line - 1]]));
        expect(quarantined.map(({ line, reason }) => [line, reason])).toContainEqual(['4', 'missing-item']);
      }
      const other = Buffer.from('user,item,at,title\na,x,2026-03-02,Lamp\nb,x,2026-03-02,caf\u00e9\n', 'latin1');
      expect((await ingest(bench, 'rows.csv', other)).manifest.counts).toEqual({ input: 2, accepted: 1, quarantined: 1, duplicates: 0 });
    }));

  it('of JSON lines too, and blank lines are nothing', () =>
    withBench(async (bench) => {
      const object = (user: string, change: object = {}) => JSON.stringify({ user, item: 'x', at: '2026-03-02', ...change });
      const lines = [
        object('a'),
        '',
        '{"user":"b","item":"x"',
        object('c', { title: { en: 'Lamp' } }),
        '[1,2]',
        '  ',
        '"text"',
        'null',
        object('d'),
        object('e'),
      ];
      for (const file of ['rows.jsonl', 'rows.jsonl.gz']) {
        const { manifest, malformed } = await ingest(bench, file, `${lines.join('\n')}\n`);
        expect(manifest.counts, file).toEqual({ input: 8, accepted: 4, quarantined: 4, duplicates: 0 });
        expect(malformed).toEqual([3, 5, 7, 8].map((line) => [line, lines[line - 1]]));
      }
    }));

  it(
    'are counted, however many and wherever they are',
    () =>
      withBench(async (bench) => {
        const sound = fc.constantFrom('u1,x,2026-03-02,Lamp', 'u1,x,2026-03-02,"a\nb"', 'u2,"x ""y""",2026-03-02,', ',x,2026-03-03,Lamp', 'u1,,2026-03-02,');
        const broken = fc.constantFrom('u1', 'u1,x', 'u1,x,2026-03-02', 'u1,x,2026-03-02,a,b,c', 'u1,"x"z,2026-03-02,a', 'u1,x,"2026-03-02,a"');
        const some = fc.array(fc.oneof({ arbitrary: sound, weight: 3 }, { arbitrary: broken, weight: 1 }), { minLength: 1, maxLength: 40 });
        const isBroken = (row: string) => !/^[^,]*,("[^"]*(""[^"]*)*"|[^",]*),[^",]*,("[^"]*"|[^",]*)$/.test(row);
        await fc.assert(
          fc.asyncProperty(some, async (rows) => {
            const expected = rows.flatMap((row, index) => (isBroken(row) ? [[index + 1, row]] : []));
            fc.pre(expected.length * 2 <= rows.length);
            const { manifest, malformed, quarantined } = await ingest(bench, 'some.csv', `user,item,at,title\n${rows.join('\n')}\n`);
            const { input, accepted, duplicates } = manifest.counts;
            expect(malformed).toEqual(expected);
            expect(accepted + duplicates + quarantined.length).toBe(input);
            expect(input).toBe(rows.length);
            const missing = rows.flatMap((row, index) => (row === 'u1,,2026-03-02,' ? [String(index + 1)] : []));
            expect(quarantined.filter(({ reason }) => reason === 'missing-item').map(({ line }) => line)).toEqual(missing);
          }),
          { numRuns: 20, seed: Number(process.env.UNDERSTUDY_TEST_SEED) },
        );
      }),
    60_000,
  );

  it(
    'are counted in a file that is read in several parts at once',
    () =>
      withBench(async (bench) => {
        const rows = Array.from({ length: 200_000 }, (_, index) => (index % 997 === 5 ? `u${index}` : `u${index},x,2026-03-02,${'v'.repeat(index % 60)}`));
        const { manifest, malformed } = await ingest(bench, 'large.csv', `user,item,at,title\n${rows.join('\n')}\n`);
        const expected = rows.flatMap((row, index) => (row.includes(',') ? [] : [[index + 1, row]]));
        expect(malformed).toEqual(expected);
        expect(manifest.counts).toEqual({ input: rows.length, accepted: rows.length - expected.length, quarantined: expected.length, duplicates: 0 });
      }),
    60_000,
  );

  it(
    'are set aside up to a limit: more are a mistake of the file, and not held in memory',
    () =>
      withBench(async (bench) => {
        // Rows that lack three of four columns: a quarter of a million at most. Cells of two lines are no malformed rows.
        const content = (malformed: number) => `user,item,at,title\n${'u\n'.repeat(malformed)}${'u,x,2026-03-02,"La\nmp"\n'.repeat(260_000)}`;
        const { manifest } = await ingest(bench, 'some.csv', content(50_000));
        expect(manifest.counts).toEqual({ input: 310_000, accepted: 1, quarantined: 50_000, duplicates: 259_999 });
        await expect(ingest(bench, 'more.csv', content(250_001))).rejects.toMatchObject({
          code: 'UND-FILE',
          message: expect.stringMatching(/250001 of 510001 rows cannot be read, and at most 250000/),
        });
      }),
    60_000,
  );
});
