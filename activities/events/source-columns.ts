import { isUtf8 } from 'node:buffer';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { headBytes } from './source-bytes.ts';

/** DuckDB keeps buffers for each column of a table: 10,000 of them take more memory than it is given. */
const mostColumns = 2000;

/** Delimiter and columns of a CSV, out of its first bytes. @throws UND-FILE */
export function readHeader({ path, head }: { path: string; head: Buffer }): { delimiter: string; columns: string[] } {
  const end = head.indexOf('\n');
  if (end < 0 && head.length >= headBytes) throw new UnderstudyError('UND-FILE', `${path}: its first line is longer than ${headBytes} bytes`);
  const bytes = end < 0 ? head : head.subarray(0, end);
  if (!isUtf8(bytes) || bytes.includes(0)) throw new UnderstudyError('UND-FILE', `${path}: its first line is not text in UTF-8`);
  const line = bytes.toString('utf8');
  const delimiter = likelyDelimiter(line);
  return { delimiter, columns: headerColumns({ path, line, delimiter }) };
}

/** The one of comma, semicolon, tab and bar that stands most often in the first line, outside of quotes. */
function likelyDelimiter(whole: string): string {
  const line = whole.replaceAll(/"(?:[^"]|"")*"/g, '');
  let best = ',';
  for (const candidate of [';', '\t', '|']) {
    if (line.split(candidate).length > line.split(best).length) best = candidate;
  }
  return best;
}

function headerColumns({ path, line: first, delimiter }: { path: string; line: string; delimiter: string }): string[] {
  const line = first.replace(/^\uFEFF/, '').replace(/\r$/, '');
  const columns: string[] = [];
  const end = `(?:$|\\u{${delimiter.codePointAt(0)?.toString(16)}})`;
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"${end}|([^"]*?)${end})`, 'uy');
  for (;;) {
    const match = cell.exec(line);
    if (match === null) throw new UnderstudyError('UND-FILE', `${path}: its first line is not a CSV header`);
    const column = (match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim();
    // Data frames write their index under no name.
    columns.push(column === '' ? `column_${columns.length + 1}` : column);
    if (!match[0].endsWith(delimiter) || (match[1] !== undefined && match[0].endsWith('"'))) break;
  }
  checkNames({ path, columns });
  return columns;
}

/**
 * What stands in the first line may be a row: of names that nobody has asked for only the places are said.
 * @throws UND-FILE when two columns have one name (case does not count) or one has a name of ours; or when there are too many.
 */
export function checkNames({ path, columns }: { path: string; columns: readonly string[] }): void {
  if (columns.length > mostColumns)
    throw new UnderstudyError('UND-FILE', `${path} has ${columns.length} columns, and at most ${mostColumns} can be read: leave out those that nobody needs`);
  const seen = new Map<string, number>();
  for (const [place, column] of columns.entries()) {
    const lower = column.toLowerCase();
    const earlier = seen.get(lower);
    if (earlier !== undefined)
      throw new UnderstudyError('UND-FILE', `${path}: it needs a different name for each column; columns ${earlier} and ${place + 1} have the same`);
    if (['raw_line', 'raw_key'].includes(lower)) throw new UnderstudyError('UND-FILE', `${path}: a column may not be called ${column}`);
    seen.set(lower, place + 1);
  }
}

type Columns = { path: string; columns: readonly string[] };

/** @throws UND-FILE naming a column that only one of two files has. Order and case do not count. */
export function checkSameColumns({ first, other }: { first: Columns; other: Columns }): void {
  const lacking = (has: Columns, lacks: Columns) => {
    const there = new Set(lacks.columns.map((column) => column.toLowerCase()));
    return has.columns.find((column) => !there.has(column.toLowerCase()));
  };
  const missing = lacking(first, other);
  if (missing !== undefined) throw new UnderstudyError('UND-FILE', `${other.path} lacks the column ${missing}, which ${first.path} has`);
  const more = lacking(other, first);
  if (more !== undefined) throw new UnderstudyError('UND-FILE', `${other.path} has the column ${more}, which ${first.path} lacks`);
}
