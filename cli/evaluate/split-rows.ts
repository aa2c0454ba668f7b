import { UnderstudyError } from '../../models/contracts/problem.ts';
import { orderRows } from './order-rows.ts';
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
      train: selectRows(rows, (row) => (days[row] as number) >= trainFrom && (days[row] as number) <= trainTo),
      test: selectRows(rows, (row) => (days[row] as number) > testTo - testDays && (days[row] as number) <= testTo),
    };
  });
}

const originsText = (origins: number, testDays: number) => (origins === 1 ? `${testDays} to test` : `${origins} times ${testDays} to test`);

/** Users and items are numbered anew: a catalog as of then has what was seen by then. */
export function selectRows({ userIds, itemIds, users, items, atMs }: InteractionRows, isSelected: (row: number) => boolean): InteractionRows {
  const numbered = (ids: readonly string[]) => {
    const numbers = new Int32Array(ids.length).fill(-1);
    const kept: string[] = [];
    const numberOf = (old: number): number => {
      if (numbers[old] === -1) numbers[old] = kept.push(ids[old] as string) - 1;
      return numbers[old] as number;
    };
    return { kept, numberOf };
  };
  const [user, item] = [numbered(userIds), numbered(itemIds)];
  let count = 0;
  for (let row = 0; row < users.length; row += 1) if (isSelected(row)) count += 1;
  const selected: InteractionRows = {
    userIds: user.kept,
    itemIds: item.kept,
    users: new Uint32Array(count),
    items: new Uint32Array(count),
    atMs: new Float64Array(count),
  };
  for (let row = 0, place = 0; row < users.length; row += 1) {
    if (!isSelected(row)) continue;
    selected.users[place] = user.numberOf(users[row] as number);
    selected.items[place] = item.numberOf(items[row] as number);
    selected.atMs[place] = atMs[row] as number;
    place += 1;
  }
  return selected;
}

/**
 * Holds each user's last row out as test and, with `validation`, the one before it; of equal times the later in the file is the later. Users with too few
 * rows to train on any are trained on whole. The protocol of Kang and McAuley 2018, sec. IV-A.
 */
export function leaveOneOut(
  rows: InteractionRows,
  { validation }: { validation: boolean },
): { train: InteractionRows; validation?: InteractionRows; test: InteractionRows } {
  const { from, rows: ordered } = orderRows(rows);
  const held = validation ? 2 : 1;
  /** [rows] how many rows of its user come after it, of those that are held out; `held` and more for the rest. */
  const after = new Uint8Array(ordered.length).fill(held);
  for (let user = 0; user < rows.userIds.length; user += 1) {
    const end = from[user + 1] as number;
    if (end - (from[user] as number) <= held) continue;
    for (let back = 0; back < held; back += 1) after[ordered[end - 1 - back] as number] = back;
  }
  const part = (place: number) => selectRows(rows, (row) => after[row] === place);
  return { train: part(held), test: part(0), ...(validation ? { validation: part(1) } : {}) };
}
