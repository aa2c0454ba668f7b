import { digestJson } from '../../models/contracts/digest.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { asWritten, type Duck, name, text } from './duckdb.ts';
import { eventColumns, rowTextSql } from './event-columns.ts';
import { extraColumns, type Mapping } from './mapping.ts';
import { firstBrokenSql, recordRules } from './rules/registry.ts';
import { inScope } from './rules/scope.ts';

type Part = Pick<Charter, 'timeZone' | 'scope' | 'data'>;

/** Names the rules that a batch was held against: the mapping, the record rules, the charter's data-set rules and scope. */
export function rulesDigestOf({ mapping, charter }: { mapping: Mapping; charter: Part }): Digest {
  return digestJson({
    mapping,
    recordRules: recordRules.map((rule) => [rule.name, rule.breaksSql]),
    dataSetRules: charter.data.rules,
    itemIdPattern: charter.scope.itemIdPattern,
    timeZone: charter.timeZone,
  });
}

/**
 * From `raw` to the table `judged`: the columns of a slice, `raw_line`, `title`, `category`, `brand`, and `fate`: NULL where the row is
 * accepted, `duplicate`, or the reason of its quarantine. Equal rows with one event id are one event; different rows with one id are a
 * conflict, and the first line wins. Answers the shift that was added, in days.
 * @throws UND-CHARTER when the mapping's SQL or the time zone is nothing that DuckDB can run; UND-CONSERVATION.
 */
export async function stageRows({
  duck,
  mapping,
  charter,
  endsAt,
}: {
  duck: Duck;
  mapping: Mapping;
  charter: Part;
  endsAt: string | undefined;
}): Promise<{ shiftDays: number }> {
  // `Intl` knows zones that DuckDB does not.
  await asWritten({ what: 'The time zone', path: '/timeZone' }, () => duck.run(`SELECT timezone(${text(charter.timeZone)}, TIMESTAMP '2026-01-01')`));
  await asWritten({ what: `The mapping ${mapping.name}`, path: '/source/mapping/sql' }, () => mapRows({ duck, mapping }));
  const shiftDays = endsAt === undefined ? 0 : await shiftFor({ duck, endsAt, timeZone: charter.timeZone });
  const zone = text(charter.timeZone);
  // The wall clock is shifted, not the instant: an hour and its day stay what they were, in summer and in winter.
  const wall = `coalesce(wall_time, TRY(timezone(${zone}, make_timestamptz(at_ms * 1000))))`;
  const instant = `TRY(epoch_ms(timezone(${zone}, ${wall} + INTERVAL (${shiftDays}) DAY)))`;
  const atMs = shiftDays === 0 ? `coalesce(at_ms, ${instant})` : instant;
  await duck.run(`CREATE TABLE timed AS SELECT * EXCLUDE (at_ms, wall_time), ${atMs} AS at_ms FROM mapped`);
  await duck.run('DROP TABLE mapped');
  await fillForeignItems({ duck, itemIdPattern: charter.scope.itemIdPattern });
  await duck.run(`CREATE TABLE ruled AS SELECT * EXCLUDE (reason), coalesce(reason, ${firstBrokenSql()}) AS reason FROM timed`);
  await duck.run('DROP TABLE timed');
  await duck.run(`
    CREATE TABLE judged AS
    WITH several AS (SELECT event_id FROM ruled WHERE reason IS NULL GROUP BY event_id HAVING count(*) > 1),
    repeats AS (
      SELECT raw_line, row_number() OVER first AS nth, ${rowTextSql} = first_value(${rowTextSql}) OVER first AS same
      FROM ruled WHERE reason IS NULL AND event_id IN (SELECT event_id FROM several)
      WINDOW first AS (PARTITION BY event_id ORDER BY raw_line))
    SELECT ruled.* EXCLUDE (reason), CASE WHEN repeats.nth > 1 THEN CASE WHEN repeats.same THEN 'duplicate' ELSE 'event-id-conflict' END ELSE reason END AS fate
    FROM ruled LEFT JOIN repeats USING (raw_line)`);
  await duck.run('DROP TABLE ruled');
  return { shiftDays };
}

/** Runs the mapping; columns that it does not give are NULL. @throws UND-CONSERVATION when it does not give each line once. */
async function mapRows({ duck, mapping }: { duck: Duck; mapping: Mapping }): Promise<void> {
  const described = await duck.rows<{ column_name: string }>(`DESCRIBE ${mapping.sql}`);
  const given = new Set(described.map((row) => row.column_name));
  const columns = [...eventColumns, ...extraColumns].map(
    ({ column, type }) => `CAST(${given.has(column) ? `m.${name(column)}` : 'NULL'} AS ${type}) AS ${column}`,
  );
  await duck.run(`CREATE TABLE mapped AS SELECT m.raw_line, ${columns.join(', ')} FROM (${mapping.sql}) m`);
  const [check] = await duck.rows<{ rows: number; lines: number; raw: number }>(
    'SELECT count(*)::DOUBLE AS rows, count(DISTINCT raw_line)::DOUBLE AS lines, (SELECT count(*) FROM raw)::DOUBLE AS raw FROM mapped',
  );
  if (check === undefined || check.rows !== check.raw || check.lines !== check.raw) {
    throw new UnderstudyError('UND-CONSERVATION', `The mapping ${mapping.name} made ${check?.rows} rows of ${check?.raw} lines (${check?.lines} different)`);
  }
}

/** Whole weeks that bring the last day of the data to the last such weekday on or before `endsAt`. */
async function shiftFor({ duck, endsAt, timeZone }: { duck: Duck; endsAt: string; timeZone: string }): Promise<number> {
  const local = `coalesce(wall_time, TRY(timezone(${text(timeZone)}, make_timestamptz(at_ms * 1000))))`;
  const [row] = await duck.rows<{ weeks: number | null }>(
    `SELECT CAST(floor((DATE ${text(endsAt)} - CAST(max(${local}) AS DATE)) / 7.0) AS INTEGER) AS weeks FROM mapped WHERE reason IS NULL AND isfinite(${local})`,
  );
  return (row?.weeks ?? 0) * 7;
}

async function fillForeignItems({ duck, itemIdPattern }: { duck: Duck; itemIdPattern: string | undefined }): Promise<void> {
  await duck.run('CREATE TABLE foreign_items (item_id VARCHAR)');
  if (itemIdPattern === undefined) return;
  const [items = []] = await duck.columns('SELECT DISTINCT item_id FROM timed WHERE item_id IS NOT NULL');
  const foreign = (items as string[]).filter((itemId) => !inScope(itemId, { itemIdPattern }));
  const page = 1000;
  for (let from = 0; from < foreign.length; from += page) {
    await duck.run(
      `INSERT INTO foreign_items VALUES ${foreign
        .slice(from, from + page)
        .map((itemId) => `(${text(itemId)})`)
        .join(', ')}`,
    );
  }
}
