/*
 * What DuckDB says of values quotes them: text of rows, which would stand in histories, logs and terminals. Of the statement and the machine it may speak.
 */

/** Kinds of errors whose messages say nothing of what stands in rows. */
const ofNoValue =
  /^(IO|INTERRUPT|FATAL|INTERNAL|Out of Memory|TransactionContext|Connection|Binder|Parser|Syntax|Catalog|Permission|Dependency|Missing Extension)\b/i;

/** What may be said of a value: these words and no more. */
const sayable: readonly RegExp[] = [
  /CSV Error on Line: \d+/,
  /Value with unterminated quote found/,
  /Expected Number of Columns: \d+ Found: \d+/,
  /Maximum line size of \d+ bytes exceeded/,
  /Malformed JSON(?= at byte| in file)/,
  /at byte \d+ in line \d+/,
  /No magic bytes found at end of file/,
  /Invalid string encoding found in Parquet file/,
  /Overflow in \w+ of [A-Z0-9]+/,
  /invalid (?:date|time|timestamp) field format/,
  /Could not parse string/,
  /Unknown TimeZone/,
  /More than one row returned by a subquery/,
];

const typeWanted = /^[\s\S]*Could not convert \w+ ['"][\s\S]*['"] to (?<type>[A-Z]+[0-9]*(?:\([0-9, ]+\))?)/;
const columnRead = /^[\s\S]*when casting from source column (?<column>[^\n]+)(?:\n\nLINE [\s\S]*)?$/;

/** The kind of mistake and the column that it is in, without the value. */
export function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error) || ofNoValue.test(error.message)) return error;
  const kind = /^[A-Za-z ]{1,40} Error(?=:)/.exec(error.message)?.[0];
  // What is not DuckDB's own: it has been said by us.
  if (kind === undefined) return error;
  const type = typeWanted.exec(error.message)?.groups?.type;
  const column = columnRead.exec(error.message)?.groups?.column;
  const said = [
    ...(type === undefined ? [] : [`a value is no ${type}`]),
    ...sayable.flatMap((words) => words.exec(error.message)?.[0] ?? []),
    ...(column === undefined ? [] : [`in the column ${column}`]),
  ];
  return new Error(`${kind}: ${said.length === 0 ? 'a value does not fit' : said.join(', ')}`);
}
