import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { evaluateRows, type RowsEvaluation } from '../../experiments/counterfactual/single-slot/evaluate-rows.ts';
import { type IntervalKind, intervalKinds } from '../../experiments/counterfactual/single-slot/intervals.ts';
import { defaultLimits, type DiagnosticLimits } from '../../experiments/counterfactual/single-slot/limits.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { CommandContext } from '../environment.ts';
import { emit, progress, say, table } from '../output.ts';
import { readLogs, readOpenBandit } from './read-log.ts';

type Options = {
  log?: string[];
  openBandit?: string[];
  clip?: number;
  switch?: number;
  shrinkage?: number;
  interval: IntervalKind;
  level: number;
  limit?: Partial<DiagnosticLimits>;
  seed: number;
  json?: boolean;
};

const helpText = `
Columns of the log
  reward, propensity, target          needed: reward of the logged action, its probability under the policy that logged, under the target policy
  q_logged, q_target                  predicted reward of the logged action, and expected under the target: with both, DM, DR and their kin
  position                            slot of a slate: the mean weight is shown by position
  cluster                             user or session: rows of one are one draw to every interval
  id                                  of a row: the same twice is a duplicate
  propensity_sum                      what the logging probabilities of all actions of the row sum to
  propensity_1, propensity_2, ...     probability of the row's action under the policy of the first log, the second, ...

Rows without a propensity are left out and counted. Logs of several policies are pooled: --log a.csv b.csv. With propensity_1, propensity_2 in both, a row
weighs by how likely any of the policies was to log it; without, by its own policy alone, which varies more. One file may hold the same with a column
policy (1, 2, ...).

The verdict is on the lift, target minus what was logged: by its empirical likelihood interval, whatever --interval says of the others. docs/study.md
shows how often it holds. Limits of the diagnostics, with --limit NAME=NUMBER:
${table(
  ['name', 'default'],
  Object.entries(defaultLimits).map(([name, value]) => [`  ${name}`, String(value)]),
)}

Examples
  understudy ope --log log.parquet --json
  understudy ope --log january.csv february.csv --limit minEss=500 maxTailIndex=0.5
  understudy ope --open-bandit open-bandit/random/men open-bandit/bts/men --clip 2 --switch 2 --shrinkage 10`;

/** `understudy ope`: what another policy would have earned on a log, and whether the log can say so. Needs no server. */
export function opeCommand(context: CommandContext): Command {
  return new Command('ope')
    .description('Off-policy evaluation: what a target policy would have earned on a log of another, and whether the log can carry an answer.')
    .option('--log <files...>', 'CSV (plain or .gz) or Parquet with reward, propensity, target; several: each the log of a policy of its own')
    .option('--open-bandit <folders...>', 'the folders of the logging and of the target policy of the Open Bandit Dataset')
    .option('--clip <weight>', 'cap of the clipped IPS (default: chosen from the data)', positive)
    .option('--switch <weight>', 'threshold of Switch-DR (default: chosen from the data)', positive)
    .option('--shrinkage <number>', 'shrinkage of DR with optimistic shrinkage (default: chosen from the data)', positive)
    .addOption(new Option('--interval <kind>', 'how intervals are made').choices(intervalKinds).default('normal'))
    .option('--level <share>', 'coverage of the intervals', level, 0.95)
    .option('--limit <name=number...>', 'a limit of the diagnostics', limit)
    .option('--seed <n>', 'of the bootstrap and of replay', positive, 1)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action(async (options: Options) => {
      const step = progress('reading the log');
      const rows = await read(context, options);
      step.note(`${rows.reward.length} rows`);
      const logs = options.log?.length ?? 1;
      if (logs > 1 && rows.pooled === undefined) say(`Without propensity_1 to propensity_${logs} in all logs, each row weighs by its own policy alone`);
      const { clip, switch: threshold, shrinkage, interval, seed } = options;
      const limits = { ...defaultLimits, ...options.limit };
      const evaluation = evaluateRows(rows, { hyperparameters: { clip, switch: threshold, shrinkage }, interval, level: options.level, limits, seed });
      step.done();
      emit({ json: options.json === true, document: evaluation, text: describe(evaluation, { ...options, limits }) });
    });
}

