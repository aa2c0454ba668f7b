import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Duck, text } from './duckdb.ts';

/*
 * Rows that are none: a line of a CSV with other columns than the header, a line of JSON lines that is no object. They stand in the table
 * `malformed(raw_line, raw)`, with their text, and are quarantined; `raw` holds the others, at the lines where they stood.
 */

/** The reason of their quarantine. */
export const malformedRow = 'malformed-row';

/** For `read_csv`: what cannot be read goes into the table `rejected`. */
export const rejectsSql = `store_rejects = true, rejects_table = 'rejected', rejects_scan = 'rejected_scans', rejects_limit = 0`;

export const createMalformed = (duck: Duck): Promise<void> => duck.run('CREATE TABLE malformed (raw_line DOUBLE, raw VARCHAR)');

/**
 * Moves what `read_csv` rejected into `malformed`, and gives the rows of `raw` the lines where they stood.
 * @param header whether the file has one: its first line is none of the rows.
 * @throws UND-FILE where rows that are whole may be lost with the rejected one: a quote that is not closed, a line that is too long.
 */
export async function setRejectedAside({ duck, path, header }: { duck: Duck; path: string; header: boolean }): Promise<void> {
  const before = header ? 1 : 0;
  const [lost] = await duck.rows<{ line: number; message: string }>(`
    SELECT line::DOUBLE AS line, error_message AS message FROM rejected
    WHERE csv_line IS NULL OR error_type NOT IN ('MISSING COLUMNS', 'TOO MANY COLUMNS', 'INVALID ENCODING', 'UNQUOTED VALUE')
      OR (error_type = 'UNQUOTED VALUE' AND trim(csv_line, chr(10) || chr(13)) LIKE '%' || chr(10) || '%')
    ORDER BY line LIMIT 1`);
  if (lost !== undefined) throw new UnderstudyError('UND-FILE', `${path}: line ${lost.line}: ${lost.message}`);
  await duck.run(`INSERT INTO malformed SELECT line - ${before}, trim(min(csv_line), chr(10) || chr(13)) FROM rejected GROUP BY line`);
  const [count] = await duck.rows<{ rows: number }>('SELECT count(*)::DOUBLE AS rows FROM malformed');
  if (count?.rows === 0) return;
  // Of the n-th sound row so many malformed ones stand before it as have fewer than n sound ones before themselves.
  await duck.run(`
    CREATE OR REPLACE TABLE raw AS
    WITH places AS (SELECT raw_line - row_number() OVER (ORDER BY raw_line) AS sound, row_number() OVER (ORDER BY raw_line) AS skipped FROM malformed),
    steps AS (SELECT sound, max(skipped) AS skipped FROM places GROUP BY sound)
    SELECT raw.* REPLACE (raw.raw_line + coalesce(steps.skipped, 0) AS raw_line) FROM raw ASOF LEFT JOIN steps ON raw.raw_line > steps.sound`);
}

/** @throws UND-FILE when more rows are malformed than are not: then the file is something else than its name says. */
export async function refuseOther({ duck, path, what }: { duck: Duck; path: string; what: string }): Promise<void> {
  const [count] = await duck.rows<{ malformed: number; sound: number; line: number | null; raw: string | null }>(`
    SELECT (SELECT count(*) FROM malformed)::DOUBLE AS malformed, (SELECT count(*) FROM raw)::DOUBLE AS sound,
      (SELECT min(raw_line) FROM malformed) AS line, (SELECT left(arg_min(raw, raw_line), 100) FROM malformed) AS raw`);
  if (count === undefined || count.malformed <= count.sound) return;
  const rows = count.malformed + count.sound;
  throw new UnderstudyError('UND-FILE', `${path}: ${count.malformed} of ${rows} rows are not ${what}; the first is row ${count.line}: ${count.raw}`);
}

/**
 * Reads JSON lines into `objects(raw_line, line)` and `malformed`: blank lines are nothing, and what is no object is malformed. Answers the
 * objects' members in the order of their appearance.
 */
export async function readJsonLines({ duck, path, limit }: { duck: Duck; path: string; limit: string }): Promise<string[]> {
  await duck.run(`
    CREATE TABLE raw AS SELECT CAST(row_number() OVER () AS DOUBLE) AS raw_line, line
    FROM read_csv(${text(path)}, auto_detect = false, header = false, delim = '', quote = '', escape = '', strict_mode = false, max_line_size = ${1 << 24},
      columns = {'line': 'VARCHAR'}, ${rejectsSql})${limit}`);
  await setRejectedAside({ duck, path, header: false });
  await duck.run(`
    CREATE TABLE objects AS SELECT *, CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END AS sound FROM raw WHERE trim(line) <> ''`);
  await duck.run('DROP TABLE raw');
  await duck.run('INSERT INTO malformed SELECT raw_line, line FROM objects WHERE NOT sound');
  await duck.run('DELETE FROM objects WHERE NOT sound');
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
