import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Duck, text } from './duckdb.ts';

/*
 * Rows that are none: a line of a CSV with other columns than the header, a line of JSON lines that is no object. They stand in the table
 * `malformed(raw_line, raw)`, with their text, and are quarantined; `raw` holds the others, at the lines where they stood. A file is read into the table `part` first,
 * behind the lines of the files before it.
 */

/** The reason of their quarantine. */
export const malformedRow = 'malformed-row';

/** For `read_csv`: what cannot be read goes into the table `rejected`. */
export const rejectsSql = `store_rejects = true, rejects_table = 'rejected', rejects_scan = 'rejected_scans', rejects_limit = 0`;
/** What cannot be read is left out. */
export const ignoreSql = 'ignore_errors = true';

/**
 * DuckDB holds each mistake of each row that it rejects, with the row's text, in memory that it does not count: about 1 KB. A row may have as
 * many as it lacks columns.
 */
const mostMistakes = 1_000_000;

/** And `raw_files(file, first_line)`, which says where each file that has lines begins: line n is row `n - first_line + 1` of the last one with `first_line <= n`. */
export async function createMalformed(duck: Duck): Promise<void> {
  await duck.run('CREATE TABLE malformed (raw_line DOUBLE, raw VARCHAR)');
  await duck.run('CREATE TABLE raw_files (file VARCHAR, first_line DOUBLE)');
}

type Part = {
  duck: Duck;
  path: string;
  /** Lines of the files before this one: `part` holds what comes behind them. */
  before: number;
};

/**
 * Moves what `read_csv` rejected into `malformed`, and gives the rows of `part` the lines where they stood.
 * @param header whether the file has one: its first line is none of the rows.
 * @throws UND-FILE where rows that are whole may be lost with the rejected one: a quote that is not closed, a line that is too long.
 */
export async function setRejectedAside({ duck, path, before, header }: Part & { header: boolean }): Promise<void> {
  const [lost] = await duck.rows<{ line: number; message: string }>(`
    SELECT line::DOUBLE AS line, error_message AS message FROM rejected
    WHERE csv_line IS NULL OR error_type NOT IN ('MISSING COLUMNS', 'TOO MANY COLUMNS', 'INVALID ENCODING', 'UNQUOTED VALUE')
      OR (error_type = 'UNQUOTED VALUE' AND trim(csv_line, chr(10) || chr(13)) LIKE '%' || chr(10) || '%')
    ORDER BY line LIMIT 1`);
  if (lost !== undefined) throw new UnderstudyError('UND-FILE', `${path}: line ${lost.line}: ${lost.message}`);
  const above = before - (header ? 1 : 0);
  await duck.run(`INSERT INTO malformed SELECT line + ${above}, trim(min(csv_line), chr(10) || chr(13)) FROM rejected GROUP BY line`);
  await duck.run('DROP TABLE rejected');
  await duck.run('DROP TABLE rejected_scans');
  const [count] = await duck.rows<{ rows: number }>(`SELECT count(*)::DOUBLE AS rows FROM malformed WHERE raw_line > ${before}`);
  if (count?.rows === 0) return;
  // Of the n-th sound row so many malformed ones stand before it as have fewer than n sound ones before themselves.
  await duck.run(`
    CREATE OR REPLACE TABLE part AS
    WITH places AS (
      SELECT raw_line - row_number() OVER (ORDER BY raw_line) AS sound, row_number() OVER (ORDER BY raw_line) AS skipped FROM malformed WHERE raw_line > ${before}),
    steps AS (SELECT sound, max(skipped) AS skipped FROM places GROUP BY sound)
    SELECT part.* REPLACE (part.raw_line + coalesce(steps.skipped, 0) AS raw_line) FROM part ASOF LEFT JOIN steps ON part.raw_line > steps.sound`);
}

/** The line that `part` ends with. */
export async function lastLine({ duck, before }: Omit<Part, 'path'>): Promise<number> {
  const [last] = await duck.rows<{ line: number }>(`
    SELECT greatest(${before}, (SELECT max(raw_line) FROM part), (SELECT max(raw_line) FROM malformed))::DOUBLE AS line`);
  return last?.line ?? before;
}

/**
 * Before the rejected rows of a file are taken into memory. Costs a look at the whole file, where it is so large that it matters.
 * @param lines at least so many rows it has. @param from the file as SQL, without what is no row.
 * @throws UND-FILE when there are too many to be held.
 */
