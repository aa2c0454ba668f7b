import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { withDuck } from './duckdb.ts';
import { inspectSource, loadRaw } from './source-file.ts';
import { withBench } from './testing.ts';

const inspect = async (folder: string, file: string, content: string) => {
  const path = join(folder, file);
  await writeFile(path, content);
  return inspectSource({ path });
};

describe('inspectSource', () => {
  it('finds the delimiter and the columns', () =>
    withBench(async ({ folder }) => {
      const cases: [string, string, string[]][] = [
        ['user,item\n', ',', ['user', 'item']],
        ['user;item;a,b\r\n', ';', ['user', 'item', 'a,b']],
        ['user\titem\n', '\t', ['user', 'item']],
        ['\ufeffuser|item', '|', ['user', 'item']],
        [',"user, id","it""em",\n', ',', ['column_1', 'user, id', 'it"em', 'column_4']],
        ['user\n', ',', ['user']],
      ];
      for (const [content, delimiter, columns] of cases)
        expect(await inspect(folder, 'a.csv', content)).toMatchObject({ columns, digest: digestBytes(content), files: [{ delimiter, columns }] });
      await expect(inspect(folder, 'a.csv', 'us"er,item\n')).rejects.toMatchObject({ code: 'UND-FILE' });
    }));

  it(
    'reads back any names and cells that CSV can carry',
    () =>
      withBench(async ({ folder }) => {
        const plain = fc.string({ unit: 'grapheme-ascii', maxLength: 8 }).map((value) => value.trim());
        const names = fc.uniqueArray(
          plain.filter((value) => value !== '' && !/[\t;|]/.test(value)),
          { minLength: 2, maxLength: 4, selector: (value) => value.toLowerCase() },
        );
        const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
        await fc.assert(
          fc.asyncProperty(
            names.chain((columns) => fc.tuple(fc.constant(columns), fc.array(fc.tuple(...columns.map(() => plain)), { maxLength: 5 }))),
            async ([columns, cells]) => {
              const content = `${[columns, ...cells].map((line) => line.map(quoted).join(',')).join('\n')}\n`;
              const source = await inspect(folder, 'b.csv', content);
              expect(source.columns).toEqual(columns);
              const loaded = await withDuck({ workDir: undefined }, async (duck) => {
                await loadRaw({ duck, source, requires: columns });
                return duck.columns('SELECT * EXCLUDE (raw_line) FROM raw ORDER BY raw_line');
              });
              const expected = columns.map((_column, index) => cells.map((line) => line[index] ?? ''));
              expect(loaded.map((column) => column.map((value) => value ?? ''))).toEqual(cells.length === 0 ? loaded : expected);
            },
          ),
          { numRuns: 20 },
        );
      }),
    20_000,
  );

  it('reads JSON lines without guessing what an id might be', () =>
    withBench(async ({ folder }) => {
      const source = await inspect(folder, 'c.jsonl', '{"item":"2026-03-02","at":1700000000000}\n{"item":"007","user":"u"}\n');
      const rows = await withDuck({ workDir: undefined }, async (duck) => {
        await loadRaw({ duck, source, requires: ['item', 'user'] });
        return duck.rows('SELECT * FROM raw ORDER BY raw_line');
      });
      expect(rows).toEqual([
        { raw_line: 1, item: '2026-03-02', at: '1700000000000', user: null },
        { raw_line: 2, item: '007', at: null, user: 'u' },
      ]);
    }));
});
