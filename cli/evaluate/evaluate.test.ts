import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ColumnOptions, chooseColumns, csvShape } from './columns.ts';
import { readInteractions } from './read-interactions.ts';
import { runEvaluate } from './testing.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evaluate-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

async function parquet(name: string, select: string): Promise<string> {
  const path = join(directory, name);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
}

const run = (...args: string[]) => runEvaluate(directory, args);

// Popularity: b 3, c 2, then a and d 1 each (a before d).
const trainCsv = 'user,item\nu1,b\nu2,b\nu3,b\nu1,c\nu2,c\nu3,a\nu3,d\n';
// u1 wants a (may get a, d) and b, which it has. u2 wants d and zzz, which nobody can find. new wants b. u3 has all it wants.
const testCsv = 'user,item\nu1,a\nu1,b\nu2,d\nu2,zzz\nnew,b\nu3,a\n';

describe('understudy evaluate', () => {
  test('prints exactly one JSON document, with metrics that were worked out by hand', async () => {
    await file('train.csv', trainCsv);
    await file('test.csv', testCsv);
    const { stdout, stderr } = await run('--train', 'train.csv', '--test', 'test.csv', '--model', 'popularity', '--json', '--k', '1');
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(['model', 'users', 'metrics', 'intervals', 'trainSeconds', 'graphBytes']);
    expect(result.intervals['ndcg@10']).toMatchObject({ value: result.metrics['ndcg@10'], low: expect.any(Number), high: 1 });
    expect(result).toMatchObject({ model: 'popularity', users: 3 });
    expect(result.trainSeconds).toBeGreaterThan(0);
    const log2 = Math.log2;
    // Lists: u1 [a, d] of {a}; u2 [a, d] of {d, zzz}; new [b, c, a, d] of {b}.
    const expected: Record<string, number> = {
      'ndcg@10': (1 + 1 / log2(3) / (1 + 1 / log2(3)) + 1) / 3,
      'recall@20': (1 + 1 / 2 + 1) / 3,
      'mrr@20': (1 + 1 / 2 + 1) / 3,
      'map@10': (1 + 1 / 2 / 2 + 1) / 3,
      'precision@10': 3 / 30,
      'hit-rate@1': 2 / 3,
      'ndcg@1': 2 / 3,
      'coverage@1': 2 / 4,
      'coverage@10': 1,
    };
    for (const [name, value] of Object.entries(expected)) expect(result.metrics[name], name).toBeCloseTo(value, 12);
    expect(stderr).toContain('training popularity on 7 rows, 3 users, 4 items');
  });

  test('prints a table without --json', async () => {
    await file('train.csv', trainCsv);
    await file('test.csv', testCsv);
    const { stdout } = await run('--train', 'train.csv', '--test', 'test.csv', '--model', 'item-knn', '--params', '{"neighbours":2}');
    expect(stdout).toMatch(/item-knn: 3 users/);
    expect(stdout).toMatch(/ndcg\s+0\.\d{4}\s+0\.\d{4}/);
  });

  test('gives the same result from every kind of file', async () => {
    const rows = trainCsv.split('\n').slice(1).join('\n');
    await file('test.csv', testCsv);
    const files = [
      await file('plain.csv', trainCsv),
      await file('headless.csv', rows),
      await file('packed.csv.gz', gzipSync(trainCsv)),
      await file('packed-without-a-name-for-it', gzipSync(rows)),
      await file('tabs.tsv', trainCsv.replaceAll(',', '\t')),
      await file('windows.csv', `\uFEFF${trainCsv.replaceAll('\n', '\r\n')}`),
      await file('more.csv', trainCsv.replace('user,item', 'price,item_id,USER_ID').replaceAll(/^(u\d),(\w)$/gm, '9.5,"$2",$1')),
      await parquet('rows.parquet', `SELECT * FROM read_csv('${join(directory, 'plain.csv')}')`),
      await parquet('swapped.parquet', `SELECT item, 1.5 AS price, user FROM read_csv('${join(directory, 'plain.csv')}')`),
    ];
    const results = new Set<string>();
    for (const path of files) {
      const { stdout } = await run('--train', path, '--test', 'test.csv', '--model', 'ials', '--params', '{"factors":4,"sweeps":2}', '--json');
      const { users, metrics } = JSON.parse(stdout);
      results.add(JSON.stringify({ users, metrics }));
    }
    expect(results.size).toBe(1);
  });

  test.each([
    ['an unknown model', ['--model', 'svd'], 'UND-INPUT', /popularity, item-knn, ials/],
    ['parameters with mistakes', ['--params', '{"halfLifeDays":-1,"x":2}'], 'UND-INPUT', /2 mistakes/],
    ['parameters that are not JSON', ['--params', '{factors}'], 'UND-INPUT', /not JSON/],
    ['a cutoff of nothing', ['--k', '0'], 'UND-INPUT', /--k must be a whole number/],
    ['a seed in words', ['--seed', 'one'], 'UND-INPUT', /--seed must be/],
    ['a file that is not there', ['--train', 'nowhere.csv'], 'UND-FILE', /does not exist/],
    ['nothing new to find', ['--test', 'train.csv'], 'UND-NO-DATA', /No user/],
  ])('refuses %s', async (_what, args, code, message) => {
    await file('train.csv', trainCsv);
    await file('test.csv', testCsv);
    const error = await run('--train', 'train.csv', '--test', 'test.csv', '--model', 'popularity', ...args).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('readInteractions', () => {
  const refusal = async (path: string): Promise<unknown> => readInteractions(path).catch((error: unknown) => error);

  test('reads times of every unit and writing', async () => {
    const times = [
      '1322697600',
      '1322697600000',
      '1322697600000000',
      '1322697600000000000',
      '2011-12-01',
      '2011-12-01 00:00:00',
      '2011-12-01T00:00:00Z',
      '2011-12-01T02:00:00+02:00',
    ];
    const { atMs } = await readInteractions(await file('times.csv', `user,item,timestamp\n${times.map((time, row) => `u,i${row},${time}`).join('\n')}\n`));
    expect([...atMs]).toEqual(times.map(() => 1_322_697_600_000));
    const { atMs: typed } = await readInteractions(
      await parquet(
        'typed.parquet',
        `SELECT 7 AS user_id, 12 AS item_id, TIMESTAMP '2011-12-01 00:00:00' AS at UNION ALL SELECT 7, 12, TIMESTAMP '2011-12-01 00:00:01.5'`,
      ),
    );
    expect([...typed]).toEqual([1_322_697_600_000, 1_322_697_601_500]);
  });

  test('keeps the order of rows and numbers ids as they appear', async () => {
    const rows = await readInteractions(await file('order.csv', 'b,9\na,7\nb,7\n'));
    const columns = { users: Uint32Array.of(0, 1, 0), items: Uint32Array.of(0, 1, 1), atMs: new Float64Array(3) };
    expect(rows).toEqual({ userIds: ['b', 'a'], itemIds: ['9', '7'], ...columns });
  });

  test('refuses what is cut off', async () => {
    const whole = await parquet('whole.parquet', "SELECT 'u' || (range % 50) AS user, 'i' || range AS item FROM range(5000)");
    const bytes = await readFile(whole);
    const packed = gzipSync(Array.from({ length: 5000 }, (_, row) => `u${(row * 7919) % 50},i${row}`).join('\n'));
    for (const path of [
      await file('cut.parquet', bytes.subarray(0, bytes.length - 100)),
      await file('cut-footer.parquet', Buffer.concat([bytes.subarray(0, 200), bytes.subarray(bytes.length - 8)])),
      await file('no-parquet.parquet', 'user,item\nu,i\n'),
      await file('cut.csv.gz', packed.subarray(0, packed.length - 500)),
    ]) {
      expect(await refusal(path), path).toMatchObject({ code: 'UND-FILE' });
    }
  });

  test.each([
    ['nothing', ''],
    ['one column', 'user\nu1\nu2\n'],
    ['a row without an item', 'user,item\nu1,a\nu2,\n'],
    ['a row too short', 'user,item,timestamp\nu1,a,1\nu2\n'],
    ['a time in words', 'user,item,timestamp\nu1,a,yesterday\n'],
    ['JSON lines', '{"user":"u1","item":"a"}\n{"user":"u2","item":"b"}\n'],
    ['bytes that are no text', Buffer.from([0x75, 0x2c, 0x69, 0x0a, 0xff, 0xfe, 0x2c, 0x80, 0x0a])],
  ])('refuses %s', async (what, content) => {
    const path = await file(`bad-${what.replaceAll(' ', '-')}.csv`, content);
    expect(await refusal(path)).toMatchObject({ code: 'UND-FILE' });
  });

  test('refuses a folder', async () => {
    expect(await refusal(directory)).toMatchObject({ code: 'UND-FILE' });
  });
});

describe('columns', () => {
  const named = (...header: string[]) => chooseColumns({ header, sample: [] });

  test('are found by name, each on its own, else by place', () => {
    expect(named('Time', 'ItemId', 'UserId')).toEqual({ user: 2, item: 1, time: 0 });
    expect(named('user', 'item', 'rating')).toEqual({ user: 0, item: 1, time: undefined });
    expect(named('x', 'y', 'z')).toEqual({ user: 0, item: 1, time: 2 });
    expect(named('date', 'buyer', 'sku')).toEqual({ user: 1, item: 2, time: 0 });
    expect(named('date', 'who', 'sku')).toEqual({ user: 1, item: 2, time: 0 });
    expect(named('what', 'customer no', 'when')).toEqual({ user: 1, item: 0, time: undefined });
    expect(chooseColumns({ header: undefined, sample: ['196', '242', '3', '881250949'] })).toEqual({ user: 0, item: 1, time: 3 });
    expect(chooseColumns({ header: undefined, sample: ['196', '242', '3', 'x'] })).toEqual({ user: 0, item: 1, time: undefined });
  });

  test('are those that are said', () => {
    const said = (options: ColumnOptions) => chooseColumns({ header: ['a', 'user', '2', 'item'], sample: [], options });
    expect(said({ user: 'a', item: '4' })).toEqual({ user: 0, item: 3, time: undefined });
    // A name before a position.
    expect(said({ user: '2', time: '1' })).toEqual({ user: 2, item: 3, time: 0 });
    expect(chooseColumns({ header: undefined, sample: ['1', '2', '3'], options: { item: '1', time: '' } })).toEqual({ user: 1, item: 0, time: undefined });
    for (const [options, message] of [
      [{ user: 'buyer', time: '9' }, /--user: there is no column "buyer"; --time: there is no column "9".*a, user, 2, item/],
      [{ user: 'a', item: 'a' }, /--item: column a is user already/],
      [{ user: '0' }, /no column "0"/],
    ] as const)
      expect(() => said(options)).toThrow(expect.objectContaining({ code: 'UND-INPUT', message: expect.stringMatching(message) }));
    expect(() => chooseColumns({ header: undefined, sample: ['1', '2'], options: { user: 'user' } })).toThrow(/no header and 2 columns/);
  });

  test.each<[first: string, second: string | undefined, hasHeader: boolean]>([
    ['user,item', 'u1,i1', true],
    ['who;what', '1;2', true],
    ['date,buyer,sku', '2026-01-01,u1,a', true],
    ['userId,movieId,itemId,2020', '1,2,3,4', true],
    // Ids that hold letters in one line and none in the next.
    ['304,210A', '305,211', false],
    ['304A,210', '305,211', false],
    ['u1,"a,""b"""', 'u2,c', false],
    ['buyer7,thing', 'u1,i1', false],
    ['1,2', undefined, false],
    ['304,sku', '305,211', false],
  ])('%s over %s: a header is %s', (first, second, hasHeader) => {
    const lines = second === undefined ? [first] : [first, second];
    expect(csvShape({ lines }).hasHeader).toBe(hasHeader);
    expect(csvShape({ lines, header: !hasHeader }).hasHeader).toBe(!hasHeader);
  });

  test('are split as the file is written', () => {
    expect(csvShape({ lines: ['who;what', '1;2'] })).toEqual({ separator: ';', hasHeader: true, columns: ['who', 'what'], sample: ['1', '2'] });
    expect(csvShape({ lines: ['u1,"a,""b"""', 'u2,c'] })).toMatchObject({ separator: ',', columns: ['u1', 'a,"b"'], sample: ['u1', 'a,"b"'] });
  });

  test('keep every row of a file without a header, and stderr says what was taken', async () => {
    await file('train.csv', '304,210A\n305,211\n305,210A\n');
    await file('test.csv', '304,211\n');
    const { stdout, stderr } = await run('--train', 'train.csv', '--test', 'test.csv', '--model', 'popularity', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ users: 1 });
    expect(stderr).toContain('training popularity on 3 rows, 2 users, 2 items');
    expect(stderr).toContain('train.csv: no header; user column 1 (first "304"), item column 2 (first "210A"), time none\n');
  });

  test('can be said for files that tell nothing', async () => {
    await file('train.csv', 'thing,when,buyer_\na,2026-01-01,u1\nb,2026-01-02,u1\na,2026-01-01,u2\n');
    await file('test.csv', 'thing,when,buyer_\nb,2026-01-03,u2\n');
    const said = ['--train', 'train.csv', '--test', 'test.csv', '--item', '1', '--time', '2', '--user', '3', '--model', 'popularity', '--json'];
    await expect(run(...said, '--no-header')).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(/row 1 /) });
    const { stdout, stderr } = await run(...said, '--header');
    expect(JSON.parse(stdout)).toMatchObject({ users: 1 });
    expect(stderr).toContain('train.csv: header in line 1; user "buyer_", item "thing", time "when"\n');
  });
});
