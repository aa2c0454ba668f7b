import { UnderstudyError } from '../../models/contracts/problem.ts';

/** One column of attributes: `values[codes[row]]` is what the row has; null where it has none, which is a value of its own. */
export type Dimension = { name: string; values: readonly (string | null)[]; codes: Int32Array };

/** A sum, or a ratio of two sums, one entry a row. NaN is a figure that is missing: it counts as 0. */
export type Measure =
  | { kind: 'sum'; actual: Float64Array; predicted: Float64Array }
  | {
      kind: 'ratio';
      actualNumerator: Float64Array;
      actualDenominator: Float64Array;
      predictedNumerator: Float64Array;
      predictedDenominator: Float64Array;
    };

export type ChangeTable = { dimensions: readonly Dimension[]; measure: Measure };

/** Rows with the same attributes as one, dimensions by name, values and rows in order: the same leaves whatever order the table came in. */
export type Leaves = {
  dimensions: readonly Dimension[];
  count: number;
  /** One array for each of the measure's columns. */
  columns: readonly Float64Array[];
};

export const columnsOf = (measure: Measure): Float64Array[] =>
  measure.kind === 'sum'
    ? [measure.actual, measure.predicted]
    : [measure.actualNumerator, measure.actualDenominator, measure.predictedNumerator, measure.predictedDenominator];

const columnNames = {
  sum: ['actual', 'predicted'],
  ratio: ['actual numerator', 'actual denominator', 'predicted numerator', 'predicted denominator'],
} as const;

/** @throws UND-INPUT for no dimension, no row, two dimensions of one name, columns of different length, a figure that is infinite, a denominator below 0 */
export function leavesOf({ dimensions, measure }: ChangeTable): Leaves {
  const columns = columnsOf(measure);
  const rows = columns[0]?.length ?? 0;
  checkTable({ dimensions, measure, rows });
  const ordered = dimensions.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(inOrder);
  const order = orderOf({ dimensions: ordered, columns, rows });
  const isSame = (row: number, other: number) => ordered.every(({ codes }) => codes[row] === codes[other]);
  const leafOf = new Int32Array(rows);
  const firsts: number[] = [];
  for (const row of order) {
    const last = firsts.at(-1);
    if (last === undefined || !isSame(row, last)) firsts.push(row);
    leafOf[row] = firsts.length - 1;
  }
  const summed = columns.map((column) => {
    const sums = new Float64Array(firsts.length);
    for (const row of order) {
      const value = column[row] as number;
      if (!Number.isNaN(value)) sums[leafOf[row] as number] = (sums[leafOf[row] as number] as number) + value;
    }
    return sums;
  });
  return {
    dimensions: ordered.map(({ name, values, codes }) => ({ name, values, codes: Int32Array.from(firsts, (row) => codes[row] as number) })),
    count: firsts.length,
    columns: summed,
  };
}

function checkTable({ dimensions, measure, rows }: ChangeTable & { rows: number }): void {
  const fail = (what: string): never => {
    throw new UnderstudyError('UND-INPUT', what);
  };
  if (dimensions.length === 0) fail('A dimension is needed');
  if (rows === 0) fail('The table has no rows');
  const names = dimensions.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) fail(`The dimension ${twice} is there twice`);
  for (const { name, codes } of dimensions) if (codes.length !== rows) fail(`The dimension ${name} has ${codes.length} rows of ${rows}`);
  for (const [place, column] of columnsOf(measure).entries()) {
    const name = columnNames[measure.kind][place] as string;
    if (column.length !== rows) fail(`${name} has ${column.length} rows of ${rows}`);
    const infinite = column.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    if (infinite >= 0) fail(`Row ${infinite + 1}: ${name} is infinite`);
    const negative = name.endsWith('denominator') ? column.findIndex((value) => value < 0) : -1;
    if (negative >= 0) fail(`Row ${negative + 1}: ${name} is below 0`);
  }
}

/** Codes that follow the order of the values, of those that are there. */
function inOrder({ name, values, codes }: Dimension): Dimension {
  const used = new Uint8Array(values.length);
  for (const code of codes) used[code] = 1;
  const sorted = values.flatMap((value, code) => (used[code] === 1 ? [{ value, code }] : [])).sort((a, b) => compareValues(a.value, b.value));
  const place = new Int32Array(values.length);
  const kept: (string | null)[] = [];
  for (const { value, code } of sorted) {
    if (kept.length === 0 || kept.at(-1) !== value) kept.push(value);
    place[code] = kept.length - 1;
  }
  return { name, values: kept, codes: codes.map((code) => place[code] as number) };
}

function compareValues(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By attributes, and where those are the same by figures: sums of the same rows are then the same to the last bit. */
function orderOf({ dimensions, columns, rows }: { dimensions: readonly Dimension[]; columns: readonly Float64Array[]; rows: number }): Int32Array {
  const order = Int32Array.from({ length: rows }, (_, row) => row);
  // Two keys hold the codes of most tables: comparing those is faster than comparing each dimension.
  const keys = packedKeys(dimensions, rows);
  return order.sort((a, b) => {
    for (const key of keys) {
      const difference = (key[a] as number) - (key[b] as number);
      if (difference !== 0) return difference;
    }
    for (const column of columns) {
      const [one, other] = [column[a] as number, column[b] as number];
      if (one !== other && !(Number.isNaN(one) && Number.isNaN(other))) return one < other || Number.isNaN(one) ? -1 : 1;
    }
    return 0;
  });
}

function packedKeys(dimensions: readonly Dimension[], rows: number): Float64Array[] {
  const keys: Float64Array[] = [];
  let room = 1;
  for (const { values, codes } of dimensions) {
    if (keys.length === 0 || room * values.length > Number.MAX_SAFE_INTEGER) {
      keys.push(new Float64Array(rows));
      room = 1;
    }
    const key = keys.at(-1) as Float64Array;
    for (let row = 0; row < rows; row += 1) key[row] = (key[row] as number) * values.length + (codes[row] as number);
    room *= values.length;
  }
  return keys;
}
