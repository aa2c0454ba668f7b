import { Command, Option } from 'commander';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machines, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit } from '../output.ts';
import { describePlan, describeTuned, planDocument, type Planned, type Tuned, tunedDocument } from './tune-output.ts';
import { type FileOptions, planFile, tuneFile } from './tune-file.ts';
import { planSurface, tuneSurface } from './tune-surface.ts';

type Options = Partial<FileOptions> & { candidate?: string[]; config?: string; dryRun?: boolean; state?: string; json?: boolean };

const metrics = ['ndcg@10', 'recall@20', 'mrr@20', 'hit-rate@10'];

/** `understudy tune`: which parameters are best, of a surface's candidates on its workers, or of a model on a file. */
export function tuneCommand(context: CommandContext): Command {
  return new Command('tune')
    .description("choose parameters on days before the test: of a surface's candidates (their `tune` and `search`), or of a model on a file without any server")
    .argument('[surface]', 'name of the surface', surfaceArgument)
    .option('--candidate <name...>', 'only these candidates', machines)
    .option('--config <file>', 'by the charter of this understudy.config.ts, which does not become the current one', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--dry-run', 'say what would be tried, and how many trainings that is')
    .option('--json', 'one JSON document on stdout')
    .optionsGroup('On a file, instead of a surface:')
    .option('--interactions <file>', 'user,item[,timestamp] as CSV (plain or .gz) or Parquet', someText)
    .option('--model <name>', 'the model', someText)
    .option('--space <json>', 'values of parameters, or ranges of them', someText)
    .option('--params <json>', 'parameters that are not chosen', someText)
    .option('--trials <number>', 'so many points of the space (default: all combinations of its lists)')
    .option('--eta <number>', 'successive halving: the best 1/eta of a rung go on to eta times as many users')
    .option('--min-share <share>', 'the first rung is trained on at least this share of the users (default with --eta: 0.1)')
    .addOption(new Option('--metric <name>', 'what is best').choices(metrics).default('ndcg@10'))
    .addOption(new Option('--split <way>', 'what is held out').choices(['time', 'leave-one-out']).default('time'))
    .option('--test-days <number>', 'with --split time: days to measure on, and as many behind them that are left alone', '14')
    .option('--gap-days <number>', 'with --split time: days left out before them', '1')
    .option('--seed <number>', 'the seed of trials, samples and training', '1')
    .option('--header', 'line 1 of a CSV file is a header (default: looked at)')
    .option('--no-header', 'line 1 of a CSV file is data')
    .option('--user <column>', 'column of users: its name, or its position from 1 on')
    .option('--item <column>', 'column of items')
    .option('--time <column>', 'column of timestamps; "" for none')
    .addHelpText('after', helpText)
    .action((surface: string | undefined, options: Options) => tune(context, surface, options));
}

const helpText = `
A space holds lists of values, { "lambda": [0.01, 0.1] }, and ranges, { "lambda": { "min": 0.0001, "max": 10, "scale": "log" } }, for which --trials (in a
charter: search.trials) says how many points are drawn. With halving (search.halving) all begin on a share of the users, and the best go on to more of them; all are measured
on the same users. Same data, charter and seed: same trials and same choice, on any number of workers.

On a surface each trial that has finished is kept by Temporal, whatever dies. The same command again joins what runs, or says what it came to.

Examples
  understudy tune home --dry-run
  understudy tune home --candidate ials
  understudy tune --interactions purchases.csv --model ials --space '{"lambda":{"min":0.0001,"max":1,"scale":"log"},"factors":[32,64]}' --trials 27 --eta 3`;

async function tune(context: CommandContext, surface: string | undefined, options: Options): Promise<void> {
  const json = options.json === true;
  const work = surface === undefined ? onFile(context, options) : onSurface(context, surface, options);
  if (options.dryRun === true) {
    const plans = await work.plan();
    return emit({ json, document: { plans: plans.map(planDocument) }, text: plans.map(describePlan).join('\n\n') });
  }
  const tuned = await work.tune();
  emit({ json, document: { tuned: tuned.map(tunedDocument) }, text: [...tuned.map(describeTuned), ...work.next(tuned)].join('\n\n') });
}

type Work = { plan: () => Promise<Planned[]>; tune: () => Promise<Tuned[]>; next: (tuned: readonly Tuned[]) => string[] };

function onSurface(context: CommandContext, surface: string, options: Options): Work {
  const misplaced = (['interactions', 'model', 'space', 'params', 'trials', 'eta', 'minShare'] as const).filter((name) => options[name] !== undefined);
  if (misplaced.length > 0) throw new UnderstudyError('UND-INPUT', `${misplaced.join(', ')}: of a surface this stands in its charter`);
  const input = { stateDir: stateDirectory(context, options.state), surface, candidates: options.candidate ?? null, config: options.config };
  return { plan: () => planSurface(context, input), tune: () => tuneSurface(context, input), next: () => [] };
}

function onFile(context: CommandContext, options: Options): Work {
  const { interactions, model, space } = options;
  if (interactions === undefined || model === undefined || space === undefined)
    throw new UnderstudyError('UND-INPUT', 'Give a surface, or --interactions, --model and --space');
  if (options.candidate !== undefined || options.config !== undefined) throw new UnderstudyError('UND-INPUT', '--candidate, --config: only of a surface');
  const asked = { ...options, interactions, model, space } as FileOptions;
  const next = ([tuned]: readonly Tuned[]) => {
    const params = JSON.stringify(tuned === undefined ? {} : tunedDocument(tuned).params);
    const split = asked.split === 'time' ? `--test-days ${asked.testDays} --gap-days ${asked.gapDays}` : '--split leave-one-out --validation';
    return [`On what was not looked at:\n  understudy evaluate --interactions ${interactions} ${split} --model ${model} --params '${params}'`];
  };
  return { plan: async () => [planFile(asked)], tune: async () => [await tuneFile(context, asked)], next };
}
