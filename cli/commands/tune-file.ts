import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { decideNext, planTuning, type TuningPlan } from '../../activities/training/tune.ts';
import { sampleUsers } from '../../experiments/tuning/sample-users.ts';
import { checkCandidates, algorithmNamed, parseParams } from '../../models/algorithms/registry.ts';
import { asUnderstudyError, inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { tuningSearch, tuningSpace, type TrialMeasurement } from '../../models/contracts/tuning.ts';
import type { ColumnOptions } from '../evaluate/columns.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { type InteractionRows, readInteractions } from '../evaluate/read-interactions.ts';
import { wholeNumber } from '../evaluate/source-of.ts';
import { leaveOneOut, selectRows, splitRows } from '../evaluate/split-rows.ts';
import { progress, say } from '../output.ts';
import type { CommandContext } from '../environment.ts';
import { type Planned, progressText, type Tuned } from './tune-output.ts';

export type FileOptions = ColumnOptions & {
  interactions: string;
  model: string;
  space: string;
  params?: string;
  trials?: string;
  eta?: string;
  minShare?: string;
  metric: string;
  split: 'time' | 'leave-one-out';
  testDays: string;
  gapDays: string;
  seed: string;
};
type Asked = ReturnType<typeof askedFor>;

/** What the options say, with every mistake in them found before anything is read. @throws UND-INPUT */
function askedFor(options: FileOptions) {
  const { model, metric, split } = options;
  const params = fromJson('--params', options.params ?? '{}');
  const tune = fromJson('--space', options.space);
  const number = (name: string, text: string | undefined) => (text === undefined ? {} : { [name]: Number(text) });
  const halves = options.eta !== undefined || options.minShare !== undefined;
  const halving = halves ? { halving: { ...number('eta', options.eta), ...number('minShare', options.minShare) } } : {};
  const [space, search] = [tuningSpace.safeParse(tune), tuningSearch.safeParse({ ...number('trials', options.trials), ...halving })];
  const issues = [...(space.error?.issues ?? []), ...(search.error?.issues ?? [])];
  const found = checkCandidates({ candidates: [{ algorithm: model, params, tune }] });
  if (!space.success || !search.success || found.length > 0) throw inputError('UND-INPUT', 'What is to be tuned', issues, found);
  parseParams(algorithmNamed(model), params);
  const seed = wholeNumber('--seed', options.seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const days = {
    testDays: wholeNumber('--test-days', options.testDays, { min: 1, max: 36_500 }),
    gapDays: wholeNumber('--gap-days', options.gapDays, { min: 0, max: 36_500 }),
  };
  return {
    model,
    metric,
    split,
    params: params as Record<string, never>,
    seed,
    days,
    plan: planTuning({ tune: { grid: space.data, search: search.data }, seed }),
  };
}

function fromJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError('UND-INPUT', `${option} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

export function planFile(options: FileOptions): Planned {
  const { model, metric, plan } = askedFor(options);
  return { candidate: model, metric, ...plan };
}

/** Tunes on one file, in this process. What is held out is what comes before the test that `understudy evaluate` would hold out of the same file: that is not looked at. */
export async function tuneFile(context: CommandContext, options: FileOptions): Promise<Tuned> {
  const asked = askedFor(options);
  const { header, user, item, time } = options;
  const rows = await readInteractions(resolve(context.cwd, options.interactions), {
    options: { header, user, item, time },
    say: (line) => say(`${options.interactions}: ${line}`),
  });
  const { train, validation } = partsOf(rows, asked);
  const step = progress(`tuning ${asked.model}`);
  const startedMs = context.now();
  const measurements: TrialMeasurement[] = [];
  for (;;) {
    const next = decideNext(asked.plan, measurements);
    if ('chosen' in next) {
      step.done();
      const { model, metric, params, plan } = asked;
      return { candidate: model, algorithm: model, metric, fixed: params, rungs: plan.rungs, measurements, chosen: next.chosen };
    }
    for (const [done, trial] of next.due.entries()) {
      step.note(progressText({ rungs: asked.plan.rungs, rung: next.rung, done, elapsedMs: context.now() - startedMs }));
      measurements.push(await measure({ asked, train, validation, rung: next.rung, trial }));
    }
  }
}

function partsOf(rows: InteractionRows, { split, days }: Asked): { train: InteractionRows; validation: InteractionRows } {
  if (split === 'time') {
    const before = splitRows(rows, { ...days, origins: 2 })[1];
    if (before === undefined) throw new UnderstudyError('UND-NO-DATA', 'There are no days before the test to choose on');
    return { train: before.train, validation: before.test };
  }
  const { train, validation } = leaveOneOut(rows, { validation: true });
  if (validation === undefined) throw new UnderstudyError('UND-NO-DATA', 'Nobody has a row to hold out');
  return { train, validation };
}

type Measuring = { asked: Asked; train: InteractionRows; validation: InteractionRows; rung: number; trial: number };

async function measure({ asked, train, validation, rung, trial }: Measuring): Promise<TrialMeasurement> {
  const { model, metric, seed, plan } = asked;
  const params = plan.trials[trial] as TuningPlan['trials'][number];
  const taken = sampleUsers({ users: train.userIds.length, share: plan.rungs[rung]?.share ?? 1, seed });
  const isTaken = (row: number) => taken[train.users[row] as number] === 1;
  const own = selectRows(train, isTaken);
  const startedMs = performance.now();
  const about = (users: number) => ({ trial, rung, params, trainUsers: own.userIds.length, users, seconds: (performance.now() - startedMs) / 1000 });
  try {
    const found = await evaluate({
      train: own,
      // Those that it was not trained on are asked for too, by what they did.
      validation: selectRows(train, (row) => !isTaken(row)),
      test: validation,
      asks: 'rest',
      model,
      params: { ...asked.params, ...params },
      cutoffs: [10, 20],
      seed,
      threads: availableParallelism(),
      nowMs: () => performance.now(),
      report: () => undefined,
    });
    const { value, low, high } = found.intervals[metric] as { value: number; low: number; high: number };
    return { ...about(found.users), measured: { value, low, high } };
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    if (code !== 'UND-TRAINING-DIVERGED' && code !== 'UND-TRAINING-MEMORY') throw error;
    return { ...about(1), measured: null, failed: message };
  }
}
