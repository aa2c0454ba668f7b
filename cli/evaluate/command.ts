import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { algorithmNamed, algorithms, parseParams } from '../../models/algorithms/registry.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Spread } from '../../models/contracts/report.ts';
import type { ColumnOptions } from './columns.ts';
import { type EvaluateInput, type Evaluation, evaluate } from './evaluate.ts';
import { evaluateOrigins, type OriginsEvaluation } from './evaluate-origins.ts';
import { type InteractionRows, readInteractions } from './read-interactions.ts';
import { readItems } from './read-items.ts';
import { type Source, type SourceOptions, sourceOf, splits, wholeNumber } from './source-of.ts';
import { leaveOneOut } from './split-rows.ts';

/** The cutoffs that are always there, so that two results can be compared whatever `--k` they were made with. */
const standardCutoffs = [10, 20];

type Options = ColumnOptions & { model: string; params?: string; items?: string; k: string; seed: string; json?: boolean } & SourceOptions;
type Surroundings = { cwd: string; stdout: (text: string) => void; stderr: (text: string) => void; isTerminal: boolean; nowMs: () => number };

/** `understudy evaluate`: one model on two files, or on one that is cut by time, without any server. */
export function evaluateCommandIn(surroundings: Surroundings): Command {
  return new Command('evaluate')
    .description(
      'Train a model on one file and measure its ranking on another, or on what is held out of one: full catalog, seen items excluded. Needs no server.',
    )
    .option('--train <file>', 'user,item[,timestamp] as CSV (plain or .gz, header or not) or Parquet')
    .option('--test <file>', 'the same for what users did afterwards')
    .option('--interactions <file>', 'instead of the two: one file, of which a part is held out')
    .addOption(
      new Option('--split <way>', 'how the test is had (default: given with --train and --test, time with --interactions)').choices(Object.keys(splits)),
    )
    .option(
      '--validation [file]',
      'what comes before the test and is not trained on, but in the histories: a file with --test, one more row a user held out with leave-one-out',
    )
    .option(
      '--items <file>',
      'what is known of items (id, and any of title, category, brand, price), for models that learn from it: CSV with a header, or Parquet',
    )
    .option('--test-days <number>', 'with --split time: days to test on (default: 14)')
    .option('--gap-days <number>', 'with --split time: days left out before them (default: 1)')
    .option('--train-days <number>', 'with --split time: days to train on (default: all before)')
    .option('--origins <number>', 'with --split time: so many splits, each a test earlier than the one after it (default: 1)')
    .requiredOption(
      '--model <name>',
      `one of: ${Object.values(algorithms)
        .flatMap(({ name, embeddings }) => (embeddings === 'given' ? [] : name))
        .join(', ')}`,
    )
    .option('--params <json>', "the model's parameters, such as '{\"factors\":128}'")
    .option('--k <number>', 'one more cutoff besides 10 and 20', '20')
    .option('--seed <number>', 'the seed of training', '1')
    .option('--header', 'line 1 of the CSV files is a header (default: looked at)')
    .option('--no-header', 'line 1 of the CSV files is data')
    .option('--user <column>', 'column of users: its name, or its position from 1 on')
    .option('--item <column>', 'column of items')
    .option('--time <column>', 'column of timestamps; "" for none')
    .option('--json', 'print one JSON document on stdout and nothing else')
    .addHelpText('after', helpText)
    .action((options: Options) => run(options, surroundings));
}

const helpText = `
Splits
${Object.entries(splits)
  .map(([name, what]) => `  ${name.padEnd(15)}${what}`)
  .join('\n')}

Rules
  The catalog is every item of the training file. Ties go to the item whose id comes first.
  What a user has in the training file is neither recommended nor counted as wanted.
  Users without training rows get an empty history; users who want nothing new are left out.
  Test items that training never saw count as wanted and cannot be found, but where --items describes them.
  With next-item, a test user is a session: only the item before the wanted one is excluded, and every list counts as a user.
  Columns are those that are said, then those with a name that is known (user_id, sku, timestamp, ...), then the first, the second and the
  third that are left. stderr says which were taken.

Examples
  understudy evaluate --train train.csv --test test.csv --model ials --params '{"factors":64}' --json
  understudy evaluate --interactions purchases.csv --test-days 14 --origins 4 --model item-knn
  understudy evaluate --interactions ratings.csv --split leave-one-out --validation --model ials
  understudy evaluate --train train.csv --test test.csv --split next-item --model session-knn
  understudy evaluate --train train.csv --test test.csv --items products.csv --model ials`;

