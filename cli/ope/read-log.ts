import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duck, name as column, text, withDuck } from '../../activities/events/duckdb.ts';
import type { LoggedRows } from '../../experiments/counterfactual/single-slot/logged-rows.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const needed = ['reward', 'propensity', 'target'] as const;
const optional = ['q_logged', 'q_target', 'position', 'cluster'] as const;

/**
 * A log of single decisions from CSV (plain or .gz, with a header) or Parquet, in the file's order: `reward, propensity, target` and, where there are,
 * `q_logged, q_target, position, cluster`; other columns are left alone.
 * @throws UND-FILE when it cannot be read or lacks a column
 */
export async function readLog(path: string): Promise<LoggedRows> {
  return withTable(path, async (duck, from) => {
    const names = (await duck.rows<{ column_name: string }>(`SELECT column_name FROM (DESCRIBE SELECT * FROM ${from})`)).map((row) => row.column_name);
    const missing = needed.filter((name) => !names.includes(name));
    if (missing.length > 0)
      throw new UnderstudyError('UND-FILE', `${path} has no column ${missing.join(', ')}; it has ${names.join(', ')}. ${needed.join(', ')} are needed`);
    const wanted = [...needed, ...optional.filter((name) => names.includes(name))];
    const isLabel = (name: string) => name === 'cluster' || name === 'position';
    const expressions = wanted.map((name) =>
      isLabel(name) ? `CAST(dense_rank() OVER (ORDER BY ${column(name)}) - 1 AS INTEGER)` : `TRY_CAST(${column(name)} AS DOUBLE)`,
    );
    await duck.run(`CREATE TABLE log AS SELECT row_number() OVER () AS row_in_file, ${wanted.map(column).join(', ')} FROM ${from}`);
    const read = await duck.columns(`SELECT ${expressions.join(', ')} FROM log ORDER BY row_in_file`);
    const table: Record<string, readonly unknown[]> = Object.fromEntries(wanted.map((name, index) => [name, read[index] ?? []]));
    const take = (name: string) =>
      table[name] === undefined ? undefined : Float64Array.from(table[name], (value) => (value === null ? Number.NaN : Number(value)));
    return {
      reward: take('reward') as Float64Array,
      propensity: take('propensity') as Float64Array,
      target: take('target') as Float64Array,
      qLogged: take('q_logged'),
      qTarget: take('q_target'),
      position: table.position === undefined ? undefined : Int32Array.from(table.position, Number),
      cluster: table.cluster === undefined ? undefined : Int32Array.from(table.cluster, Number),
    };
  });
}

type Impression = { item: number; position: string; click: number; propensity: number };

/**
 * The protocol of the known values of the Open Bandit Dataset (Saito, Aihara, Matsutani and Narita 2021): the target gives each item at a position its frequency
 * there in the target's log, plus one; the reward model is the mean click of each item in the logging policy's log.
 */
export async function readOpenBandit(logFolder: string, targetFolder: string): Promise<LoggedRows> {
  const [log, target] = await Promise.all([logFolder, targetFolder].map(async (folder) => readImpressions(await bandIn(folder))));
  if (log === undefined || target === undefined) throw new UnderstudyError('UND-FILE', 'Two folders are needed');
  const itemCount = [log, target].flat().reduce((most, { item }) => Math.max(most, item), -1) + 1;
  const positions = [...new Set([...log, ...target].map(({ position }) => position))].sort();
  const policy = new Map(positions.map((position) => [position, new Float64Array(itemCount).fill(1)]));
  for (const { item, position } of target) (policy.get(position) as Float64Array)[item] = ((policy.get(position) as Float64Array)[item] as number) + 1;
  for (const counts of policy.values()) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    for (let item = 0; item < itemCount; item += 1) counts[item] = (counts[item] as number) / total;
  }
  const clicks = new Float64Array(itemCount);
  const shown = new Float64Array(itemCount);
  for (const { item, click } of log) {
    clicks[item] = (clicks[item] as number) + click;
    shown[item] = (shown[item] as number) + 1;
  }
  const predicted = clicks.map((sum, item) => (shown[item] === 0 ? 0 : sum / (shown[item] as number)));
  const expected = new Map(
    positions.map((position) => [position, predicted.reduce((sum, q, item) => sum + q * ((policy.get(position) as Float64Array)[item] as number), 0)]),
  );
  return {
    reward: Float64Array.from(log, ({ click }) => click),
    propensity: Float64Array.from(log, ({ propensity }) => propensity),
    target: Float64Array.from(log, ({ item, position }) => (policy.get(position) as Float64Array)[item] as number),
    qLogged: Float64Array.from(log, ({ item }) => predicted[item] as number),
    qTarget: Float64Array.from(log, ({ position }) => expected.get(position) as number),
    position: Int32Array.from(log, ({ position }) => positions.indexOf(position)),
  };
}

/** The one log of impressions among a folder's files. */
async function bandIn(folder: string): Promise<string> {
  const names = await readdir(folder).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `The folder ${folder} cannot be read`, { cause });
  });
  const logs = names.filter((name) => /\.(csv|csv\.gz|parquet)$/.test(name) && !name.startsWith('item_context'));
  const [only] = logs;
  if (only === undefined || logs.length > 1)
    throw new UnderstudyError('UND-FILE', `${folder} must hold one log of impressions; it holds ${logs.join(', ') || 'none'}`);
  return join(folder, only);
}

async function readImpressions(path: string): Promise<Impression[]> {
  return withTable(path, async (duck, from) => {
    const [items = [], positions = [], clicks = [], propensities = []] = await duck.columns(
      `SELECT CAST(item_id AS INTEGER), CAST(position AS VARCHAR), CAST(click AS DOUBLE), CAST(propensity_score AS DOUBLE) FROM ${from}`,
    );
    return items.map((item, row) => ({
      item: Number(item),
      position: String(positions[row]),
      click: Number(clicks[row]),
      propensity: Number(propensities[row]),
    }));
  });
}

async function withTable<T>(path: string, use: (duck: Duck, from: string) => Promise<T>): Promise<T> {
  const found = await stat(path).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `There is no ${path}`, { cause });
  });
  if (!found.isFile()) throw new UnderstudyError('UND-FILE', `${path} is not a file`);
  const from = /\.parquet$/i.test(path) ? `read_parquet(${text(path)})` : `read_csv(${text(path)}, header = true, sample_size = 20000)`;
  try {
    return await withDuck({ workDir: tmpdir() }, (duck) => use(duck, from));
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`, {
      cause: error,
    });
  }
}
