import type { InteractionRows } from './read-interactions.ts';

/** Rows by user: those of user u stand at `from[u] .. from[u + 1]` of `rows`, in the order of time, of equal times in the file's. */
export type OrderedRows = { from: Uint32Array; rows: Uint32Array };

export function orderRows({ userIds, users, atMs }: InteractionRows): OrderedRows {
  const from = new Uint32Array(userIds.length + 1);
  for (let row = 0; row < users.length; row += 1) {
    const next = (users[row] as number) + 1;
    from[next] = (from[next] as number) + 1;
  }
  for (let user = 0; user < userIds.length; user += 1) from[user + 1] = (from[user + 1] as number) + (from[user] as number);
  const next = from.slice(0, userIds.length);
  const rows = new Uint32Array(users.length);
  for (let row = 0; row < users.length; row += 1) {
    const user = users[row] as number;
    rows[next[user] as number] = row;
    next[user] = (next[user] as number) + 1;
  }
  for (let user = 0; user < userIds.length; user += 1) {
    const own = rows.subarray(from[user], from[user + 1]);
    if (!isRising(own, atMs)) own.sort((a, b) => (atMs[a] as number) - (atMs[b] as number) || a - b);
  }
  return { from, rows };
}

function isRising(rows: Uint32Array, atMs: Float64Array): boolean {
  for (let place = 1; place < rows.length; place += 1) if ((atMs[rows[place - 1] as number] as number) > (atMs[rows[place] as number] as number)) return false;
  return true;
}
