import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateRows } from '../../experiments/counterfactual/single-slot/evaluate-rows.ts';
import { readLog, readOpenBandit } from './read-log.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../experiments/counterfactual/fixtures/${name}.csv.gz`, import.meta.url));
let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-ope-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const campaign of ['men', 'women']) {
    for (const policy of ['random', 'bts']) {
      await mkdir(at(`${policy}-${campaign}`));
      // The columns under the names that the data set gives them.
      await connection.run(
        `COPY (SELECT item AS item_id, position, click, propensity AS propensity_score FROM read_csv('${fixture(`${policy}-${campaign}`)}')) TO '${at(`${policy}-${campaign}/${campaign}.csv.gz`)}'`,
      );
    }
  }
  await connection.run(
    `COPY (SELECT (i % 3 = 0)::INT AS reward, 0.5 AS propensity, CASE WHEN i % 2 = 0 THEN 0.7 ELSE 0.3 END AS target, 'u' || (i // 2) AS cluster FROM range(400) AS t(i)) TO '${at('log.parquet')}'`,
  );
  connection.closeSync();
  instance.closeSync();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ope(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [fileURLToPath(new URL('../understudy.ts', import.meta.url)), 'ope', ...args];
  return promisify(execFile)(process.execPath, command, { cwd: folder, env: { ...process.env, UNDERSTUDY_CWD: folder } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

// Known to 10 digits: from random to bts, the target smoothed by one, q the mean click of an item.
it.each([
  ['men', [0.0056457422, 0.0057283267, 0.0035151853, 0.0059483409, 0.0057999952, 0.0057978253, 0.0059548855, 0.005961901], 2911.7, 7.4189],
  ['women', [0.0057893449, 0.0058162454, 0.0045482647, 0.0059678895, 0.0058396134, 0.0058390174, 0.0057140094, 0.0059858898], 3554.8, 6.2936],
])('the Open Bandit log of %s gives the known values, and no verdict: too few rewards carry them', async (campaign, known, ess, maxWeight) => {
  const rows = await readOpenBandit(at(`random-${campaign}`), at(`bts-${campaign}`));
  const found = evaluateRows(rows, { hyperparameters: { clip: 2, switch: 2, shrinkage: 10 } });
  const names = ['ips', 'snips', 'ips-clipped', 'dm', 'dr', 'sndr', 'switch-dr', 'dr-os'] as const;
  for (const [place, name] of names.entries()) expect(found.estimators[name]?.value, name).toBeCloseTo(known[place] as number, 10);
  expect(found.diagnostics.ess).toBeCloseTo(ess, 1);
  expect(found.diagnostics.maxWeight).toBeCloseTo(maxWeight, 4);
  expect(found).toMatchObject({
    rows: 10_000,
    verdict: 'not-enough-evidence',
    reasons: expect.arrayContaining([expect.stringContaining('the difference between the policies rests on')]),
  });
  // Left to the data, the cap does not throw away what short intervals would have it throw away.
  const chosen = evaluateRows(rows);
  expect(chosen.hyperparameters.clip).toBeGreaterThan(2.5);
  expect(Math.abs((chosen.estimators['ips-clipped']?.value ?? 0) / (known[0] as number) - 1)).toBeLessThan(0.1);
});

it('reads Parquet and CSV, clusters and all, to the same answer; --json is one document', async () => {
  const parquet = evaluateRows(await readLog(at('log.parquet')), { interval: 'bootstrap' });
  expect(parquet.diagnostics).toMatchObject({ rows: 400, clusters: 200 });
  expect(Object.keys(parquet.estimators)).toEqual(['ips', 'snips', 'ips-clipped']);
  const rows = Array.from({ length: 400 }, (_, i) => [i % 3 === 0 ? 1 : 0, 0.5, i % 2 === 0 ? 0.7 : 0.3, `u${Math.floor(i / 2)}`].join(','));
  await writeFile(at('log.csv'), `reward,propensity,target,cluster\n${rows.join('\n')}\n`);
  expect(JSON.parse((await ope('--log', 'log.csv', '--json', '--interval', 'bootstrap')).stdout)).toEqual(parquet);
});

it('reads a log of any length', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const policy of ['long', 'other']) {
    await mkdir(at(policy));
    await connection.run(
      `COPY (SELECT i % 5 AS item_id, 1 + i % 3 AS position, (i % 9 = 0)::INT AS click, 0.2 AS propensity_score FROM range(200000) AS t(i)) TO '${at(`${policy}/all.parquet`)}'`,
    );
  }
  connection.closeSync();
  instance.closeSync();
  const found = evaluateRows(await readOpenBandit(at('long'), at('other')));
  expect(found.rows).toBe(200_000);
  expect(found.estimators.ips?.value).toBeCloseTo(1 / 9, 3);
});

it('refuses what is no log, with a code and what to do', async () => {
  await writeFile(at('lacking.csv'), 'reward,propensity\n1,0.5\n');
  await writeFile(at('zero.csv'), 'reward,propensity,target\n1,0.5,0.5\n1,0,0.5\n');
  await writeFile(at('text.csv'), 'reward,propensity,target\n1,0.5,0.5\nyes,0.5,0.5\n');
  await cp(fixture('random-men'), at('cut.parquet'));
  const problem = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );
  expect(await problem(readLog(at('none.csv')))).toMatch(/^UND-FILE.*none\.csv/);
  expect(await problem(readLog(folder))).toMatch(/^UND-FILE.*not a file/);
  expect(await problem(readLog(at('cut.parquet')))).toMatch(/^UND-FILE.*cannot be read/);
  expect(await problem(readLog(at('lacking.csv')))).toMatch(/^UND-FILE.*no column target/);
  expect(await problem(readLog(at('zero.csv')).then((rows) => evaluateRows(rows)))).toMatch(/^UND-INPUT: Row 2: the propensity is 0/);
  expect(await problem(readLog(at('text.csv')).then((rows) => evaluateRows(rows)))).toMatch(/^UND-INPUT: Row 2: the reward/);
  expect(await problem(readOpenBandit(folder, folder))).toMatch(/^UND-FILE.*one log of impressions/);
  const { code, stdout } = await ope('--open-bandit', 'random-men', '--json');
  expect([code, JSON.parse(stdout)]).toEqual([2, expect.objectContaining({ code: 'UND-INPUT', detail: expect.stringContaining('two folders') })]);
});
