import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AnswerPart, type Duck, name as column, text, withDuck } from '../../activities/events/duckdb.ts';
import type { LoggedRows } from '../../experiments/counterfactual/single-slot/logged-rows.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const needed = ['reward', 'propensity', 'target'] as const;
const optional = ['q_logged', 'q_target', 'position', 'cluster', 'id', 'propensity_sum'] as const;
/** Numbers of their own: only what is the same counts. */
const labels: readonly string[] = ['position', 'cluster', 'id'];

/**
 * Logs of single decisions from CSV (plain or .gz, with a header) or Parquet, in the files' order, one after the other: `reward, propensity, target` and,
 * where there are, the optional columns; others are left alone. Rows without a propensity are left out and counted.
 *
 * Of several files, each is the log of a policy of its own, and where all have `propensity_1, propensity_2, ...` (of the row's action under the policy
 * of the first, the second file) they are pooled. One file may hold the same with a column `policy` that says whose row it is, from 1.
 * @throws UND-FILE when one cannot be read or lacks a column
 */
export async function readLogs(paths: readonly string[]): Promise<LoggedRows> {
  return withTables(paths, async (duck, tables) => {
    const columns = await Promise.all(tables.map((from) => columnsOf(duck, from)));
    for (const [file, names] of columns.entries()) {
      const missing = needed.filter((name) => !names.includes(name));
      if (missing.length > 0)
        throw new UnderstudyError(
          'UND-FILE',
          `${paths[file]} has no column ${missing.join(', ')}; it has ${names.join(', ')}. ${needed.join(', ')} are needed`,
        );
    }
    const inAll = (name: string) => columns.every((names) => names.includes(name));
    const policies = policiesOf({ files: paths.length, inAll });
    const ofPolicies = Array.from({ length: policies }, (_, place) => `propensity_${place + 1}`);
    const wanted = [...needed, ...optional.filter(inAll), ...ofPolicies];
    const log = newLog({ wanted, policies });
    for (const [file, from] of tables.entries()) {
      const policy = paths.length > 1 || policies === 0 ? String(file) : 'COALESCE(TRY_CAST(policy AS INTEGER), 0) - 1';
      await duck.parts(`SELECT ${wanted.map(expressionOf).join(', ')}, CAST(${policy} AS DOUBLE) FROM ${from}`, log.take);
    }
    return log.finish();
  });
}

/** NULL is left for what is not there at all; what is there and is no number is NaN. */
function expressionOf(name: string): string {
  if (labels.includes(name)) return `CAST(${column(name)} AS VARCHAR)`;
  const number = `COALESCE(TRY_CAST(${column(name)} AS DOUBLE), 'NaN'::DOUBLE)`;
  return name === 'propensity' ? `CASE WHEN ${column(name)} IS NULL THEN NULL ELSE ${number} END` : number;
}

