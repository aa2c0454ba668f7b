import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UnderstudyError } from '../../models/contracts/problem.ts';
import { readTable, type TableColumns } from './read-table.ts';

let folder: string;
const at = (name: string) => join(folder, name);

/** Orders by country, client and category, expected and seen: the Norwegian app lost 60 %. Codes with leading zeros, a comma, a missing country. */
const countries = ['no', 'se', 'dk', 'fi', 'de', ''];
const clients = ['app', 'web', 'mail'];
const categories = ['007', '012', '"toys, games"', '113'];
const rows = countries.flatMap((country, one) =>
  clients.flatMap((client, two) =>
    categories.map((category, three) => {
      const predicted = 100 + 37 * one + 11 * two + 5 * three;
      const wobble = 1 + 0.01 * (((one * 5 + two * 3 + three * 7) % 5) - 2);
      const orders = predicted * wobble * (country === 'no' && client === 'app' ? 0.4 : 1);
      return { country, client, category, orders, predicted, views: 10 * predicted, before: 11 * predicted };
    }),
  ),
);
const csv = `country,client,category,orders,forecast\n${rows.map((row) => [row.country, row.client, row.category, row.orders, row.predicted].join(',')).join('\n')}\n`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-attribute-'));
  await writeFile(at('orders.csv'), csv);
  await writeFile(at('orders.csv.gz'), gzipSync(csv));
  await writeFile(
    at('ratio.csv'),
    `country,client,actual_numerator,actual_denominator,predicted_numerator,predicted_denominator\n${rows
      .map((row) => [row.country, row.client, row.orders, row.views, row.predicted * 1.1, row.before].join(','))
      .join('\n')}\n`,
  );
  await writeFile(at('bad.csv'), 'country,actual,predicted\nno,1,2\nse,many,3\n');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT country, client, category, orders::DOUBLE AS actual, forecast::DECIMAL(12, 3) AS predicted FROM read_csv('${at('orders.csv')}', all_varchar = true)) TO '${at('orders.parquet')}'`,
  );
  connection.closeSync();
  instance.closeSync();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function attribute(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [fileURLToPath(new URL('../understudy.ts', import.meta.url)), 'attribute', ...args];
  return promisify(execFile)(process.execPath, command, { cwd: folder, env: { ...process.env, UNDERSTUDY_CWD: folder } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

const named = { actual: 'orders', predicted: 'forecast' };
const asNamed = ['--actual', named.actual, '--predicted', named.predicted];

it('names the Norwegian app, from CSV, from gzip and from Parquet alike, as one JSON document', async () => {
  const { code, stdout } = await attribute('--table', 'orders.csv', ...asNamed, '--json');
  const answer = JSON.parse(stdout);
  expect(code).toBe(0);
  expect(answer).toMatchObject({ measure: 'sum', leaves: 72, suspects: [{ where: { country: 'no', client: 'app' }, score: expect.any(Number) }] });
  expect(answer.suspects[0].explained).toBeGreaterThan(0.8);
  expect(JSON.parse((await attribute('--table', 'orders.csv.gz', ...asNamed, '--json')).stdout)).toEqual(answer);
  expect(JSON.parse((await attribute('--table', 'orders.parquet', '--json')).stdout)).toEqual(answer);
  expect(await readdir(folder)).not.toContainEqual(expect.stringContaining('duckdb'));
}, 60_000);

it('tells a person in a table and a sentence', async () => {
  const { stdout, stderr } = await attribute('--table', 'orders.csv', ...asNamed, '--dimensions', 'client,country');
  expect(stdout).toContain('sum over 18 leaves');
  expect(stdout).toMatch(/client=app, country=no +\S+ +\S+ +-\S+ +\S+ % +\d\.\d{3}/);
  expect(stdout).toMatch(/client=app, country=no is \S+ where \S+ was predicted: \S+ % of the change\. \S+ % of the change is left unexplained\./);
  expect(stderr).toContain('72 rows, dimensions client, country');
}, 60_000);

it('reads a ratio from the columns that a ratio has by default, or from those that are said', async () => {
  const { stdout } = await attribute('--table', 'ratio.csv', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    measure: 'ratio',
    predicted: expect.closeTo(0.1, 9),
    suspects: [{ where: { client: 'app', country: 'no' }, effect: 'rate' }],
  });
  const said = ['--actual', 'actual_numerator', '--actual-denominator', 'actual_denominator', '--predicted', 'predicted_numerator'];
  const other = await attribute('--table', 'ratio.csv', ...said, '--predicted-denominator', 'predicted_denominator', '--json');
  expect(other.stdout).toBe(stdout);
}, 60_000);

it('keeps values as they are written, and a missing one apart', async () => {
  const { table, rows: read, missing } = await readTable(at('orders.csv'), named);
  expect([read, missing]).toEqual([72, 0]);
  expect(table.dimensions.map(({ name, values }) => [name, values])).toEqual([
    ['country', ['no', 'se', 'dk', 'fi', 'de', null]],
    ['client', clients],
    ['category', ['007', '012', 'toys, games', '113']],
  ]);
  await writeFile(at('gaps.csv'), 'country,actual,predicted\nno,1,\nse,,3\n');
  expect(await readTable(at('gaps.csv'), {})).toMatchObject({ missing: 2, table: { measure: { actual: Float64Array.of(1, Number.NaN) } } });
});

it.each<[string, TableColumns, string]>([
  ['none.csv', {}, 'UND-FILE: There is no '],
  ['.', {}, 'UND-FILE: '],
  ['cut.parquet', {}, 'cannot be read'],
  ['orders.csv', {}, 'has no column actual, predicted; it has country, client, category, orders, forecast'],
  ['orders.csv', { actual: 'orders', predicted: 'forecasts' }, 'has no column forecasts'],
  ['orders.csv', { ...named, dimensions: ['country', 'town'] }, 'UND-INPUT: --dimensions: there is no column town'],
  ['orders.csv', { ...named, dimensions: ['country', 'country'] }, 'The column country is said to be two things at once'],
  ['orders.csv', { ...named, dimensions: ['country', 'orders'] }, 'The column orders is said to be two things at once'],
  ['orders.csv', { ...named, actualDenominator: 'forecast' }, 'A ratio needs both'],
  ['bare.csv', {}, 'a dimension is needed'],
])('refuses %s %j', async (file, columns, said) => {
  await writeFile(at('cut.parquet'), 'PAR1');
  await writeFile(at('bare.csv'), 'actual,predicted\n1,2\n');
  await expect(readTable(at(file), columns).catch((error: UnderstudyError) => `${error.code}: ${error.message}`)).resolves.toContain(said);
});

it('says which row holds what is no number, and nothing else', async () => {
  const { code, stdout, stderr } = await attribute('--table', 'bad.csv');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('bad.csv, row 2: actual is no number');
  expect(stderr).not.toContain('many');
  expect(await attribute('--table', 'bad.csv', '--at-most', '0')).toMatchObject({ code: 2, stderr: expect.stringContaining('--at-most') });
}, 60_000);
