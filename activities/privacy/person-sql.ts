import type { Subjects } from '../../models/contracts/erasure.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, text } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';
import { readHead } from './read-head.ts';

/*
 * Whose a row is, for each kind of Parquet file that the state directory has.
 */
const list = (values: readonly string[]) => (values.length === 0 ? "('')" : `(${values.map(text).join(', ')})`);

/** Fills `persons(id, role)`: `u`, `s`, `d`. */
export async function loadPersons(duck: Duck, { userIds, sessionIds, deviceIds }: Subjects): Promise<void> {
  await duck.run('CREATE OR REPLACE TABLE persons (id VARCHAR, role VARCHAR)');
  const values = [...userIds.map((id) => [id, 'u'] as const), ...sessionIds.map((id) => [id, 's'] as const), ...deviceIds.map((id) => [id, 'd'] as const)].map(
    ([id, role]) => `(${text(id)}, '${role}')`,
  );
  const page = 1_000;
  for (let from = 0; from < values.length; from += page) await duck.run(`INSERT INTO persons VALUES ${values.slice(from, from + page).join(', ')}`);
}

const namesAny = (id: string) => `coalesce(len(list_filter((SELECT list(${id}) FROM persons), lambda one: contains(raw, one))) > 0, false)`;
const among = (value: string, role: string) => `coalesce(${value} IN (SELECT id FROM persons WHERE role = '${role}'), false)`;

/** An event is theirs that names them, or that nobody else is named in and whose session or device is theirs. */
export const eventIsTheirs = `(${among('user_id', 'u')} OR (user_id IS NULL AND (${among('session_id', 's')} OR ${among('device_id', 'd')})))`;
export const changeIsTheirs = `(${['u', 's', 'd'].map((role) => `(starts_with(subject, '${role}:') AND ${among('substr(subject, 3)', role)})`).join(' OR ')} OR ${among("CASE WHEN json_valid(body) THEN json_extract_string(body, '$.userId') END", 'u')})`;
/**
 * A quarantined row is theirs by the ids that its mapping read; one without (what was no row, and quarantines from before ids were kept) by its text. As
 * lists, so that only such rows are searched: a subquery with EXISTS is a join with them all.
 */
export const quarantinedIsTheirs = `(CASE WHEN user_id IS NOT NULL OR session_id IS NOT NULL OR device_id IS NOT NULL THEN ${eventIsTheirs}
  WHEN json_valid(raw) THEN ${namesAny('to_json(id)::VARCHAR')} ELSE ${namesAny('id')} END)`;

/** Sessions and devices that are theirs and nobody else's, by all slices that there are, of events and of logins. */
export async function wholeOf({
  duck,
  paths,
  changes,
  people,
}: {
  duck: Duck;
  paths: readonly string[];
  changes: readonly string[];
  people: Subjects;
}): Promise<Subjects> {
  if (people.userIds.length === 0) return people;
  const owned = async (id: 'session' | 'device'): Promise<string[]> => {
    const sources = [
      'SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS user_id WHERE false',
      ...(paths.length === 0 ? [] : [`SELECT ${id}_id, user_id FROM ${slicesSql(paths)}`]),
      ...(changes.length === 0
        ? []
        : [
            `SELECT json_extract_string(body, '$.${id}Id'), json_extract_string(body, '$.userId') FROM read_parquet([${changes.map(text).join(', ')}]) WHERE kind = 'login' AND json_valid(body)`,
          ]),
    ];
    const [ids = []] = await duck.columns(
      `SELECT id FROM (${sources.join(' UNION ALL ')}) WHERE id IS NOT NULL AND user_id IS NOT NULL GROUP BY id HAVING bool_and(user_id IN ${list(people.userIds)})`,
    );
    return ids as string[];
  };
  const unique = (values: readonly string[]) => [...new Set(values)].sort();
  return {
    userIds: people.userIds,
    sessionIds: unique([...people.sessionIds, ...(await owned('session'))]),
    deviceIds: unique([...people.deviceIds, ...(await owned('device'))]),
  };
}

export type ParquetKind = 'events' | 'changes' | 'quarantine';
const marks: readonly [ParquetKind, string][] = [
  ['quarantine', 'raw'],
  ['changes', 'subject'],
  ['events', 'user_id'],
];
/** Which rows are to go, as SQL, for each kind of file. */
export type Doomed = Record<ParquetKind, string>;
export const isTheirs: Doomed = { events: eventIsTheirs, changes: changeIsTheirs, quarantine: quarantinedIsTheirs };

/** All Parquet files among the blobs, by what they hold. */
export async function parquetBlobs({ duck, blobs }: { duck: Duck; blobs: BlobStore }): Promise<Record<ParquetKind, string[]>> {
  const paths: string[] = [];
  for await (const { path } of blobs.list()) if ((await readHead(path, 4)).toString('latin1') === 'PAR1') paths.push(path);
  const found: Record<ParquetKind, string[]> = { events: [], changes: [], quarantine: [] };
  if (paths.length === 0) return found;
  const schemas = await duck.rows<{ file: string; names: string }>(
    `SELECT file_name AS file, string_agg(name, ' ') AS names FROM parquet_schema([${paths.map(text).join(', ')}]) GROUP BY file_name ORDER BY file_name`,
  );
  for (const { file, names } of schemas) {
    const kind = marks.find(([, column]) => names.split(' ').includes(column))?.[0];
    if (kind !== undefined) found[kind].push(file);
  }
  return found;
}

/** Files that hold such rows, and how many. */
export async function filesWith({
  duck,
  kind,
  paths,
  doomed,
}: {
  duck: Duck;
  kind: ParquetKind;
  paths: readonly string[];
  doomed: Doomed;
}): Promise<Map<string, number>> {
  if (paths.length === 0) return new Map();
  const ids = 'NULL::VARCHAR AS user_id, NULL::VARCHAR AS session_id, NULL::VARCHAR AS device_id, NULL::VARCHAR AS filename';
  const nothing = kind === 'changes' ? '' : `SELECT ${ids} WHERE false UNION ALL BY NAME `;
  const rows = await duck.rows<{ filename: string; rows: number }>(`
    SELECT filename, count(*)::DOUBLE AS rows
    FROM (${nothing}SELECT * FROM read_parquet([${paths.map(text).join(', ')}], union_by_name = true, filename = true)) WHERE ${doomed[kind]} GROUP BY filename`);
  return new Map(rows.map(({ filename, rows: count }) => [filename, count]));
}
