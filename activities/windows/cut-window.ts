import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, type SliceReference, type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { addDays, daysBetween } from './days.ts';

type Input = { dataState: DataState; charter: Pick<Charter, 'window' | 'timeZone' | 'seed'>; rulesDigest: string; asOfDay?: string | undefined };

/**
 * Cuts the window by time: the last `testDays` calendar days of the data are the test part, `gapDays` before them are left out, and the
 * `trainDays` before those are the train part. With `asOfDay`, later days are as if they were not there. Pure.
 * @throws UND-NO-DATA naming how many days are missing, or which part has no events.
 */
export function cutWindow({ dataState, charter, rulesDigest, asOfDay }: Input): WindowManifest {
  const { trainDays, gapDays, testDays } = charter.window;
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
  const test = { from: addDays(last, 1 - testDays), to: last };
  const trainTo = addDays(test.from, -gapDays - 1);
  const train = { from: addDays(trainTo, 1 - trainDays), to: trainTo };
  const within = ({ from, to }: { from: string; to: string }): SliceReference[] => known.filter((slice) => slice.day >= from && slice.day <= to);
  const rowsOf = (slices: SliceReference[]) => slices.reduce((rows, slice) => rows + slice.rows, 0);
  const trainSlices = within(train);
  const testSlices = within(test);
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
    catalog: dataState.catalog,
    inStockDays: dataState.inStockDays ?? null,
    rulesDigest,
    rows: { train: rowsOf(trainSlices), test: rowsOf(testSlices) },
    seed: charter.seed,
  });
}
