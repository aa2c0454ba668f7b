import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type AnswerPart, type Duck, name as column, text, withDuck } from '../../activities/events/duckdb.ts';
import type { ChangeTable, Dimension, Measure } from '../../experiments/attribution/leaves.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

/** Which columns are what; what is not said goes by its default name. */
export type TableColumns = {
  dimensions?: readonly string[] | undefined;
  actual?: string | undefined;
  predicted?: string | undefined;
  actualDenominator?: string | undefined;
  predictedDenominator?: string | undefined;
};

export type ReadTable = { table: ChangeTable; rows: number; missing: number };

/**
 * A table of leaves from CSV (plain or .gz, with a header; values of dimensions as they are written) or Parquet. Without `dimensions`, all columns that
 * are no measures are.
 * @throws UND-FILE when it cannot be read or lacks a measure; UND-INPUT for a column that is not there or said twice, and for a figure that is no number, with its row
 */
export async function readTable(path: string, said: TableColumns): Promise<ReadTable> {
  const from = await sourceOf(path);
  try {
    return await withDuck({ workDir: tmpdir() }, (duck) => read({ duck, from, path, said }));
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    const what = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${what}`, { cause: error });
  }
}

async function sourceOf(path: string): Promise<string> {
  const found = await stat(path).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `There is no ${path}`, { cause });
  });
  if (!found.isFile()) throw new UnderstudyError('UND-FILE', `${path} is not a file`);
  return /\.parquet$/i.test(path) ? `read_parquet(${text(path)})` : `read_csv(${text(path)}, header = true, all_varchar = true)`;
}

type Reading = { duck: Duck; from: string; path: string; said: TableColumns };

async function read({ duck, from, path, said }: Reading): Promise<ReadTable> {
  const names = (await duck.rows<{ column_name: string }>(`SELECT column_name FROM (DESCRIBE SELECT * FROM ${from})`)).map((row) => row.column_name);
  const { measures, dimensions } = chooseColumns({ names, said, path });
  const coded = dimensions.map(() => ({ known: new Map<string | null, number>(), codes: [] as number[] }));
  const figures = measures.map(() => [] as number[]);
  let [rows, missing] = [0, 0];
  const take = (part: AnswerPart): void => {
    for (const [place, { known, codes }] of coded.entries()) {
      const values = part.columns[place] as AnswerPart['columns'][number];
      for (let row = 0; row < part.rows; row += 1) codes.push(codeOf(known, values.getItem(row) as string | null));
    }
    for (const [place, own] of figures.entries()) {
      const values = part.columns[dimensions.length + place] as AnswerPart['columns'][number];
      for (let row = 0; row < part.rows; row += 1) {
        const value = values.getItem(row) as number | null;
        if (value !== null && Number.isNaN(value)) throw noNumber({ row: rows + row + 1, name: measures[place] as string, path });
        if (value === null) missing += 1;
        own.push(value ?? Number.NaN);
      }
    }
    rows += part.rows;
  };
  // NULL is left for what is not there at all; what is there and is no number is NaN.
  const number = (name: string) => `CASE WHEN ${column(name)} IS NULL THEN NULL ELSE COALESCE(TRY_CAST(${column(name)} AS DOUBLE), 'NaN'::DOUBLE) END`;
  await duck.parts(`SELECT ${[...dimensions.map((name) => `CAST(${column(name)} AS VARCHAR)`), ...measures.map(number)].join(', ')} FROM ${from}`, take);
  const columns = figures.map((own) => Float64Array.from(own));
  return {
    table: {
      dimensions: dimensions.map((name, place): Dimension => {
        const { known, codes } = coded[place] as (typeof coded)[number];
        return { name, values: [...known.keys()], codes: Int32Array.from(codes) };
      }),
      measure: measureOf(columns),
    },
    rows,
    missing,
  };
}

function codeOf(known: Map<string | null, number>, value: string | null): number {
  const found = known.get(value);
  if (found !== undefined) return found;
  known.set(value, known.size);
  return known.size - 1;
}

function measureOf([actual, predicted, actualDenominator, predictedDenominator]: readonly Float64Array[]): Measure {
  const [one, two] = [actual as Float64Array, predicted as Float64Array];
  if (actualDenominator === undefined || predictedDenominator === undefined) return { kind: 'sum', actual: one, predicted: two };
  return { kind: 'ratio', actualNumerator: one, actualDenominator, predictedNumerator: two, predictedDenominator };
}

const ratioNames = ['actual_numerator', 'predicted_numerator', 'actual_denominator', 'predicted_denominator'] as const;

/** Measures as they are read: actual, predicted, and of a ratio the two denominators. */
function chooseColumns({ names, said, path }: { names: readonly string[]; said: TableColumns; path: string }): { measures: string[]; dimensions: string[] } {
  const { actualDenominator, predictedDenominator } = said;
  if ((actualDenominator === undefined) !== (predictedDenominator === undefined))
    throw new UnderstudyError('UND-INPUT', 'A ratio needs both --actual-denominator and --predicted-denominator');
  const isNamed =
    said.actual === undefined && said.predicted === undefined && actualDenominator === undefined && ratioNames.every((name) => names.includes(name));
  const measures = isNamed
    ? [...ratioNames]
    : [said.actual ?? 'actual', said.predicted ?? 'predicted', actualDenominator, predictedDenominator].filter((name) => name !== undefined);
  const missing = measures.filter((name) => !names.includes(name));
  const there = `it has ${names.join(', ')}`;
  if (missing.length > 0)
    throw new UnderstudyError('UND-FILE', `${path} has no column ${missing.join(', ')}; ${there}. Name the measures with --actual and --predicted`);
  const dimensions = said.dimensions ?? names.filter((name) => !measures.includes(name));
  const unknown = dimensions.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new UnderstudyError('UND-INPUT', `--dimensions: there is no column ${unknown} in ${path}; ${there}`);
  const all = [...measures, ...dimensions];
  const twice = all.find((name, place) => all.indexOf(name) !== place);
  if (twice !== undefined) throw new UnderstudyError('UND-INPUT', `The column ${twice} is said to be two things at once`);
  if (dimensions.length === 0) throw new UnderstudyError('UND-FILE', `${path} has no column besides ${measures.join(', ')}: a dimension is needed`);
  return { measures: [...measures], dimensions: [...dimensions] };
}

/** Without the value: what stands in rows is not for terminals and logs. */
const noNumber = ({ row, name, path }: { row: number; name: string; path: string }) =>
  new UnderstudyError('UND-INPUT', `${path}, row ${row}: ${name} is no number`, { mistakes: [{ path: `/${row}/${name}`, message: 'it is no number' }] });
