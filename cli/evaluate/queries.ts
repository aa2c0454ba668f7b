import { orderRows } from './order-rows.ts';
import type { InteractionRows } from './read-interactions.ts';

/** What a model is asked, in items of its vocabulary, and what should come of it: numbers behind the vocabulary are items that it cannot find. */
export type Query = { history: number[]; historyWeight: number[]; exclude: number[]; wanted: Set<number> };

/** Users' items in the order of time, as numbers: indexes of the vocabulary, behind it what is not in it. */
type Sequences = (userId: string) => number[];
type NumberOf = (itemId: string) => number;

/**
 * One query a user of `test`: wanted is what the user has there and nowhere in `known`, which is its history and excluded. Users who want nothing are
 * left out.
 * @param known what came before the test, trained on or not
 */
export function* userQueries({
  known,
  test,
  vocabulary,
}: {
  known: readonly InteractionRows[];
  test: InteractionRows;
  vocabulary: readonly string[];
}): Generator<Query> {
  const numberOf = numbering(vocabulary);
  const before = known.map((rows) => sequencesOf(rows, numberOf));
  const after = sequencesOf(test, numberOf);
  for (const userId of test.userIds) {
    const seen = before.flatMap((of) => of(userId));
    const wanted = new Set(after(userId));
    for (const item of seen) wanted.delete(item);
    if (wanted.size === 0) continue;
    const weights = lastPlaces(seen.filter((item) => item < vocabulary.length));
    const history = [...weights.keys()];
    yield { history, historyWeight: [...weights.values()], exclude: history, wanted };
  }
}

/**
 * One query for each row of a user of `test` but the first: what comes next, after the rows before it. The item that is being looked at is excluded, and
 * nothing else: what was seen earlier may come again.
 */
export function* nextItemQueries({ test, vocabulary }: { test: InteractionRows; vocabulary: readonly string[] }): Generator<Query> {
  const sequences = sequencesOf(test, numbering(vocabulary));
  for (const userId of test.userIds) {
    const items = sequences(userId);
    for (let place = 1; place < items.length; place += 1) {
      const before = items.slice(0, place);
      // What is not known stays in its place, as padding: a session's length counts.
      const history = before.map((item) => Math.min(item, vocabulary.length));
      const historyWeight = history.map((item) => (item < vocabulary.length ? 1 : 0));
      yield { history, historyWeight, exclude: history.slice(-1), wanted: new Set(items.slice(place, place + 1)) };
    }
  }
}

function numbering(vocabulary: readonly string[]): NumberOf {
  const numbers = new Map(vocabulary.map((id, index) => [id, index]));
  return (itemId) => {
    const number = numbers.get(itemId) ?? numbers.size;
    if (number === numbers.size) numbers.set(itemId, number);
    return number;
  };
}

function sequencesOf(rows: InteractionRows, numberOf: NumberOf): Sequences {
  const ordered = orderRows(rows);
  const items = Uint32Array.from(rows.itemIds, numberOf);
  const userOf = new Map(rows.userIds.map((id, user) => [id, user]));
  return (userId) => {
    const user = userOf.get(userId);
    if (user === undefined) return [];
    return Array.from(ordered.rows.subarray(ordered.from[user], ordered.from[user + 1]), (row) => items[rows.items[row] as number] as number);
  };
}

/** Each item once, at its last place, with the number of its rows as weight: so that a long history fits a model's window. */
function lastPlaces(items: readonly number[]): Map<number, number> {
  const weights = new Map<number, number>();
  for (const item of items) {
    const weight = (weights.get(item) ?? 0) + 1;
    weights.delete(item);
    weights.set(item, weight);
  }
  return weights;
}
