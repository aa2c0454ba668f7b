import type { Interactions } from '../algorithm.ts';

export type Split = {
  /** What came before a point in time. */
  before: Interactions;
  /** [userCount] the entry from which on a user's lie behind it */
  behindFrom: Uint32Array;
};

/**
 * Cuts every history at one point in time, behind which about a share of all entries lies; what has one time stays together.
 * @returns undefined where one of the two would be empty
 */
export function splitBehind(interactions: Interactions, share: number): Split | undefined {
  const { userCount, itemCount, indptr, items, weights, atMs } = interactions;
  const times = Float64Array.from(atMs).sort();
  const fromMs = times[Math.floor((1 - share) * times.length)] ?? 0;
  const isBefore = (entry: number): boolean => (atMs[entry] as number) < fromMs;
  const behindFrom = new Uint32Array(userCount);
  const ends = new Uint32Array(userCount + 1);
  const kept: number[] = [];
  for (let user = 0; user < userCount; user += 1) {
    let entry = indptr[user] as number;
    for (; entry < (indptr[user + 1] as number) && isBefore(entry); entry += 1) kept.push(entry);
    behindFrom[user] = entry;
    ends[user + 1] = kept.length;
  }
  if (kept.length === 0 || kept.length === items.length) return undefined;
  const entries = Uint32Array.from(kept);
  const before: Interactions = {
    ...{ userCount, itemCount, indptr: ends },
    items: entries.map((entry) => items[entry] as number),
    weights: Float32Array.from(entries, (entry) => weights[entry] as number),
    atMs: Float64Array.from(entries, (entry) => atMs[entry] as number),
  };
  return { before, behindFrom };
}
