import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type ItemMark, itemMark, marksAtMost } from '../../models/contracts/flag.ts';
import { inputError, type Mistake, UnderstudyError } from '../../models/contracts/problem.ts';
import { name, text, withDuck } from '../events/duckdb.ts';

type Row = { line: number; mark: unknown };
/** Columns of a CSV that are no kind of harm. */
const own = ['item_id', 'flags', 'expires_at'] as const;
const mistakesAtMost = 20;

/**
 * What a source says in a file: JSON lines of `{"itemId", "scores": {kind: 0…1}, "flags": [], "expiresAtMs"}`, or a CSV with the columns `item_id`, `flags` (names
 * with | between), `expires_at` (ISO 8601), and one column a kind of harm. An empty cell says nothing.
 * @throws UND-FILE where it cannot be read, UND-INPUT naming the lines that are wrong: then none of it is taken
 */
export async function readMarks(path: string): Promise<ItemMark[]> {
  const kind = /\.(csv|jsonl|ndjson)$/i.exec(path)?.[1]?.toLowerCase();
  if (kind === undefined) throw new UnderstudyError('UND-FILE', `${path} is no file of marks: they come as .csv, .jsonl or .ndjson`);
  const rows = kind === 'csv' ? await readCsv(path) : await readLines(path);
  if (rows.length === 0) throw new UnderstudyError('UND-FILE', `${path} holds no marks`);
  if (rows.length > marksAtMost) throw new UnderstudyError('UND-FILE', `${path} holds ${rows.length} marks: at most ${marksAtMost} can be taken at once`);
  const marks: ItemMark[] = [];
  const mistakes: Mistake[] = [];
  const lineOf = new Map<string, number>();
  for (const { line, mark } of rows) {
    const parsed = itemMark.safeParse(mark);
    const before = parsed.success ? lineOf.get(parsed.data.itemId) : undefined;
    if (before !== undefined) mistakes.push({ path: `/line ${line}`, message: `is about the item of line ${before}` });
    for (const issue of parsed.error?.issues ?? []) mistakes.push({ path: `/line ${line}/${issue.path.join('/')}`, message: issue.message });
    if (mistakes.length >= mistakesAtMost) break;
    if (parsed.success) {
      marks.push(parsed.data);
      lineOf.set(parsed.data.itemId, line);
    }
  }
  if (mistakes.length > 0) throw inputError('UND-INPUT', basename(path), [], mistakes);
  return marks;
}

async function readLines(path: string): Promise<Row[]> {
  const content = await readFile(path, 'utf8').catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${cause.message}`, { cause });
  });
  return content.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line: index + 1, mark: jsonOf(line) }]));
}

/** What is no JSON is no mark: the schema says so of its line. */
function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function readCsv(path: string): Promise<Row[]> {
  return withDuck({ workDir: undefined }, async (duck) => {
    const source = `read_csv(${text(path)}, all_varchar = true, header = true, delim = ',', quote = '"', escape = '"', hive_partitioning = false)`;
    const read = async <T>(ask: () => Promise<T>): Promise<T> =>
      ask().catch((cause) => {
        throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`, { cause });
      });
    const columns = (await read(() => duck.rows<{ column_name: string }>(`DESCRIBE SELECT * FROM ${source}`))).map((column) => column.column_name);
    if (!columns.includes('item_id')) throw new UnderstudyError('UND-FILE', `${path} has no column item_id`);
    const kinds = columns.filter((column) => !(own as readonly string[]).includes(column));
    const cell = (column: string): string => (columns.includes(column) ? name(column) : 'NULL::VARCHAR');
    const answer = await read(() => duck.columns(`SELECT ${[...own, ...kinds].map(cell).join(', ')} FROM ${source}`));
    const [ids = [], flags = [], ends = [], ...scores] = answer as (string | null)[][];
    return ids.map((itemId, row) => ({
      line: row + 2,
      mark: {
        itemId: itemId ?? '',
        scores: Object.fromEntries(kinds.flatMap((kind, place) => (scores[place]?.[row] ? [[kind, numberOf(scores[place][row])]] : []))),
        flags: (flags[row] ?? '').split('|').flatMap((flag) => (flag.trim() === '' ? [] : [flag.trim()])),
        ...(ends[row] ? { expiresAtMs: Date.parse(ends[row]) } : {}),
      },
    }));
  });
}

/** Whole as a number, or the text as it is: the schema says that it is none. */
const numberOf = (cell: string): unknown => (Number.isFinite(Number(cell)) ? Number(cell) : cell);
