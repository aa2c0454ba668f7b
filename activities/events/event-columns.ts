import { text } from './duckdb.ts';

/** The columns of a slice, in this order: name in Parquet, SQL type, member of `Event`. Adding one at the end keeps old slices readable (by
 * `slicesSql`), and their logical digests what they are (by `laterColumns`). */
export const eventColumns = [
  { column: 'event_id', type: 'VARCHAR', field: 'eventId' },
  { column: 'kind', type: 'VARCHAR', field: 'kind' },
  { column: 'user_id', type: 'VARCHAR', field: 'userId' },
  { column: 'session_id', type: 'VARCHAR', field: 'sessionId' },
  { column: 'item_id', type: 'VARCHAR', field: 'itemId' },
  { column: 'at_ms', type: 'BIGINT', field: 'atMs' },
  { column: 'request_id', type: 'VARCHAR', field: 'requestId' },
  { column: 'position', type: 'INTEGER', field: 'position' },
  { column: 'quantity', type: 'BIGINT', field: 'quantity' },
  { column: 'unit_price_minor', type: 'BIGINT', field: 'unitPriceMinor' },
  { column: 'dwell_ms', type: 'BIGINT', field: 'dwellMs' },
  { column: 'rating', type: 'DOUBLE', field: 'rating' },
  { column: 'device_id', type: 'VARCHAR', field: 'deviceId' },
  { column: 'received_ms', type: 'BIGINT', field: 'receivedAtMs' },
] as const;

export const eventColumnList = eventColumns.map(({ column }) => column).join(', ');

/** Columns that came later. They are named where they say something, so that a row without them is the text that it was before. */
const laterColumns: readonly string[] = ['device_id', 'received_ms'];

function textSql(columns: readonly string[]): string {
  const values = columns.map((column) =>
    laterColumns.includes(column) ? `'${column}=' || CAST(${column} AS VARCHAR)` : `coalesce(CAST(${column} AS VARCHAR), '')`,
  );
  return `concat_ws(chr(31), ${values.join(', ')})`;
}

/**
 * A row as one line of text: values in column order, joined by the unit separator, which no id may contain; missing is empty.
 * The logical digest of a slice is the SHA-256 of these lines in the order of time and event id, each with the record separator behind it.
 */
export const rowTextSql = textSql(eventColumns.map(({ column }) => column));

/** The same without what tells of the journey and not of the event: an event that is sent again comes in at another time. */
export const sameEventSql = textSql(eventColumns.map(({ column }) => column).filter((column) => column !== 'received_ms'));

/** Slices as one relation with all of `eventColumns`, whenever they were written. @param paths of Parquet files, at least one */
export function slicesSql(paths: readonly string[]): string {
  const nothing = eventColumns.map(({ column, type }) => `CAST(NULL AS ${type}) AS ${column}`).join(', ');
  return `(SELECT ${nothing} WHERE false UNION ALL BY NAME SELECT * FROM read_parquet([${paths.map(text).join(', ')}], union_by_name = true))`;
}