/** Columns that grow with what is read: a log may be of any length, and is held once. */
function newLog({ wanted, policies }: { wanted: readonly string[]; policies: number }) {
  const names = [...wanted, 'of_policy'];
  const numbers = new Map(names.filter((name) => !labels.includes(name)).map((name) => [name, new Float64Array(1 << 16)]));
  const numbered = new Map(
    names.filter((name) => labels.includes(name)).map((name) => [name, { known: new Map<unknown, number>(), values: new Int32Array(1 << 16) }]),
  );
  const propensity = names.indexOf('propensity');
  let rows = 0;
  let withoutPropensity = 0;
  const take = (part: AnswerPart): void => {
    if (rows + part.rows > (numbers.get('propensity') as Float64Array).length) {
      for (const [name, values] of numbers) numbers.set(name, grown(values, new Float64Array(2 * values.length)));
      for (const one of numbered.values()) one.values = grown(one.values, new Int32Array(2 * one.values.length));
    }
    const isThere = Uint8Array.from({ length: part.rows }, (_, row) => (part.columns[propensity]?.getItem(row) === null ? 0 : 1));
    for (const [index, name] of names.entries()) {
      const read = part.columns[index] as AnswerPart['columns'][number];
      const [own, label] = [numbers.get(name), numbered.get(name)];
      let at = rows;
      for (let row = 0; row < part.rows; row += 1) {
        if (isThere[row] === 0) continue;
        if (own !== undefined) own[at] = read.getItem(row) as number;
        if (label !== undefined) label.values[at] = numberOf(label.known, read.getItem(row));
        at += 1;
      }
    }
    const kept = isThere.reduce((sum, one) => sum + one, 0);
    rows += kept;
    withoutPropensity += part.rows - kept;
  };
  const finish = (): LoggedRows => {
    const column = (name: string) => numbers.get(name)?.subarray(0, rows);
    const label = (name: string) => numbered.get(name)?.values.subarray(0, rows);
    const position = numbered.get('position');
    return {
      reward: column('reward') as Float64Array,
      propensity: column('propensity') as Float64Array,
      target: column('target') as Float64Array,
      qLogged: column('q_logged'),
      qTarget: column('q_target'),
      position: position === undefined ? undefined : inOrder(position.known, position.values.subarray(0, rows)),
      cluster: label('cluster'),
      id: label('id'),
      propensitySum: column('propensity_sum'),
      withoutPropensity,
      pooled:
        policies === 0
          ? undefined
          : {
              policy: Int32Array.from(column('of_policy') as Float64Array),
              propensities: Array.from({ length: policies }, (_, place) => column(`propensity_${place + 1}`) as Float64Array),
            },
    };
  };
  return { take, finish };
}

function grown<T extends Float64Array | Int32Array>(values: T, into: T): T {
  into.set(values);
  return into;
}

function numberOf(known: Map<unknown, number>, value: unknown): number {
  const found = known.get(value);
  if (found !== undefined) return found;
  known.set(value, known.size);
  return known.size - 1;
}

/** Slots are shown in their own order: by number where they are numbers. */
function inOrder(known: ReadonlyMap<unknown, number>, values: Int32Array): Int32Array {
  const sorted = [...known].sort(([a], [b]) => Number(a) - Number(b) || String(a).localeCompare(String(b)));
  const place = Int32Array.from(known, () => 0);
  for (const [index, [, number]] of sorted.entries()) place[number] = index;
  return values.map((number) => place[number] as number);
}

async function columnsOf(duck: Duck, from: string): Promise<string[]> {
  return (await duck.rows<{ column_name: string }>(`SELECT column_name FROM (DESCRIBE SELECT * FROM ${from})`)).map((row) => row.column_name);
}

/** How many policies the rows tell of; 0 where each row tells of its own only. */
function policiesOf({ files, inAll }: { files: number; inAll: (name: string) => boolean }): number {
  let count = 0;
  while (inAll(`propensity_${count + 1}`)) count += 1;
  if (count === 0) return 0;
  if (files > 1 && count !== files)
    throw new UnderstudyError(
      'UND-FILE',
      `${files} logs of ${files} policies have the propensities of ${count}: propensity_1 to propensity_${files} are needed in all of them`,
    );
  if (files === 1 && !inAll('policy'))
    throw new UnderstudyError('UND-FILE', `Propensities of ${count} policies need a column policy that says whose row it is, from 1`);
  return count;
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
  return withTables([path], async (duck, [from = '']) => {
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

async function withTables<T>(paths: readonly string[], use: (duck: Duck, from: string[]) => Promise<T>): Promise<T> {
  const tables = await Promise.all(paths.map(tableOf));
  try {
    return await withDuck({ workDir: tmpdir() }, (duck) => use(duck, tables));
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    const what = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    throw new UnderstudyError('UND-FILE', `${paths.join(', ')} cannot be read: ${what}`, { cause: error });
  }
}

async function tableOf(path: string): Promise<string> {
  const found = await stat(path).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `There is no ${path}`, { cause });
  });
  if (!found.isFile()) throw new UnderstudyError('UND-FILE', `${path} is not a file`);
  return /\.parquet$/i.test(path) ? `read_parquet(${text(path)})` : `read_csv(${text(path)}, header = true, sample_size = 20000)`;
}
