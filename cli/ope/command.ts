import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { evaluateRows, type RowsEvaluation } from '../../experiments/counterfactual/single-slot/evaluate-rows.ts';
import { type IntervalKind, intervalKinds } from '../../experiments/counterfactual/single-slot/intervals.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { CommandContext } from '../environment.ts';
import { emit, progress, table } from '../output.ts';
import { readLog, readOpenBandit } from './read-log.ts';

type Options = {
  log?: string;
  openBandit?: string[];
  clip?: number;
  switch?: number;
  shrinkage?: number;
  interval: IntervalKind;
  level: number;
  seed: number;
  json?: boolean;
};

const helpText = `
Columns of the log
  reward, propensity, target          needed: reward of the logged action, its probability under the policy that logged, under the target policy
  q_logged, q_target                  predicted reward of the logged action, and expected under the target: with both, DM, DR and their kin
  position                            slot of a slate: the mean weight is shown by position
  cluster                             user or session: rows of one are one draw to every interval

Examples
  understudy ope --log log.parquet --json
  understudy ope --open-bandit open-bandit/random/men open-bandit/bts/men --clip 2 --switch 2 --shrinkage 10`;

/** `understudy ope`: what another policy would have earned on a log, and whether the log can say so. Needs no server. */
export function opeCommand(context: CommandContext): Command {
  return new Command('ope')
    .description('Off-policy evaluation: what a target policy would have earned on a log of another, and whether the log can carry an answer.')
    .option('--log <file>', 'CSV (plain or .gz) or Parquet with reward, propensity, target')
    .option('--open-bandit <folders...>', 'the folders of the logging and of the target policy of the Open Bandit Dataset')
    .option('--clip <weight>', 'cap of the clipped IPS (default: chosen from the data)', positive)
    .option('--switch <weight>', 'threshold of Switch-DR (default: chosen from the data)', positive)
    .option('--shrinkage <number>', 'shrinkage of DR with optimistic shrinkage (default: chosen from the data)', positive)
    .addOption(new Option('--interval <kind>', 'how intervals are made').choices(intervalKinds).default('normal'))
    .option('--level <share>', 'coverage of the intervals', level, 0.95)
    .option('--seed <n>', 'of the bootstrap', positive, 1)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action(async (options: Options) => {
      const step = progress('reading the log');
      const rows = await read(context, options);
      step.note(`${rows.reward.length} rows`);
      const { clip, switch: threshold, shrinkage, interval, seed } = options;
      const evaluation = evaluateRows(rows, { hyperparameters: { clip, switch: threshold, shrinkage }, interval, level: options.level, seed });
      step.done();
      emit({ json: options.json === true, document: evaluation, text: describe(evaluation, options) });
    });
}

async function read(context: CommandContext, { log, openBandit }: Options) {
  if ((log === undefined) === (openBandit === undefined)) throw new UnderstudyError('UND-INPUT', 'Name a log: --log FILE or --open-bandit LOGDIR TARGETDIR');
  if (log !== undefined) return readLog(resolve(context.cwd, log));
  const [logged, target, ...more] = (openBandit ?? []).map((folder) => resolve(context.cwd, folder));
  if (logged === undefined || target === undefined || more.length > 0)
    throw new UnderstudyError('UND-INPUT', '--open-bandit needs two folders: LOGDIR TARGETDIR');
  return readOpenBandit(logged, target);
}

function describe(
  { rows, estimators, lift, logged, diagnostics, hyperparameters, verdict, reasons }: RowsEvaluation,
  { interval, level: coverage }: Options,
): string {
  const figures = (value: number) => value.toPrecision(6);
  const lines = Object.entries({ ...estimators, 'logged mean': logged, lift }).map(([name, one]) => [
    name,
    figures(one.value),
    figures(one.low),
    figures(one.high),
    one.standardError.toPrecision(3),
  ]);
  const parts = [
    table(['estimator', 'value', `low (${coverage * 100} %, ${interval})`, 'high', 'standard error'], lines),
    `clip ${figures(hyperparameters.clip)}, switch ${figures(hyperparameters.switch)}, shrinkage ${figures(hyperparameters.shrinkage)}`,
    table(
      ['diagnostic', 'value'],
      [
        ['rows / clusters', `${rows} / ${diagnostics.clusters}`],
        ['effective sample size', diagnostics.ess.toFixed(1)],
        ['of the rewarded rows', diagnostics.essRewarded.toFixed(1)],
        ['largest weight', `${diagnostics.maxWeight.toFixed(4)} (${(diagnostics.maxWeightShare * 100).toFixed(2)} % of all)`],
        ['tail index', diagnostics.tailIndex.toFixed(3)],
        ['mean weight', `${diagnostics.meanWeight.toFixed(4)} (p of 1: ${diagnostics.meanWeightP.toPrecision(2)})`],
        ...diagnostics.positions.map(({ position, meanWeight }): string[] => [`  at position ${position + 1}`, meanWeight.toFixed(4)]),
        ['target mass without support', `${(diagnostics.unsupportedMass * 100).toFixed(1)} %`],
        ['propensity drift', `p ${diagnostics.driftP.toPrecision(2)}`],
      ],
    ),
    `verdict: ${verdict}\n${reasons.map((reason) => `  ${reason}`).join('\n')}`,
  ];
  return parts.join('\n\n');
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
