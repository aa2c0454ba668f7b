/** The columns of a slice, in this order: name in Parquet, SQL type, member of `Event`. Adding one at the end keeps old slices readable. */
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
] as const;

export const eventColumnList = eventColumns.map(({ column }) => column).join(', ');

/**
 * A row as one line of text: values in column order, joined by the unit separator, which no id may contain; missing is empty.
 * The logical digest of a slice is the SHA-256 of the rows' own SHA-256 (hex), joined in the order of time and event id.
 */
export const rowTextSql = `concat_ws(chr(31), ${eventColumns.map(({ column }) => `coalesce(CAST(${column} AS VARCHAR), '')`).join(', ')})`;
