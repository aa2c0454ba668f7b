import { join } from 'node:path';
import type { Digest } from '../../models/contracts/ids.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, name, text } from './duckdb.ts';
import { keptNowhere } from './fates.ts';
import { malformedRow } from './malformed-rows.ts';
import { keep, parquetOptions } from './write-slices.ts';

/** A quarantine as a relation: `line`, `reason`, `raw`, `file`, `file_line`, and the ids that the mapping read; those of before lack some. */
export const quarantineSql = (path: string): string => quarantinesSql([path]);
function quarantinesSql(paths: readonly string[]): string {
  const files = paths.map(text).join(', ');
  return `(SELECT NULL::BIGINT AS line, NULL::VARCHAR AS reason, NULL::VARCHAR AS raw, NULL::VARCHAR AS file, NULL::BIGINT AS file_line, NULL::VARCHAR AS user_id, NULL::VARCHAR AS session_id, NULL::VARCHAR AS device_id WHERE false UNION ALL BY NAME SELECT * FROM read_parquet([${files}], union_by_name = true))`;
}

/**
 * Every quarantined row as it came (JSON; what is no row: its text), with its line, its reason, and of a source of files the file and the line there. Null when there is none. Where people are known by
 * pseudonyms, a cell that is an id holds its pseudonym, and of what is no row, and may name anybody, only line and reason are kept.
 */
export async function writeQuarantine({ duck, blobs, keyed = false }: { duck: Duck; blobs: BlobStore; keyed?: boolean }): Promise<Digest | null> {
  const path = join(duck.scratch, 'quarantine.parquet');
  const [row] = await duck.rows<{ rows: number }>(
    `SELECT ((SELECT count(*) FROM judged WHERE fate NOT IN ${keptNowhere}) + (SELECT count(*) FROM malformed))::DOUBLE AS rows`,
  );
  if ((row?.rows ?? 0) === 0) return null;
  const raw = await rawSql({ duck, keyed });
  await duck.run(`
    COPY (SELECT line, reason, raw, file, CAST(line - first_line + 1 AS BIGINT) AS file_line, user_id, session_id, device_id FROM (
        SELECT CAST(raw_line AS BIGINT) AS line, judged.fate AS reason, ${raw} AS raw, judged.user_id, judged.session_id, judged.device_id
        FROM judged JOIN raw USING (raw_line) WHERE judged.fate NOT IN ${keptNowhere}
        UNION ALL SELECT CAST(raw_line AS BIGINT), ${text(malformedRow)}, ${keyed ? "''" : 'raw'}, NULL, NULL, NULL FROM malformed)
      ASOF LEFT JOIN raw_files ON line >= first_line ORDER BY line) TO ${text(path)} ${parquetOptions}`);
  return keep({ path, blobs });
}

/** A row of `judged JOIN raw` as it came, as JSON in which no person is known but by pseudonyms, where those are used. */
async function rawSql({ duck, keyed }: { duck: Duck; keyed: boolean }): Promise<string> {
  const columns = await duck.rows<{ column_name: string }>('DESCRIBE SELECT * EXCLUDE (raw_line) FROM raw');
  // A cell that is an id holds its pseudonym; one that an id was made of holds nothing.
  const within = (column: string) => {
    const value = `regexp_replace(trim(raw.${name(column)}), '[.]0+$', '')`;
    return `EXISTS (FROM pseudonyms one WHERE one.pseudonym IN (judged.user_id, judged.session_id, judged.device_id) AND length(${value}) > 2 AND contains(one.id, ${value}))`;
  };
  const cell = (column: string) =>
    keyed
      ? `coalesce((SELECT pseudonym FROM pseudonyms WHERE id = trim(raw.${name(column)})), CASE WHEN NOT ${within(column)} THEN raw.${name(column)} END)`
      : `raw.${name(column)}`;
  const members = columns.map(({ column_name: column }) => `${text(column)}, ${cell(column)}`).join(', ');
  return `CAST(json_object(${members}) AS VARCHAR)`;
}

/** What a record said, without what tells of its journey: what it says nothing of is left out, as older quarantines do not know every member. */
const saidSql = (raw: string): string => `CAST(json_merge_patch('{}', ${raw}, '{"receivedAtMs":null}') AS VARCHAR)`;

/**
 * Judges records of `judged` anew that were put aside already, by this ingest or an earlier one: whoever got no answer sends again, and that is no second record.
 * Records without an id are left as they are. @param paths of earlier quarantines, as local files
 */
export async function tellPutAside({ duck, paths, keyed }: { duck: Duck; paths: readonly string[]; keyed: boolean }): Promise<void> {
  const earlier = paths.length === 0 ? 'SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS said WHERE false' : asideBefore(paths);
  await duck.run(`CREATE TABLE aside_before AS ${earlier}`);
  await duck.run(`
    CREATE TABLE aside_again AS SELECT raw_line FROM (
      SELECT raw_line, fate IS NOT NULL AS aside, said, row_number() OVER (PARTITION BY fate IS NOT NULL, said ORDER BY raw_line) AS nth FROM (
        SELECT raw_line, fate, ${saidSql(await rawSql({ duck, keyed }))} AS said FROM judged JOIN raw USING (raw_line)
        WHERE judged.event_id IS NOT NULL AND coalesce(fate, '') NOT IN ${keptNowhere} AND (fate IS NOT NULL OR judged.event_id IN (SELECT id FROM aside_before))))
    WHERE said IN (SELECT said FROM aside_before) OR (aside AND nth > 1)`);
  await duck.run(`
    UPDATE judged SET fate = 'duplicate' WHERE raw_line IN (SELECT raw_line FROM aside_again);
    DROP TABLE aside_again; DROP TABLE aside_before`);
}

const asideBefore = (paths: readonly string[]): string =>
  `SELECT DISTINCT json_extract_string(raw, '$.eventId') AS id, ${saidSql('raw')} AS said FROM ${quarantinesSql(paths)} WHERE json_valid(raw)`;
