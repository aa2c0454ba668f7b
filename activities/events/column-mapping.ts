import { eventKinds, type EventKind } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { name, text } from './duckdb.ts';
import type { Mapping } from './mapping.ts';

/** Which column holds what. All values are names of columns except `constantKind`, `atFormat` and `kinds`. */
export type ColumnMappingInput = {
  item: string;
  at: string;
  user?: string | undefined;
  session?: string | undefined;
  kind?: string | undefined;
  quantity?: string | undefined;
  /** Price of one unit in major units (4.95). */
  price?: string | undefined;
  rating?: string | undefined;
  title?: string | undefined;
  category?: string | undefined;
  brand?: string | undefined;
  eventId?: string | undefined;
  /** The kind of every row, where no column says it. */
  constantKind?: EventKind | undefined;
  /** The file's words for kinds: `{ buy: 'purchase' }`. Words that are kinds already need no entry. */
  kinds?: Readonly<Record<string, EventKind>> | undefined;
  /** `wall`: date and time on the clock of the surface's zone; `instant`: with an offset, or UTC; epochs are numbers. Default `wall`. */
  atFormat?: 'wall' | 'instant' | 'epoch-s' | 'epoch-ms' | undefined;
  /** For wall times that are not ISO: a strptime pattern such as `%d/%m/%Y %H:%M`. */
  atPattern?: string | undefined;
};

/**
 * A mapping by column names. Without a session column a session is a user's day (or a row of its own, where there is no user either).
 * Without an event id, the event id is a digest of the row's mapped values, so that equal rows are duplicates.
 * @throws UND-INPUT when neither `kind` nor `constantKind` is given.
 */
export function columnMapping(input: ColumnMappingInput): Mapping {
  if (input.kind === undefined && input.constantKind === undefined)
    throw new UnderstudyError('UND-INPUT', 'columnMapping needs `kind` (a column) or `constantKind`');
  const { constantKind: _kind, atFormat: _format, atPattern: _pattern, kinds: _kinds, ...given } = input;
  const columns = [...new Set(Object.values(given).filter((column) => column !== undefined))];
  const user = cell(input.user);
  const session = input.session === undefined ? ownSessionSql({ user, day: daySql(input) }) : cell(input.session);
  const sql = `
    SELECT raw_line,
      ${input.eventId === undefined ? "'row-' || raw_key" : cell(input.eventId)} AS event_id,
      ${kindSql(input)} AS kind, ${user} AS user_id, ${session} AS session_id, ${cell(input.item)} AS item_id, ${timeSql(input)},
      ${wholeSql(input.quantity)} AS quantity, ${minorSql(input.price)} AS unit_price_minor, TRY_CAST(${cell(input.rating)} AS DOUBLE) AS rating,
      ${cell(input.title)} AS title, ${cell(input.category)} AS category, ${cell(input.brand)} AS brand,
      ${unreadableSql(input)} AS reason
    FROM (
      SELECT raw_line, ${columns.map((column) => `${trimmedSql(name(column))} AS ${name(column)}`).join(', ')},
        left(sha256(concat_ws(chr(31), ${columns.map((column) => `coalesce(raw.${name(column)}, '')`).join(', ')})), 32) AS raw_key
      FROM raw)`;
  return { name: 'columns', requires: columns, sql };
}

/** A user's day, by its digest where the name would be longer than an id may be. */
function ownSessionSql({ user, day }: { user: string; day: string }): string {
  const session = `'day-' || ${user} || '-' || ${day}`;
  return `CASE WHEN ${user} IS NULL THEN 'row-' || raw_key WHEN length(${session}) > 128 THEN 'day-' || left(sha256(${session}), 32) ELSE ${session} END`;
}

/** Without spaces around it, and NULL where nothing is left. Most cells have none, which is quickly seen where all is ASCII. */
const trimmedSql = (column: string): string =>
  `CASE WHEN raw.${column} LIKE ' %' OR raw.${column} LIKE '% ' OR strlen(raw.${column}) <> length(raw.${column}) THEN nullif(trim(raw.${column}), '') ELSE nullif(raw.${column}, '') END`;

const cell = (column: string | undefined): string => (column === undefined ? 'NULL' : name(column));

function kindSql({ kind, constantKind, kinds }: ColumnMappingInput): string {
  if (kind === undefined) return text(constantKind ?? 'view');
  const words = [...Object.entries(kinds ?? {}), ...eventKinds.map((known) => [known, known] as const)];
  const cases = words.map(([word, known]) => `WHEN ${text(word.toLowerCase())} THEN ${text(known)}`).join(' ');
  return `CASE lower(${cell(kind)}) ${cases} ELSE ${constantKind === undefined ? cell(kind) : `coalesce(${cell(kind)}, ${text(constantKind)})`} END`;
}

function timeSql(input: ColumnMappingInput): string {
  const epoch = epochSql(input);
  return epoch === undefined ? `${wallSql(input)} AS wall_time` : `${epoch} AS at_ms`;
}

function wallSql({ at, atPattern }: ColumnMappingInput): string {
  return atPattern === undefined ? `TRY_CAST(${cell(at)} AS TIMESTAMP)` : `try_strptime(${cell(at)}, ${text(atPattern)})`;
}

function epochSql({ at, atFormat }: ColumnMappingInput): string | undefined {
  if (atFormat === undefined || atFormat === 'wall') return undefined;
  if (atFormat === 'instant') return `TRY(epoch_ms(TRY_CAST(${cell(at)} AS TIMESTAMPTZ)))`;
  const factor = atFormat === 'epoch-s' ? 1000 : 1;
  // DuckDB reads decimals of more than 18 digits a hundred times slower than whole numbers, which most epochs are.
  return `CASE WHEN regexp_full_match(${cell(at)}, '-?[0-9]{1,15}') THEN TRY_CAST(${cell(at)} AS BIGINT) * ${factor} ELSE TRY(CAST(round(TRY_CAST(${cell(at)} AS DECIMAL(24, 6)) * ${factor}) AS BIGINT)) END`;
}

/** A day's name for sessions: by the wall where there is one, else the number of the UTC day. */
function daySql(input: ColumnMappingInput): string {
  const epoch = epochSql(input);
  return `coalesce(${epoch === undefined ? `TRY(strftime(${wallSql(input)}, '%Y-%m-%d'))` : `CAST(${epoch} // 86400000 AS VARCHAR)`}, '')`;
}

function minorSql(column: string | undefined): string {
  return `TRY(CAST(round(TRY_CAST(${cell(column)} AS DECIMAL(18, 4)) * 100) AS BIGINT))`;
}

/** A cast to BIGINT would round 2.5 to 3: what is not whole is no quantity. */
function wholeSql(column: string | undefined): string {
  const value = `TRY_CAST(${cell(column)} AS DECIMAL(18, 4))`;
  return `CASE WHEN ${value} = round(${value}) THEN CAST(${value} AS BIGINT) END`;
}

function unreadableSql(input: ColumnMappingInput): string {
  const readings: [string, string | undefined, string][] = [
    ['unreadable-quantity', input.quantity, wholeSql(input.quantity)],
    ['unreadable-price', input.price, minorSql(input.price)],
    ['unreadable-rating', input.rating, `TRY_CAST(${cell(input.rating)} AS DOUBLE)`],
  ];
  const whens = readings
    .filter(([, column]) => column !== undefined)
    .map(([reason, column, value]) => `WHEN ${cell(column)} IS NOT NULL AND ${value} IS NULL THEN '${reason}'`);
  return whens.length === 0 ? 'NULL' : `CASE ${whens.join(' ')} END`;
}
