import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, type SliceReference, type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { addDays, daysBetween } from './days.ts';

type DayRange = WindowManifest['train'];
type Split = Pick<WindowManifest, 'train' | 'test' | 'trainSlices' | 'testSlices'>;
type Input = { dataState: DataState; charter: Pick<Charter, 'window' | 'timeZone' | 'seed'>; rulesDigest: string; asOfDay?: string | undefined };

/**
 * Cuts the window by time: the last `testDays` calendar days of the data are the test part, `gapDays` before them are left out, and the
 * `trainDays` before those are the train part. With `asOfDay`, later days are as if they were not there. `rollingOrigins` asks for earlier splits
 * of the same lengths, each `testDays` before the one after it: there are as many as the data have days for. `validationDays` marks the last days
 * of the train part, on which parameters are chosen. Pure.
 * @throws UND-NO-DATA naming how many days are missing, or which part has no events.
 */
export function cutWindow({ dataState, charter, rulesDigest, asOfDay }: Input): WindowManifest {
  const { trainDays, gapDays, testDays, validationDays, rollingOrigins } = charter.window;
  const known = dataState.slices.filter((slice) => slice.rows > 0 && (asOfDay === undefined || slice.day <= asOfDay));
  const first = known[0]?.day;
  const last = known.at(-1)?.day;
  if (first === undefined || last === undefined)
    throw new UnderstudyError('UND-NO-DATA', `${dataState.surface} has no events${asOfDay === undefined ? '' : ` up to ${asOfDay}`}`);
  const needed = trainDays + gapDays + testDays;
  const there = daysBetween(first, last) + 1;
  if (there < needed) {
    const parts = `${trainDays} to train, ${gapDays} of gap, ${testDays} to test`;
    throw new UnderstudyError(
      'UND-NO-DATA',
      `${dataState.surface} needs ${needed} days (${parts}) and has ${there}, ${first} to ${last}: ${needed - there} are missing`,
      {
        details: { neededDays: needed, days: there, missingDays: needed - there },
      },
    );
  }
  const within = ({ from, to }: DayRange): SliceReference[] => known.filter((slice) => slice.day >= from && slice.day <= to);
  const splitOf = (train: DayRange, test: DayRange): Split => ({ train, test, trainSlices: within(train), testSlices: within(test) });
  const splitEndingOn = (lastDay: string): Split => {
    const test = { from: addDays(lastDay, 1 - testDays), to: lastDay };
    const trainTo = addDays(test.from, -gapDays - 1);
    return splitOf({ from: addDays(trainTo, 1 - trainDays), to: trainTo }, test);
  };
  const { train, test, trainSlices, testSlices } = splitEndingOn(last);
  const earlier: Split[] = [];
  for (let origin = 1; origin < rollingOrigins; origin += 1) {
    const split = splitEndingOn(addDays(last, -origin * testDays));
    if (split.train.from < first || split.trainSlices.length === 0 || split.testSlices.length === 0) break;
    earlier.push(split);
  }
  const validated = validationDays === undefined ? undefined : { from: addDays(train.to, 1 - validationDays), to: train.to };
  const validation = validated && splitOf({ from: train.from, to: addDays(validated.from, -gapDays - 1) }, validated);
  // All of them: what people allow counts from when it is known, whenever the window ends.
  const { changes = [] } = dataState;
  const rowsOf = (slices: SliceReference[]) => slices.reduce((rows, slice) => rows + slice.rows, 0);
  if (trainSlices.length === 0) throw new UnderstudyError('UND-NO-DATA', `${dataState.surface} has no events to train on, ${train.from} to ${train.to}`);
  return windowManifest.parse({
    kind: 'window',
    surface: dataState.surface,
    timeZone: charter.timeZone,
    train,
    gapDays,
    test,
    trainSlices,
    testSlices,
    ...(changes.length > 0 ? { changes } : {}),
    ...(validation === undefined ? {} : { validation }),
    ...(earlier.length > 0 ? { earlier } : {}),
    catalog: dataState.catalog,
    inStockDays: dataState.inStockDays ?? null,
    rulesDigest,
    rows: { train: rowsOf(trainSlices), test: rowsOf(testSlices) },
    seed: charter.seed,
  });
}
