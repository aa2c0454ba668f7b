import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { columnMapping } from './column-mapping.ts';
import { withDuck } from './duckdb.ts';
import { ingestFile, withBench } from './testing.ts';

/* What is said of a mistake goes into histories, logs and terminals: the column and the kind, and never what stood there. */

const planted = 'forget-me-4711';
const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view' });
const plain = (columns: string) => ({ name: 'plain', requires: [], sql: `SELECT raw_line, ${columns} FROM raw` });

/** All that an error is, with its causes and stacks. */
async function wordsOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return inspect(error, { depth: 20 });
}

it.each<[string, RegExp]>([
  ['CAST("the item" AS INTEGER)', /a value is no INT32, in the column the item/],
  ['CAST("the item" AS TIMESTAMP)', /in the column the item/],
  [`strptime("the item", '%d')`, /Invalid Input Error: Could not parse string/],
  ['error("the item")', /Invalid Input Error/],
  [`CAST('{"a":' || "the item" AS JSON)`, /Malformed JSON/],
  [`json_extract("the item", '$.a')`, /Malformed JSON/],
  [`regexp_matches('a', "the item" || '(')`, /Invalid Input Error/],
  ['timezone("the item", now())', /Unknown TimeZone/],
  ['9223372036854775807 * 4711', /Overflow in multiplication of INT64/],
])('DuckDB names the mistake of %s', async (sql, named) => {
  const ask = (read: 'rows' | 'columns' | 'run' | 'parts') =>
    withDuck({ workDir: undefined }, async (duck) => {
      await duck.run(`CREATE TABLE raw AS SELECT '${planted}' AS "the item"`);
      const statement = `SELECT ${sql} FROM raw`;
      await (read === 'parts' ? duck.parts(statement, () => undefined) : duck[read](statement));
    });
  for (const read of ['rows', 'columns', 'run', 'parts'] as const) {
    const words = await wordsOf(ask(read));
    expect(words).toMatch(named);
    expect(words).not.toMatch(/4711/);
  }
});

it('a hostile file, or a mapping that does not fit, does not bring rows into errors', () =>
  withBench(async (bench) => {
    const row = `${planted},i1,2026-03-02`;
    const files: [string, string][] = [
      ['prose.csv', `user,item,at\n${planted}\n${planted} again\n${row}\n`],
      ['list.jsonl', `["${planted}"]\n["${planted}"]\n`],
      ['long.jsonl', `"${planted}"\n`.repeat(100_000)],
      ['open.csv', `user,item,at\n${planted},"i1,2026-03-02\n${row}\n`],
      ['headless.csv', `${row}\n${row}\n`],
      ['twins.csv', `${planted},${planted},2026-03-02\n${row}\n`],
      ['members.jsonl', `{"${planted}":1,"FORGET-me-4711":2}\n`],
    ];
    for (const [file, content] of files) {
      await writeFile(join(bench.folder, file), content);
      const words = await wordsOf(ingestFile(bench, { path: join(bench.folder, file), mapping }));
      expect(words, file).toContain('UND-FILE');
      expect(words.toLowerCase(), file).not.toContain(planted);
    }
    const path = join(bench.folder, 'events.csv');
    await writeFile(path, `user,item,at\n${row}\n`);
    const words = await wordsOf(ingestFile(bench, { path, mapping: plain('CAST("user" AS INTEGER) AS quantity') }));
    expect(words).toMatch(/UND-CHARTER[\s\S]*in the column user/);
    expect(words).not.toContain(planted);
  }));
