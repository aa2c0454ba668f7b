/** Where the user, the item and the time stand in a file: zero-based columns. */
export type ColumnChoice = { user: number; item: number; timestamp: number | undefined };

const names = {
  user: /^(user|user_?id|uid|customer|customer_?id|visitor|visitor_?id)$/i,
  item: /^(item|item_?id|iid|product|product_?id|sku|stock_?code|article|article_?id)$/i,
  timestamp: /^(timestamp|time|ts|date|datetime|at|at_?ms|event_?time|created_?at|invoice_?date)$/i,
} as const;

/** Separators that are tried; the one the first line has most of is it. */
const separators = [',', '\t', ';', '|'] as const;

/** By name where user and item are recognized (other columns are left alone), else by position: user, item, timestamp. */
export function chooseColumns(header: readonly string[]): ColumnChoice {
  const find = (pattern: RegExp): number | undefined => {
    const found = header.findIndex((name) => pattern.test(name.trim()));
    return found < 0 ? undefined : found;
  };
  const user = find(names.user);
  const item = find(names.item);
  if (user !== undefined && item !== undefined) return { user, item, timestamp: find(names.timestamp) };
  return { user: 0, item: 1, timestamp: header.length > 2 ? 2 : undefined };
}

export type CsvShape = { separator: string; hasHeader: boolean; columns: string[] };

/**
 * Reads the shape of a CSV from its first two lines. The first is a header when it has a name we know, or words where the second has numbers.
 */
export function csvShape(firstLine: string, secondLine: string | undefined): CsvShape {
  const line = firstLine.replace(/^\uFEFF/, '');
  const separator = separators.reduce((best, one) => (line.split(one).length > line.split(best).length ? one : best));
  const first = splitLine(line, separator);
  const second = secondLine === undefined ? [] : splitLine(secondLine, separator);
  const isKnown = first.some((cell) => Object.values(names).some((pattern) => pattern.test(cell.trim())));
  const turnsNumeric = first.some((cell, column) => !isNumber(cell) && second[column] !== undefined && isNumber(second[column]));
  return { separator, hasHeader: isKnown || turnsNumeric, columns: first };
}

function isNumber(cell: string): boolean {
  return cell.trim() !== '' && Number.isFinite(Number(cell));
}

/** Cells of one line; a quoted cell may hold separators and doubled quotes. */
function splitLine(line: string, separator: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let place = 0; place < line.length; place += 1) {
    const character = line[place] as string;
    if (quoted && character === '"' && line[place + 1] === '"') {
      cell += '"';
      place += 1;
    } else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      cells.push(cell);
      cell = '';
    } else cell += character;
  }
  return [...cells, cell];
}
