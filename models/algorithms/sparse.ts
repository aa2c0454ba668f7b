import type { Interactions } from './algorithm.ts';

/** Compressed rows in which no column stands twice, columns rising. */
export type SparseRows = {
  rowCount: number;
  columnCount: number;
  /** [rowCount + 1] */
  indptr: Uint32Array;
  /** [entries] */
  columns: Uint32Array;
  /** [entries] */
  values: Float32Array;
};

/** User by item, the weights of repeated entries added up in their order in time. */
export function accumulate(interactions: Interactions): SparseRows {
  const { userCount, itemCount, indptr, items, weights } = interactions;
  const outIndptr = new Uint32Array(userCount + 1);
  const columns = new Uint32Array(items.length);
  const values = new Float32Array(items.length);
  const sums = new Float64Array(itemCount);
  const stamp = new Int32Array(itemCount).fill(-1);
  let written = 0;
  for (let user = 0; user < userCount; user += 1) {
    const begin = written;
    for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1) {
      const item = items[entry] as number;
      if (stamp[item] !== user) {
        stamp[item] = user;
        sums[item] = 0;
        columns[written] = item;
        written += 1;
      }
      sums[item] = (sums[item] as number) + (weights[entry] as number);
    }
    const row = columns.subarray(begin, written).sort();
    for (let position = 0; position < row.length; position += 1) values[begin + position] = sums[row[position] as number] as number;
    outIndptr[user + 1] = written;
  }
  return { rowCount: userCount, columnCount: itemCount, indptr: outIndptr, columns: columns.slice(0, written), values: values.slice(0, written) };
}

/** The same entries by column. */
export function transpose({ rowCount, columnCount, indptr, columns, values }: SparseRows): SparseRows {
  const outIndptr = new Uint32Array(columnCount + 1);
  for (const column of columns) outIndptr[column + 1] = (outIndptr[column + 1] as number) + 1;
  for (let column = 0; column < columnCount; column += 1) outIndptr[column + 1] = (outIndptr[column + 1] as number) + (outIndptr[column] as number);
  const next = outIndptr.slice(0, columnCount);
  const outColumns = new Uint32Array(columns.length);
  const outValues = new Float32Array(columns.length);
  for (let row = 0; row < rowCount; row += 1) {
    for (let entry = indptr[row] as number; entry < (indptr[row + 1] as number); entry += 1) {
      const column = columns[entry] as number;
      const place = next[column] as number;
      next[column] = place + 1;
      outColumns[place] = row;
      outValues[place] = values[entry] as number;
    }
  }
  return { rowCount: columnCount, columnCount: rowCount, indptr: outIndptr, columns: outColumns, values: outValues };
}
