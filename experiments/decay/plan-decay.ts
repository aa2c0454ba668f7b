import { UnderstudyError } from '../../models/contracts/problem.ts';

export type DecaySettings = {
  /** Ages of models. */
  weeks: readonly number[];
  /** Lengths of history. */
  months: readonly number[];
  /** Test parts, each `everyDays` before the one after it. */
  origins: number;
  everyDays: number;
  testDays: number;
  /** Weeks over which models begin from one another. */
  warmSteps: number;
};

/** A test part is a week, so that an age of a week is one. */
export const decaySettings: DecaySettings = { weeks: [1, 2, 4, 8], months: [1, 2, 3, 6, 12], origins: 4, everyDays: 14, testDays: 7, warmSteps: 4 };

/** Days are counted back from the last day of the data: 0 is that day. */
export type DecayPlan = {
  /** Of the models whose age is measured. */
  trainDays: number;
  testDays: number;
  gapDays: number;
  /** Last day of each test part, the latest first. */
  origins: number[];
  /** With 0, a fresh model, rising. */
  weeks: number[];
  /** Rising. */
  histories: { months: number; days: number }[];
  warmSteps: number;
  /** What was asked for and the data do not go back for. */
  notes: string[];
};

const daysOf = (months: number): number => Math.round((months * 365) / 12);
/** A further length is worth its training from here. */
const fewDaysMore = 15;

/**
 * What the data have days for. Ages are measured at two test parts at least where there can be, and with models of the charter's train part or half of it at
 * least: the oldest ages are given up before that.
 * @throws UND-NO-DATA naming how many days are missing for an age of a week
 */
export function planDecay({ days, window, settings }: { days: number; window: { trainDays: number; gapDays: number }; settings: DecaySettings }): DecayPlan {
  const { everyDays, testDays } = settings;
  const { gapDays } = window;
  const rising = [...new Set(settings.weeks)].filter((week) => week > 0).sort((a, b) => a - b);
  const leastTrain = Math.ceil(window.trainDays / 2);
  const roomFor = (origins: number, week: number) => days - (origins - 1) * everyDays - testDays - gapDays - 7 * week;
  const many = Array.from({ length: Math.max(1, settings.origins - 1) }, (_, fewer) => Math.max(1, settings.origins - fewer));
  const choices = [many, [1]].flatMap((counts) => rising.toReversed().flatMap((oldest) => counts.map((origins) => ({ oldest, origins }))));
  const chosen = choices.find(({ oldest, origins }) => roomFor(origins, oldest) >= leastTrain);
  if (chosen === undefined) {
    const needed = leastTrain + gapDays + testDays + 7 * (rising[0] ?? 1);
    throw new UnderstudyError('UND-NO-DATA', `To see what age costs, ${needed} days are needed (${leastTrain} to train), and there are ${days}`, {
      details: { neededDays: needed, days, missingDays: needed - days },
    });
  }
  const { oldest, origins } = chosen;
  const trainDays = Math.min(window.trainDays, roomFor(origins, oldest));
  const room = roomFor(origins, 0);
  const lengths = [...new Set(settings.months)].sort((a, b) => a - b).map((months) => ({ months, days: daysOf(months) }));
  const histories = lengths.filter((length) => length.days <= room);
  const longest = histories.at(-1)?.days ?? 0;
  if (histories.length < lengths.length && room >= longest + fewDaysMore) histories.push({ months: Math.round((room * 120) / 365) / 10, days: room });
  const left = lengths.filter((length) => length.days > room).map(({ months }) => months);
  const weeks = rising.filter((week) => week <= oldest);
  return {
    ...{ trainDays, testDays, gapDays, histories },
    weeks: [0, ...weeks],
    origins: Array.from({ length: origins }, (_, number) => number * everyDays),
    warmSteps: Math.min(settings.warmSteps, weeks.findLast((week) => week <= settings.warmSteps) ?? 0),
    notes: [
      ...(weeks.length < rising.length ? [`the data do not go back for ages of ${rising.slice(weeks.length).join(', ')} weeks`] : []),
      ...(origins < settings.origins ? [`the data go back for ${origins} of ${settings.origins} test weeks`] : []),
      ...(trainDays < window.trainDays ? [`models whose age is measured are trained on ${trainDays} days instead of ${window.trainDays}`] : []),
      ...(left.length > 0 ? [`the data do not go back for ${left.join(', ')} months of history`] : []),
    ],
  };
}
