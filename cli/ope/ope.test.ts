import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateRows } from '../../experiments/counterfactual/single-slot/evaluate-rows.ts';
import { readLogs, readOpenBandit } from './read-log.ts';

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
  const clipped = chosen.estimators['ips-clipped']?.value ?? 0;
  console.log(
    `${campaign}: clip ${chosen.hyperparameters.clip.toFixed(4)} chosen, clipped IPS ${clipped.toFixed(7)}; IPS ${known[0]}, clipped at 2 ${known[2]}`,
  );
  expect(chosen.hyperparameters.clip).toBeGreaterThan(2.5);
  expect(Math.abs(clipped / (known[0] as number) - 1)).toBeLessThan(0.1);
});

it('reads Parquet and CSV, clusters and all, to the same answer; --json is one document', async () => {
  const parquet = evaluateRows(await readLogs([at('log.parquet')]), { interval: 'bootstrap' });
  expect(parquet.diagnostics).toMatchObject({ rows: 400, clusters: 200 });
  expect(Object.keys(parquet.estimators)).toEqual(['ips', 'snips', 'ips-clipped']);
  const rows = Array.from({ length: 400 }, (_, i) => [i % 3 === 0 ? 1 : 0, 0.5, i % 2 === 0 ? 0.7 : 0.3, `u${Math.floor(i / 2)}`].join(','));
  await writeFile(at('log.csv'), `reward,propensity,target,cluster\n${rows.join('\n')}\n`);
  expect(JSON.parse((await ope('--log', 'log.csv', '--json', '--interval', 'bootstrap')).stdout)).toEqual(parquet);
});

it('pools the logs of several policies, in files of their own or in one', async () => {
  // One policy shows the first action nine times of ten, the other once; the target half and half.
  const rowsOf = (policy: number) =>
    Array.from({ length: 500 }, (_, row) => {
      const isFirst = row % 10 < (policy === 1 ? 9 : 1);
      const [one, two] = isFirst ? [0.9, 0.1] : [0.1, 0.9];
      return { reward: isFirst ? Number(row % 3 === 0) : Number(row % 2), propensity: policy === 1 ? one : two, target: 0.5, one, two, policy };
    });
  const csv = (rows: ReturnType<typeof rowsOf>, columns: (keyof ReturnType<typeof rowsOf>[number])[], head: string) =>
    `${head}\n${rows.map((row) => columns.map((name) => row[name]).join(',')).join('\n')}\n`;
  for (const policy of [1, 2]) {
    await writeFile(at(`own-${policy}.csv`), csv(rowsOf(policy), ['reward', 'propensity', 'target'], 'reward,propensity,target'));
    await writeFile(
      at(`both-${policy}.csv`),
      csv(rowsOf(policy), ['target', 'reward', 'propensity', 'one', 'two'], 'target,reward,propensity,propensity_1,propensity_2'),
    );
  }
  await writeFile(
    at('all.csv'),
    csv([...rowsOf(1), ...rowsOf(2)], ['reward', 'propensity', 'target', 'one', 'two', 'policy'], 'reward,propensity,target,propensity_1,propensity_2,policy'),
  );
  const own = evaluateRows(await readLogs([at('own-1.csv'), at('own-2.csv')]));
  const both = evaluateRows(await readLogs([at('both-1.csv'), at('both-2.csv')]));
  // Together they show both actions alike: each row weighs 1, whoever logged it.
  expect(both.diagnostics).toMatchObject({ rows: 1_000, maxWeight: 1, ess: 1_000 });
  expect(own.diagnostics.maxWeight).toBeCloseTo(5, 9);
  expect(both.estimators.ips?.standardError).toBeLessThan(0.7 * (own.estimators.ips?.standardError ?? 0));
  expect(evaluateRows(await readLogs([at('all.csv')]))).toEqual(both);
  const { code, stdout } = await ope('--log', 'both-1.csv', 'both-2.csv', '--limit', 'minEss=2000', 'minEssLift=0');
  expect(code).toBe(0);
  expect(stdout).toContain('as much about the target as 1000 unweighted rows; 2000 are needed');
  expect(stdout).toMatch(/No replay: .* of several/);
});

it('counts rows that are there twice, that have no propensity, and whose propensities do not sum to one', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => [i % 2, i % 20 === 7 ? '' : 0.5, 0.5, `r${i % 190}`, i < 4 ? 1.2 : 1].join(','));
  await writeFile(at('dirty.csv'), `reward,propensity,target,id,propensity_sum\n${rows.join('\n')}\n`);
  const found = evaluateRows(await readLogs([at('dirty.csv')]));
  expect(found.diagnostics).toMatchObject({ rows: 190, missingShare: 0.05, badSumShare: 4 / 190 });
  expect(found.diagnostics.duplicateShare).toBeCloseTo(9 / 190, 12);
  for (const sentence of ['no propensity', 'there twice', 'sum to one']) expect(found.reasons.join()).toContain(sentence);
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
  expect(await problem(readLogs([at('none.csv')]))).toMatch(/^UND-FILE.*none\.csv/);
  expect(await problem(readLogs([folder]))).toMatch(/^UND-FILE.*not a file/);
  expect(await problem(readLogs([at('cut.parquet')]))).toMatch(/^UND-FILE.*cannot be read/);
  expect(await problem(readLogs([at('lacking.csv')]))).toMatch(/^UND-FILE.*no column target/);
  await writeFile(at('several.csv'), 'reward,propensity,target,propensity_1\n1,0.5,0.5,0.5\n');
  await writeFile(at('whose.csv'), 'reward,propensity,target,propensity_1,policy\n1,0.5,0.5,0.5,2\n');
  expect(await problem(readLogs([at('several.csv')]))).toMatch(/^UND-FILE.*column policy/);
  expect(await problem(readLogs([at('several.csv'), at('several.csv')]))).toMatch(/^UND-FILE.*propensity_1 to propensity_2 are needed/);
  expect(await problem(readLogs([at('whose.csv')]).then((rows) => evaluateRows(rows)))).toMatch(/^UND-INPUT: Row 1: the logging policy is number 2 of 1/);
  expect(await problem(readLogs([at('zero.csv')]).then((rows) => evaluateRows(rows)))).toMatch(/^UND-INPUT: Row 2: the propensity is 0/);
  expect(await problem(readLogs([at('text.csv')]).then((rows) => evaluateRows(rows)))).toMatch(/^UND-INPUT: Row 2: the reward/);
  expect(await problem(readOpenBandit(folder, folder))).toMatch(/^UND-FILE.*one log of impressions/);
  expect(await ope('--log', 'log.parquet', '--limit', 'minEs=3')).toMatchObject({ code: 2, stderr: expect.stringContaining('NAME one of minEss') });
  const { code, stdout } = await ope('--open-bandit', 'random-men', '--json');
  expect([code, JSON.parse(stdout)]).toEqual([2, expect.objectContaining({ code: 'UND-INPUT', detail: expect.stringContaining('two folders') })]);
});
