import type { Interactions } from '../algorithms/algorithm.ts';
import { forEachUser } from '../algorithms/sparse.ts';
import type { Layout } from './team.ts';

/** Sparse rows in the kernels' memory: addresses, and how they are read. */
export type SharedRows = {
  rowCount: number;
  columnCount: number;
  indptr: number;
  columns: number;
  values: number;
  /** 0: the values are float32. Otherwise they are uint8 places in this float32 table. */
  table: number;
};

export type SharedMatrix = { entries: number; byUser: SharedRows; byItem: SharedRows };
type Shape = { entries: number; table: Float32Array | undefined };

/** With so many different weights or fewer, an entry is 5 bytes and not 8. */
const tableAtMost = 256;

/** Entries of the user by item matrix, and their different values where these are few. */
export function shapeOf(interactions: Interactions): Shape {
  const known = new Set<number>();
  let entries = 0;
  forEachUser(interactions, (_, items, sums) => {
    entries += items.length;
    for (let place = 0; place < items.length && known.size <= tableAtMost; place += 1) known.add(Math.fround(sums[items[place] as number] as number));
  });
  return { entries, table: known.size > tableAtMost ? undefined : Float32Array.from(known).sort() };
}

/** Places for the matrix and its transpose. */
export function reserveRows(layout: Layout, { userCount, itemCount }: Interactions, { entries, table }: Shape): SharedMatrix {
  const place = table === undefined ? 0 : layout.reserve(4 * tableAtMost);
  const rows = (rowCount: number, columnCount: number): SharedRows => ({
    rowCount,
    columnCount,
    indptr: layout.reserve(4 * (rowCount + 1)),
    columns: layout.reserve(4 * entries),
    values: layout.reserve(entries * (table === undefined ? 4 : 1)),
    table: place,
  });
  return { entries, byUser: rows(userCount, itemCount), byItem: rows(itemCount, userCount) };
}

/** Writes the matrix there; repeated entries are added up in their order in time. */
export function fillRows(
  memory: WebAssembly.Memory,
  interactions: Interactions,
  { matrix, table }: { matrix: SharedMatrix; table: Float32Array | undefined },
): void {
  const { entries, byUser, byItem } = matrix;
  const viewed = ({ rowCount, indptr, columns, values }: SharedRows) => ({
    indptr: new Uint32Array(memory.buffer, indptr, rowCount + 1),
    columns: new Uint32Array(memory.buffer, columns, entries),
    values: table === undefined ? new Float32Array(memory.buffer, values, entries) : new Uint8Array(memory.buffer, values, entries),
  });
  const users = viewed(byUser);
  const items = viewed(byItem);
  if (table !== undefined) new Float32Array(memory.buffer, byUser.table, table.length).set(table);
  const codes = table && new Map(Array.from(table, (value, code) => [value, code]));
  forEachUser(interactions, (user, row, sums) => {
    const begin = users.indptr[user] as number;
    users.columns.set(row, begin);
    for (let place = 0; place < row.length; place += 1) {
      const sum = Math.fround(sums[row[place] as number] as number);
      users.values[begin + place] = codes === undefined ? sum : (codes.get(sum) as number);
    }
    users.indptr[user + 1] = begin + row.length;
  });

  for (const item of users.columns) items.indptr[item + 1] = (items.indptr[item + 1] as number) + 1;
  for (let item = 0; item < byItem.rowCount; item += 1) items.indptr[item + 1] = (items.indptr[item + 1] as number) + (items.indptr[item] as number);
  const next = items.indptr.slice(0, byItem.rowCount);
  for (let user = 0; user < byUser.rowCount; user += 1) {
    for (let entry = users.indptr[user] as number; entry < (users.indptr[user + 1] as number); entry += 1) {
      const item = users.columns[entry] as number;
      const place = next[item] as number;
      next[item] = place + 1;
      items.columns[place] = user;
      items.values[place] = users.values[entry] as number;
    }
  }
}
