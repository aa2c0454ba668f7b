import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openState, readCharter, readLatest } from '../../activities/context.ts';
import { chooseModels } from '../../activities/drift/choose-models.ts';
import { newestPeriods } from '../../activities/drift/choose-periods.ts';
import { recordDrift } from '../../activities/drift/measure-drift.ts';
import type { Periods } from '../../activities/drift/read-periods.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { dataState } from '../../models/contracts/window.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { calendarDay, someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';
import { describeDrift } from './describe-drift.ts';
import { renderDrift } from './render-drift.ts';

type Side = { run?: string; days?: Periods['from'] };
type Options = { from?: Side; to?: Side; weeks: number; retrain?: number; seed?: number; html?: string; state?: string; json?: boolean };

const helpText = `
Without --from and --to: the champion against the one before it, and the newest days against as many before. Both may be given twice, for a run and for days.

A model is held against what retraining alone moves: \`--retrain 3\` trains the older one's recipe on its window three times more, with other seeds, and keeps what
comes of it, so that it is not made again. A new window moves a model more than another seed does; whether that cost anything stands beside the items and segments.

Examples
  understudy drift home --retrain 3
  understudy drift home --from 2026-01-01..2026-01-14 --to 2026-01-15..2026-01-28 --json
  understudy drift home --from retrain/home/0123456789ab/0123456789ab --html drift.html`;

/** `understudy drift`: what moved between two models and two stretches of days. Needs no server. */
export function driftCommand(context: CommandContext): Command {
  return new Command('drift')
    .description('what moved between two models, beyond what retraining moves, and between two stretches of days; which items and segments, and what it cost')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--from <run or days>', 'the older: a run of `understudy runs`, or DAY..DAY', side)
    .option('--to <run or days>', 'the newer', side)
    .option('--weeks <n>', 'of the newest days, and as many before', wholeNumber, 2)
    .option('--retrain <n>', 'retrainings of the older model to have, 2 at least (default: those that are kept)', wholeNumber)
    .option('--seed <n>', 'of what is drawn', wholeNumber)
    .option('--html <file>', 'write a page with a picture', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(
  context: CommandContext,
  surface: string,
  { from = {}, to = {}, weeks, retrain = 0, html, json = false, ...options }: Options,
): Promise<void> {
  const state = openState(stateDirectory(context, options.state));
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no events yet: run \`understudy ingest\` first`);
  if (retrain === 1) throw new UnderstudyError('UND-INPUT', 'One retraining says nothing of how much retrainings differ: --retrain 2 at least');
  if ((from.days === undefined) !== (to.days === undefined))
    throw new UnderstudyError('UND-INPUT', 'Days are compared with days: give them to --from and to --to');
  const periods = from.days !== undefined && to.days !== undefined ? { from: from.days, to: to.days } : newestPeriods(data, weeks);
  const models = await chooseModels(state, { surface, from: from.run, to: to.run });
  if (models === null && periods === null)
    throw new UnderstudyError('UND-NO-DATA', `${surface} has neither two models nor ${14 * weeks} days of data: name two runs, or fewer --weeks`);
  const step = progress(`drift of ${surface}`);
  const seed = options.seed ?? charter.seed;
  const report = await recordDrift(state, { surface, charter, data, models, periods, retrain, seed, now: context.now, onStep: step.note });
  step.done(`${report.answers.length} questions`);
  if (html !== undefined) await writePicture(resolve(context.cwd, html), renderDrift(report));
  emit({ json, document: report, text: describeDrift(report) });
}

function side(text: string, before: Side = {}): Side {
  if (text.startsWith('retrain/')) return { ...before, run: text };
  const [first, last, more] = text.split('..');
  if (first === undefined || last === undefined || more !== undefined)
    throw new InvalidArgumentError('It must be a run, retrain/…, or two days, YYYY-MM-DD..YYYY-MM-DD.');
  return { ...before, days: { from: calendarDay(first), to: calendarDay(last) } };
}
