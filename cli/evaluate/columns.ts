import { UnderstudyError } from '../../models/contracts/problem.ts';

/** Where the user, the item and the time stand in a file: zero-based columns. */
export type ColumnChoice = { user: number; item: number; time: number | undefined };

/** What was said on the command line. A column is its name or its position from 1 on; an empty `time` means that there is none. */
export type ColumnOptions = { header?: boolean | undefined; user?: string | undefined; item?: string | undefined; time?: string | undefined };

const roles = ['user', 'item', 'time'] as const;
type Role = (typeof roles)[number];

/** Names as they are written in files, without case, spaces, dashes and underscores. */
const names: Record<Role, RegExp> = {
  user: /^(uid|(user|customer|client|visitor|member|account|shopper|buyer|person|reviewer)(id|no|number|key|code)?)$/,
  item: /^(iid|sku|asin|parentasin|(item|product|article)(id|no|number|code|key|sku)?|(stock|movie|track|song|book|video|offer|listing)(id|no|number|code|key|sku))$/,
  time: /^(ts|at|atms|unixtime|(event|order|invoice|transaction|purchase|created|visit)?(timestamp|datetime|time|date|at))$/,
};
export const plainName = (cell: string): string => cell.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
export const roleOf = (cell: string): Role | undefined => roles.find((role) => names[role].test(plainName(cell)));

/** Separators that are tried; the one the first line has most of is it. */
const separators = [',', '\t', ';', '|'] as const;

/** `columns` are the cells of the first line, `sample` those of the first line that is data, as far as there is one. */
export type CsvShape = { separator: string; hasHeader: boolean; columns: string[]; sample: string[] };

/**
 * Reads the shape of a CSV from its first two lines. Where nobody says it, the first is a header when it names a user and an item, or when
 * no cell of it is a number and one has a name we know or stands over a number.
 */
export function csvShape({ lines, header }: { lines: readonly string[]; header?: boolean | undefined }): CsvShape {
  const [line = '', next] = lines;
  const separator = separators.reduce((best, one) => (line.split(one).length > line.split(best).length ? one : best));
  const first = splitLine(line, separator);
  const second = next === undefined ? [] : splitLine(next, separator);
  const named = new Set(first.map(roleOf));
  const looksLikeHeader = () =>
    (named.has('user') && named.has('item')) ||
    (!first.some(isNumber) && (first.some((cell) => roleOf(cell) !== undefined) || second.some((cell, column) => column < first.length && isNumber(cell))));
  const hasHeader = header ?? looksLikeHeader();
  return { separator, hasHeader, columns: first, sample: hasHeader ? second : first };
}

type Columns = { header: readonly string[] | undefined; sample: readonly string[]; options?: ColumnOptions };

/**
 * Each role by what was said, then by a name we know; those left take the columns left in the file's order, user before item. Time is taken
 * by place only where no name is known: the third of three columns, or of more the last that reads as a time.
 * @throws UND-INPUT naming each column that is not there or has two roles
 */
export function chooseColumns({ header, sample, options = {} }: Columns): ColumnChoice {
  const said = saidColumns({ header, sample, options });
  const width = Math.max(header?.length ?? 0, sample.length);
  const choice: Partial<Record<Role, number>> = { ...said };
  const isFree = (column: number) => !Object.values(choice).includes(column);
  for (const role of roles) {
    if (choice[role] !== undefined || options[role] !== undefined) continue;
    const found = (header ?? []).findIndex((cell, column) => isFree(column) && roleOf(cell) === role);
    if (found >= 0) choice[role] = found;
  }
  const byPlace = Object.keys(choice).length === 0;
  const columns = Array.from({ length: width }, (_, column) => column);
  for (const role of ['user', 'item'] as const) choice[role] ??= columns.find(isFree);
  if (byPlace && options.time === undefined) choice.time = width === 3 ? 2 : columns.findLast((column) => isFree(column) && readsAsTime(sample[column] ?? ''));
  const { user, item, time } = choice;
  if (user === undefined || item === undefined) throw new UnderstudyError('UND-INPUT', 'A column each is needed for users and items');
  return { user, item, time };
}

function saidColumns({ header, sample, options = {} }: Columns): Partial<Record<Role, number>> {
  const width = Math.max(header?.length ?? 0, sample.length);
  const said: Partial<Record<Role, number>> = {};
  const mistakes: { path: string; message: string }[] = [];
  for (const role of roles) {
    const text = options[role];
    if (text === undefined || (text === '' && role === 'time')) continue;
    const named = header?.findIndex((cell) => cell.trim() === text.trim()) ?? -1;
    const place = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) - 1 : -1;
    const [other] = Object.entries(said).find(([, column]) => column === place) ?? [];
    if (place < 0 || place >= width) mistakes.push({ path: `/${role}`, message: `there is no column ${JSON.stringify(text)}` });
    else if (other !== undefined) mistakes.push({ path: `/${role}`, message: `column ${text} is ${other} already` });
    else said[role] = place;
  }
  if (mistakes.length === 0) return said;
  const there = header === undefined ? `no header and ${width} columns: name them by position, from 1 on` : `the columns ${header.join(', ')}`;
  throw new UnderstudyError('UND-INPUT', `${mistakes.map(({ path, message }) => `--${path.slice(1)}: ${message}`).join('; ')}. The file has ${there}`, {
    mistakes,
  });
}

/** What was taken as what, for a person. */
export function describeColumns({
  header,
  sample,
  choice,
}: {
  header: readonly string[] | undefined;
  sample: readonly string[];
  choice: ColumnChoice;
}): string {
  const column = (place: number | undefined) =>
    place === undefined ? 'none' : header === undefined ? `column ${place + 1} (first ${JSON.stringify(sample[place] ?? '')})` : `"${header[place]?.trim()}"`;
  return `user ${column(choice.user)}, item ${column(choice.item)}, time ${column(choice.time)}`;
}

function isNumber(cell: string): boolean {
  return cell.trim() !== '' && Number.isFinite(Number(cell));
}

/** A date, or seconds since 1970 that are later than 1973. */
function readsAsTime(cell: string): boolean {
  return isNumber(cell) ? Number(cell) > 1e8 : /^\s*\d{4}-\d{2}-\d{2}/.test(cell);
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