async function read(context: CommandContext, { log, openBandit }: Options) {
  if ((log === undefined) === (openBandit === undefined)) throw new UnderstudyError('UND-INPUT', 'Name a log: --log FILE or --open-bandit LOGDIR TARGETDIR');
  if (log !== undefined) return readLogs(log.map((path) => resolve(context.cwd, path)));
  const [logged, target, ...more] = (openBandit ?? []).map((folder) => resolve(context.cwd, folder));
  if (logged === undefined || target === undefined || more.length > 0)
    throw new UnderstudyError('UND-INPUT', '--open-bandit needs two folders: LOGDIR TARGETDIR');
  return readOpenBandit(logged, target);
}

function describe(evaluation: RowsEvaluation, { interval, level: coverage, limits }: Options & { limits: DiagnosticLimits }): string {
  const { estimators, lift, logged, replay, hyperparameters, verdict, reasons } = evaluation;
  const figures = (value: number) => value.toPrecision(6);
  const replayed = 'code' in replay ? {} : { replay };
  const lines = Object.entries({ ...estimators, ...replayed, 'logged mean': logged, lift }).map(([name, one]) => [
    name,
    figures(one.value),
    figures(one.low),
    figures(one.high),
    one.standardError.toPrecision(3),
  ]);
  const parts = [
    table(['estimator', 'value', `low (${coverage * 100} %, ${interval})`, 'high', 'standard error'], lines),
    `clip ${figures(hyperparameters.clip)}, switch ${figures(hyperparameters.switch)}, shrinkage ${figures(hyperparameters.shrinkage)}`,
    'code' in replay ? `No replay: ${replay.reason}` : `Replay rests on ${replay.accepted} rows`,
    table(['diagnostic', 'value', 'limit'], diagnosticLines(evaluation, limits)),
    `verdict: ${verdict}\n${reasons.map((reason) => `  ${reason}`).join('\n')}`,
  ];
  return parts.join('\n\n');
}

function diagnosticLines({ rows, diagnostics }: RowsEvaluation, limits: DiagnosticLimits): string[][] {
  const share = (value: number) => `${(value * 100).toFixed(2)} %`;
  const { meanWeight, meanWeightP, driftP } = diagnostics;
  return [
    ['rows / clusters', `${rows} / ${diagnostics.clusters}`, ''],
    ['effective sample size', diagnostics.ess.toFixed(1), `${limits.minEss} or more`],
    ['of the rewarded rows', diagnostics.essRewarded.toFixed(1), `${limits.minEssRewarded} or more`],
    ['of rewards behind the lift', diagnostics.essLift.toFixed(1), `${limits.minEssLift} or more`],
    ['largest weight', `${diagnostics.maxWeight.toFixed(4)} (${share(diagnostics.maxWeightShare)} of all)`, `${share(limits.maxWeightShare)} at most`],
    ['tail index', diagnostics.tailIndex.toFixed(3), `${limits.maxTailIndex} at most`],
    ['mean weight', `${meanWeight.toFixed(4)} (p of 1: ${meanWeightP.toPrecision(2)})`, `p ${limits.minMeanWeightP} or more`],
    ...diagnostics.positions.map(({ position, meanWeight: own }): string[] => [`  at position ${position + 1}`, own.toFixed(4), '']),
    ['target mass without support', share(diagnostics.unsupportedMass), `${share(limits.maxUnsupportedMass)} at most`],
    ['propensity drift', `p ${driftP.toPrecision(2)}`, `p ${limits.minDriftP} or more`],
    ['propensities that do not sum to one', share(diagnostics.badSumShare), `${share(limits.maxBadSumShare)} at most`],
    ['rows that are there twice', share(diagnostics.duplicateShare), `${share(limits.maxDuplicateShare)} at most`],
    ['rows without a propensity', share(diagnostics.missingShare), `${share(limits.maxMissingShare)} at most`],
  ];
}

function limit(text: string, before: Partial<DiagnosticLimits> = {}): Partial<DiagnosticLimits> {
  const [name = '', given = '', ...more] = text.split('=');
  const value = given.trim() === '' ? Number.NaN : Number(given);
  if (!(name in defaultLimits) || !Number.isFinite(value) || more.length > 0)
    throw new InvalidArgumentError(`NAME=NUMBER, NAME one of ${Object.keys(defaultLimits).join(', ')}`);
  return { ...before, [name]: value };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('a number above 0');
  return value;
}

function level(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('a number between 0 and 1, such as 0.95');
  return value;
}