export async function refuseMany({
  duck,
  path,
  lines,
  columns,
  from,
}: {
  duck: Duck;
  path: string;
  lines: number;
  columns: number;
  from: string;
}): Promise<void> {
  if (lines * columns <= mostMistakes) return;
  const [count] = await duck.rows<{ rows: number }>(`SELECT count(*)::DOUBLE AS rows FROM ${from}`);
  const others = lines - (count?.rows ?? 0);
  if (others * columns <= mostMistakes) return;
  const most = Math.floor(mostMistakes / columns);
  throw new UnderstudyError(
    'UND-FILE',
    `${path}: ${others} of ${lines} rows cannot be read, and at most ${most} of a file are set aside: mend it, or split it`,
  );
}

/** @throws UND-FILE when more rows of `part` are malformed than are not: then the file is something else than its name says. */
export async function refuseOther({ duck, path, before, what }: Part & { what: string }): Promise<void> {
  const [count] = await duck.rows<{ malformed: number; sound: number; line: number | null }>(`
    SELECT count(*)::DOUBLE AS malformed, (SELECT count(*) FROM part)::DOUBLE AS sound, min(raw_line) - ${before} AS line
    FROM malformed WHERE raw_line > ${before}`);
  if (count === undefined || count.malformed <= count.sound) return;
  const rows = count.malformed + count.sound;
  throw new UnderstudyError('UND-FILE', `${path}: ${count.malformed} of ${rows} rows are not ${what}; the first is row ${count.line}`);
}

/** @param head the beginning of a longer file. @throws UND-FILE when most of its lines cannot be objects: the rest need not be read. */
export function refuseOtherHead({ path, head }: { path: string; head: Buffer }): void {
  const lines = head.toString('utf8').split('\n').slice(0, -1);
  const rows = lines.map((line) => line.trim()).filter((line) => line !== '');
  const other = rows.filter((row) => !row.startsWith('{'));
  if (other.length * 2 <= rows.length) return;
  const first = rows.indexOf(other[0] ?? '') + 1;
  throw new UnderstudyError('UND-FILE', `${path}: ${other.length} of its first ${rows.length} rows are not JSON objects; the first is row ${first}`);
}

/** A file's lines as a relation, for either way with what is none. */
export const linesSql = (file: string) => (errors: string) =>
  `read_csv(${file}, auto_detect = false, header = false, delim = '', quote = '', escape = '', strict_mode = false, max_line_size = ${1 << 24}, hive_partitioning = false, columns = {'line': 'VARCHAR'}, ${errors})`;

/**
 * Reads JSON lines into `part(raw_line, line)` and `malformed`: blank lines are nothing, and what is no object is malformed. Answers the
 * last line.
 * @param from the file's lines as SQL.
 */
export async function readJsonLines({ duck, path, from, before, upTo }: Part & { from: string; upTo: string }): Promise<number> {
  await duck.run(`
    CREATE TABLE part AS SELECT CAST(row_number() OVER () + ${before} AS DOUBLE) AS raw_line, line
    FROM ${from}${upTo}`);
  await setRejectedAside({ duck, path, before, header: false });
  const last = await lastLine({ duck, before });
  await duck.run(`
    CREATE OR REPLACE TABLE part AS
    SELECT *, CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END AS sound FROM part WHERE trim(line) <> ''`);
  await duck.run('INSERT INTO malformed SELECT raw_line, line FROM part WHERE NOT sound');
  await duck.run('DELETE FROM part WHERE NOT sound');
  return last;
}

/** The members of `objects`, in the order of their appearance. */
export async function jsonMembers(duck: Duck): Promise<string[]> {
  const members = await duck.rows<{ member: string }>(`
    SELECT keys[place] AS member FROM (
      SELECT raw_line, keys, unnest(range(1, len(keys) + 1)) AS place FROM (SELECT raw_line, json_keys(line) AS keys FROM objects))
    GROUP BY member ORDER BY min((raw_line, place))`);
  return members.map(({ member }) => member);
}

/** The objects as rows, each member as text of whatever type it is: guessed types would rewrite ids that look like dates. */
export function membersSql(columns: readonly string[]): string {
  const structure = JSON.stringify(Object.fromEntries(columns.map((column) => [column, 'VARCHAR'])));
  return `SELECT raw_line${columns.length === 0 ? '' : `, unnest(json_transform(line, ${text(structure)}))`} FROM objects`;
}
