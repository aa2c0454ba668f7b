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
  const { userCount, itemCount, items } = interactions;
  const indptr = new Uint32Array(userCount + 1);
  const columns = new Uint32Array(items.length);
  const values = new Float32Array(items.length);
  forEachUser(interactions, (user, row, sums) => {
    const begin = indptr[user] as number;
    columns.set(row, begin);
    for (let place = 0; place < row.length; place += 1) values[begin + place] = sums[row[place] as number] as number;
    indptr[user + 1] = begin + row.length;
  });
  const entries = indptr[userCount] as number;
  return { rowCount: userCount, columnCount: itemCount, indptr, columns: columns.slice(0, entries), values: values.slice(0, entries) };
}

/**
 * Each user's items, each once and rising, with what the weights of its entries come to.
 * @param visit `items` and `sums` are the walk's own, to be read at once: sums[item] for each of the items
 */
export function forEachUser(interactions: Interactions, visit: (user: number, items: Uint32Array, sums: Float64Array) => void): void {
  const { userCount, itemCount, indptr, items, weights } = interactions;
  const sums = new Float64Array(itemCount);
  const stamp = new Int32Array(itemCount).fill(-1);
  let own = new Uint32Array(1024);
  for (let user = 0; user < userCount; user += 1) {
    const [begin, end] = [indptr[user] as number, indptr[user + 1] as number];
    if (end - begin > own.length) own = new Uint32Array(2 * (end - begin));
    let count = 0;
    for (let entry = begin; entry < end; entry += 1) {
      const item = items[entry] as number;
      if (stamp[item] !== user) {
        stamp[item] = user;
        sums[item] = 0;
        own[count] = item;
        count += 1;
      }
      sums[item] = (sums[item] as number) + (weights[entry] as number);
    }
    visit(user, own.subarray(0, count).sort(), sums);
  }
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