async function run(options: Options, surroundings: Surroundings): Promise<void> {
  const cutoff = wholeNumber('--k', options.k, { min: 1, max: 10_000 });
  const seed = wholeNumber('--seed', options.seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const params = parseJson(options.params);
  const source = sourceOf(options);
  // Mistakes on the command line come before minutes of reading.
  parseParams(algorithmNamed(options.model), params);

  const report = reporter(surroundings);
  // What was taken as what stays to be read.
  const sayOf = (file: string) => (line: string) => surroundings.stderr(`${surroundings.isTerminal ? '\r\x1b[2K' : ''}${file}: ${line}\n`);
  const read: Reader = async (file) => {
    report(`reading ${file}`);
    const { header, user, item, time } = options;
    return readInteractions(resolve(surroundings.cwd, file), { options: { header, user, item, time }, say: sayOf(file) });
  };
  const items = options.items === undefined ? undefined : await readItems(resolve(surroundings.cwd, options.items), sayOf(options.items));
  const settings = {
    items,
    model: options.model,
    params,
    cutoffs: [...new Set([...standardCutoffs, cutoff])].sort((a, b) => a - b),
    seed,
    threads: availableParallelism(),
    nowMs: surroundings.nowMs,
    report,
  };
  const answer = await answerOf(source, { settings, read });
  if (surroundings.isTerminal) surroundings.stderr('\r\x1b[2K');
  surroundings.stdout(options.json ? `${JSON.stringify(answer)}\n` : 'origins' in answer ? originsTable(answer) : table(answer));
}

type Reader = (file: string) => Promise<InteractionRows>;
type Settings = Omit<EvaluateInput, 'train' | 'validation' | 'test' | 'asks'>;

async function answerOf(source: Source, { settings, read }: { settings: Settings; read: Reader }): Promise<Evaluation | OriginsEvaluation> {
  if (source.split === 'time') return evaluateOrigins({ ...settings, rows: await read(source.file), split: source.settings });
  if (source.split === 'leave-one-out') return evaluate({ ...settings, ...leaveOneOut(await read(source.file), source), asks: 'rest' });
  const validation = source.validation === undefined ? undefined : await read(source.validation);
  const asks = source.split === 'given' ? 'rest' : 'next-item';
  return evaluate({ ...settings, train: await read(source.train), validation, test: await read(source.test), asks });
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? {} : JSON.parse(text);
  } catch (error) {
    throw new UnderstudyError('UND-INPUT', `--params is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** On a terminal one line that changes; elsewhere plain lines, at most one a second besides the first of each kind. */
function reporter({ stderr, isTerminal, nowMs }: Surroundings): (line: string) => void {
  let kind = '';
  let shownMs = 0;
  return (line) => {
    if (isTerminal) return stderr(`\r\x1b[2K${line}`);
    const own = line.split(':')[0] as string;
    if (own === kind && nowMs() - shownMs < 1000) return;
    kind = own;
    shownMs = nowMs();
    stderr(`${line}\n`);
  };
}

function table({ model, users, metrics, coldItems, trainSeconds }: Evaluation): string {
  const parts = [`${model}: ${users} users, trained in ${trainSeconds.toFixed(1)} s`, '', ...metricTable(metrics)];
  if (coldItems !== undefined) parts.push('', `items that training never saw: wanted by ${coldItems.users} users`, '', ...metricTable(coldItems.metrics));
  return [...parts, ''].join('\n');
}

function metricTable(metrics: Readonly<Record<string, number>>): string[] {
  const cutoffs = [...new Set(Object.keys(metrics).map((name) => name.split('@')[1] as string))];
  const names = [...new Set(Object.keys(metrics).map((name) => name.split('@')[0] as string))];
  const line = (cells: readonly string[]): string => cells.map((cell, column) => (column === 0 ? cell.padEnd(12) : cell.padStart(10))).join('');
  const rows = names.map((name) => line([name, ...cutoffs.map((cutoff) => (metrics[`${name}@${cutoff}`] ?? 0).toFixed(4))]));
  return rows.length === 0 ? [] : [line(['', ...cutoffs.map((cutoff) => `@${cutoff}`)]), ...rows];
}

function originsTable({ model, origins, pooled }: OriginsEvaluation): string {
  const names = ['ndcg@10', 'recall@20', 'mrr@20', 'hit-rate@10', 'coverage@10'];
  const line = (cells: readonly string[]): string => cells.map((cell, column) => (column < 2 ? cell.padEnd(26) : cell.padStart(13))).join('');
  const rows = origins.map(({ train, test, users, metrics }) =>
    line([`${train.from} to ${train.to}`, `${test.from} to ${test.to}`, String(users), ...names.map((name) => (metrics[name] ?? 0).toFixed(4))]),
  );
  const pool = (what: string, of: (spread: Spread) => number | null) =>
    line([what, '', '', ...names.map((name) => (pooled[name] === undefined ? '-' : (of(pooled[name])?.toFixed(4) ?? '-')))]);
  const seconds = origins.reduce((sum, { trainSeconds }) => sum + trainSeconds, 0);
  return [
    `${model}: ${origins.length} origins, trained in ${seconds.toFixed(1)} s`,
    '',
    line(['trained on', 'tested on', 'users', ...names]),
    ...rows,
    pool('mean', ({ mean }) => mean),
    pool('standard deviation', ({ deviation }) => deviation),
    '',
  ].join('\n');
}
