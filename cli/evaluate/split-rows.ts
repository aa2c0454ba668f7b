import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { InteractionRows } from './read-interactions.ts';

export type SplitSettings = { origins: number; testDays: number; gapDays: number /** All days before where it is left out. */; trainDays?: number | undefined };

/** Days are of UTC, written YYYY-MM-DD. */
export type DaySpan = { from: string; to: string };
export type RowSplit = { trainDays: DaySpan; testDays: DaySpan; train: InteractionRows; test: InteractionRows };

const dayMs = 86_400_000;
const dayText = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10);

/**
 * Cuts rows by time as a surface's window is cut: the last `testDays` days test, `gapDays` before them are left out, what is before those trains. Each
 * further origin lies `testDays` earlier. The latest comes first.
 * @throws UND-INPUT without timestamps; UND-NO-DATA when the days do not suffice for all origins
 */
export function splitRows(rows: InteractionRows, { origins, testDays, gapDays, trainDays }: SplitSettings): RowSplit[] {
  const days = Int32Array.from(rows.atMs, (atMs) => Math.floor(atMs / dayMs));
  const first = days.reduce((earliest, day) => Math.min(earliest, day), Number.POSITIVE_INFINITY);
  const last = days.reduce((latest, day) => Math.max(latest, day), Number.NEGATIVE_INFINITY);
  if (rows.atMs.every((atMs) => atMs === 0)) throw new UnderstudyError('UND-INPUT', '--interactions is cut by time, and the file has no timestamps');
  const needed = origins * testDays + gapDays + (trainDays ?? 1);
  const there = last - first + 1;
  if (there < needed)
    throw new UnderstudyError(
      'UND-NO-DATA',
      `${needed} days are needed (${originsText(origins, testDays)}, ${gapDays} of gap, ${trainDays ?? 1} to train) and the file has ${there}`,
    );
  return Array.from({ length: origins }, (_, origin) => {
    const testTo = last - origin * testDays;
    const trainTo = testTo - testDays - gapDays;
    const trainFrom = trainDays === undefined ? first : trainTo - trainDays + 1;
    return {
      trainDays: { from: dayText(trainFrom), to: dayText(trainTo) },
      testDays: { from: dayText(testTo - testDays + 1), to: dayText(testTo) },
      train: rowsWithin(rows, (row) => (days[row] as number) >= trainFrom && (days[row] as number) <= trainTo),
      test: rowsWithin(rows, (row) => (days[row] as number) > testTo - testDays && (days[row] as number) <= testTo),
    };
  });
}

const originsText = (origins: number, testDays: number) => (origins === 1 ? `${testDays} to test` : `${origins} times ${testDays} to test`);

/** Users and items are numbered anew: a catalog as of then has what was seen by then. */
function rowsWithin({ userIds, itemIds, users, items, atMs }: InteractionRows, isWithin: (row: number) => boolean): InteractionRows {
  const numbered = (ids: readonly string[]) => {
    const numbers = new Map<number, number>();
    const kept: string[] = [];
    const numberOf = (old: number): number => {
      const known = numbers.get(old);
      if (known !== undefined) return known;
      numbers.set(old, kept.length);
      kept.push(ids[old] as string);
      return kept.length - 1;
    };
    return { kept, numberOf };
  };
  const [user, item] = [numbered(userIds), numbered(itemIds)];
  const within: InteractionRows = { userIds: user.kept, itemIds: item.kept, users: [], items: [], atMs: [] };
  for (let row = 0; row < users.length; row += 1) {
    if (!isWithin(row)) continue;
    within.users.push(user.numberOf(users[row] as number));
    within.items.push(item.numberOf(items[row] as number));
    within.atMs.push(atMs[row] as number);
  }
  return within;
}
