import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { SplitSettings } from './split-rows.ts';

/** Ways to have a test. */
export const splits = {
  time: 'the last days of one file',
  'leave-one-out': "each user's last row of one file",
  given: 'a file of its own',
  'next-item': 'a file of its own, whose users are sessions: each row but the first is asked for, from those before it',
} as const;
type Split = keyof typeof splits;

export type SourceOptions = {
  split?: Split;
  train?: string;
  validation?: string | true;
  test?: string;
  interactions?: string;
  origins?: string;
  testDays?: string;
  gapDays?: string;
  trainDays?: string;
};

export type Source =
  | { split: 'time'; file: string; settings: SplitSettings }
  | { split: 'leave-one-out'; file: string; validation: boolean }
  | { split: 'given' | 'next-item'; train: string; validation: string | undefined; test: string };

/** @throws UND-INPUT where neither or both of the two kinds of files are given, or an option that the split has no use for. */
export function sourceOf({ train, test, interactions, validation, ...options }: SourceOptions): Source {
  const refuse = (message: string): never => {
    throw new UnderstudyError('UND-INPUT', message);
  };
  const split = options.split ?? (interactions === undefined ? 'given' : 'time');
  const days = timeOptions.filter((name) => options[name] !== undefined);
  if (days.length > 0 && split !== 'time') refuse(`${days.map(optionName).join(', ')}: only with --interactions, which is cut by time`);
  if (split === 'time' || split === 'leave-one-out') {
    if (train !== undefined || test !== undefined)
      refuse(interactions === undefined ? `--split ${split} cuts one file: give it by --interactions` : '--interactions is instead of --train and --test');
    if (interactions === undefined) return refuse(`--split ${split} cuts one file: give it by --interactions`);
    if (split === 'time' && validation !== undefined) refuse('--validation: only with --split leave-one-out, or as a file with --test');
    if (typeof validation === 'string') refuse('--validation names no file where one file is cut: its rows are held out of it');
    return split === 'time' ? { split, file: interactions, settings: timeSettings(options) } : { split, file: interactions, validation: validation === true };
  }
  if (interactions !== undefined) refuse(`--split ${split} needs --train and --test, not --interactions`);
  if (train === undefined || test === undefined) return refuse('Give --train and --test, or one file by --interactions');
  if (validation === true) refuse('--validation needs a file beside --train and --test');
  if (validation !== undefined && split === 'next-item') refuse('--validation: a session of --split next-item has no history before it');
  return { split, train, validation: validation === true ? undefined : validation, test };
}

const timeOptions = ['origins', 'testDays', 'gapDays', 'trainDays'] as const;
type TimeOption = (typeof timeOptions)[number];
const optionName = (name: string): string => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function timeSettings(given: Pick<SourceOptions, TimeOption>): SplitSettings {
  const number = (name: TimeOption, otherwise: string, { min, max = 36_500 }: { min: number; max?: number }) =>
    wholeNumber(optionName(name), given[name] ?? otherwise, { min, max });
  return {
    origins: number('origins', '1', { min: 1, max: 100 }),
    testDays: number('testDays', '14', { min: 1 }),
    gapDays: number('gapDays', '1', { min: 0 }),
    trainDays: given.trainDays === undefined ? undefined : number('trainDays', '', { min: 1 }),
  };
}

export function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max && text.trim() !== '') return value;
  throw new UnderstudyError('UND-INPUT', `${option} must be a whole number of ${min} .. ${max}, not '${text}'`);
}
