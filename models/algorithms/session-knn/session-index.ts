import type { Interactions } from '../algorithm.ts';

/** Sessions of the past, oldest first by their last event, and where each item stands in them. Rows are compressed, so nothing is padded. */
export type SessionIndex = {
  /** [sessions + 1] */
  sessionFrom: Int32Array;
  /** [entries] distinct items of each session, rising */
  sessionItems: Int32Array;
  /** [itemCount + 1] */
  itemFrom: Int32Array;
  /** [entries] the most recent sessions of each item, newest first */
  itemSessions: Int32Array;
  /** [itemCount + 1] what an item counts in a neighbour: its inverse frequency, 0 for padding */
  itemFactors: Float32Array;
};

export type SessionCutting = { gapMs: number; maxSessionItems: number };
type Sessions = { from: Int32Array; items: Int32Array; endMs: Float64Array };

/**
 * Each user's entries, cut where more than `gapMs` lies between two of them (as models/sessions does it). Sessions of more than `maxSessionItems`
 * distinct items are left out: robots, and lists that are no sessions.
 */
export function cutSessions({ userCount, indptr, items, atMs }: Interactions, { gapMs, maxSessionItems }: SessionCutting): Sessions {
  const from = new Int32Array(items.length + 1);
  const endMs = new Float64Array(items.length);
  const distinct = new Int32Array(items.length);
  let count = 0;
  let written = 0;
  const close = (first: number, end: number): void => {
    const own = [...new Set(items.subarray(first, end))].sort((a, b) => a - b);
    if (own.length > maxSessionItems) return;
    distinct.set(own, written);
    written += own.length;
    endMs[count] = atMs[end - 1] as number;
    count += 1;
    from[count] = written;
  };
  for (let user = 0; user < userCount; user += 1) {
    const end = indptr[user + 1] as number;
    let first = indptr[user] as number;
    for (let entry = first + 1; entry <= end; entry += 1) {
      if (entry < end && (atMs[entry] as number) - (atMs[entry - 1] as number) <= gapMs) continue;
      close(first, entry);
      first = entry;
    }
  }
  return { from: from.slice(0, count + 1), items: distinct.slice(0, written), endMs: endMs.slice(0, count) };
}

/** @param sample sessions kept of each item; sessions that no item keeps are not in the index, but count in the frequencies. */
export function indexSessions(sessions: Sessions, { itemCount, sample, idf }: { itemCount: number; sample: number; idf: boolean }): SessionIndex {
  const counts = new Int32Array(itemCount);
  for (const item of sessions.items) counts[item] = (counts[item] as number) + 1;
  const itemFrom = new Int32Array(itemCount + 1);
  for (let item = 0; item < itemCount; item += 1) itemFrom[item + 1] = (itemFrom[item] as number) + Math.min(sample, counts[item] as number);
  const filled = itemFrom.slice(0, itemCount);
  const itemSessions = new Int32Array(itemFrom[itemCount] as number);
  const { endMs } = sessions;
  // Of equal times the later user's is the newer.
  const newestFirst = Int32Array.from(endMs, (_, session) => session).sort((a, b) => (endMs[b] as number) - (endMs[a] as number) || b - a);
  const kept: number[] = [];
  for (const session of newestFirst) {
    let named = false;
    for (const item of itemsOf(sessions, session)) {
      const place = filled[item] as number;
      if (place === itemFrom[item + 1]) continue;
      itemSessions[place] = kept.length;
      filled[item] = place + 1;
      named = true;
    }
    if (named) kept.push(session);
  }
  kept.reverse();
  const sessionFrom = new Int32Array(kept.length + 1);
  for (const [place, session] of kept.entries()) sessionFrom[place + 1] = (sessionFrom[place] as number) + itemsOf(sessions, session).length;
  const sessionItems = new Int32Array(sessionFrom[kept.length] as number);
  for (const [place, session] of kept.entries()) sessionItems.set(itemsOf(sessions, session), sessionFrom[place]);
  const factors = inverseFrequencies(counts, idf ? sessions.items.length : 0);
  // So far they were numbered from the newest on.
  return { sessionFrom, sessionItems, itemFrom, itemSessions: itemSessions.map((session) => kept.length - 1 - session), itemFactors: factors };
}

const itemsOf = ({ from, items }: Sessions, session: number): Int32Array => items.subarray(from[session], from[session + 1]);

/** ln(total / count); 1 where that says nothing. */
function inverseFrequencies(counts: Int32Array, total: number): Float32Array {
  const factors = new Float32Array(counts.length + 1);
  for (const [item, count] of counts.entries()) {
    const inverse = count === 0 ? 0 : Math.log(total / count);
    factors[item] = inverse > 0 ? inverse : 1;
  }
  return factors;
}
