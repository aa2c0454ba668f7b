import { resolve } from 'node:path';
import { Command } from 'commander';
import { measureDisparateImpact } from '../../activities/audit/measure-disparate-impact.ts';
import { recentDays, recentLog } from '../../activities/audit/measure-log.ts';
import { openState, readCharter } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { percent } from '../../experiments/percent.ts';
import { groupName, impactPlot } from '../../experiments/pictures/impact-plot.ts';
import type { ImpactReport } from '../../models/contracts/audit-measures.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machines, someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';
import { describeSample, refuseEmpty, renderPage } from './page.ts';

type Options = { days: number; by?: string[]; html?: string; state?: string; json?: boolean };

const helpText = `
Measures, of what the slates of the last days brought each unit (a user, or a session without one)
  reward         of a slate, by the charter
  ndcg           how high what the unit then had stood in its slates
  diversity      how different the items of a slate are
  longTailShare  share of items shown that are not in the head of what the model learned from
Groups: country, device and segment of the request, events and category of the history, and each two of them together; those with fewer units than the
charter's evaluation.minSegmentUsers are left out. A group is to have four fifths of what the best one has: it holds, or it is broken, where the interval says so, and all
intervals together are right in 95 of 100 looks. Exit code 1 where a group is broken.`;

/** `understudy fairness`: disparate impact. Reads the logs, needs no server. */
export function fairnessCommand(context: CommandContext): Command {
  return new Command('fairness')
    .description('what groups of users get from a surface: reward, quality, diversity and long tail, by the four-fifths rule')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--days <n>', 'that are looked at', wholeNumber, recentDays)
    .option('--by <column>', 'groups by this alone, such as country; several times for several (default: by all that is known)', machines)
    .option('--html <file>', 'write a page with pictures', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(context: CommandContext, surface: string, { days, by, html, json = false, state: folder }: Options): Promise<void> {
  const state = openState(stateDirectory(context, folder), context.env.kafka);
  try {
    const charter = await readCharter(state.blobs, await currentCharter(state, surface));
    const step = progress(`reading the logs of ${surface}`, { announce: false });
    const input = recentLog({ surface, charter, days, nowMs: context.now(), signal: new AbortController().signal });
    const report = await measureDisparateImpact({ state }, { ...input, by });
    step.done(describeSample(report.sample));
    refuseEmpty(report);
    if (html !== undefined) await writePicture(resolve(context.cwd, html), renderFairness(report));
    emit({ json, document: report, text: describe(report) });
    if (report.impact.verdict === 'broken') process.exitCode = 1;
  } finally {
    await state.close();
  }
}

const head = ['group', 'measure', 'units', 'mean', 'of the best', 'four fifths'];

function rowsOf({ impact }: ImpactReport): string[][] {
  const range = (low: number, high: number) => `${low.toPrecision(3)} to ${high.toPrecision(3)}`;
  return impact.groups.flatMap((group) =>
    group.measures.map(({ name, units, mean, ratio, verdict }) => [
      groupName(group),
      name,
      String(units),
      `${mean.value.toPrecision(3)} (${range(mean.low, mean.high)})`,
      ratio === null ? 'nothing to compare' : `${percent(ratio.value, 0)} (${percent(ratio.low, 0)} to ${percent(ratio.high, 0)})`,
      ratio === null ? '' : verdict.replaceAll('-', ' '),
    ]),
  );
}

function sentences({ impact, notes, sample }: ImpactReport): string[] {
  const { leftOut, intervals, error, minUnits, verdict } = impact;
  const small = leftOut.map(({ columns, groups, units }) => `${groups} of ${columns.join(' and ')} (${units} units)`);
  const head =
    verdict === 'broken'
      ? 'Some group gets less than four fifths of what the best one gets'
      : verdict === 'holds'
        ? 'All groups get four fifths or more of what the best one gets'
        : 'There is not enough evidence on some groups';
  if (intervals === 0) return [`No group has ${minUnits} units or more.`, `${describeSample(sample)}.`, ...notes];
  return [
    `${head}; ${intervals} intervals that hold together in ${percent(1 - error, 0)} of looks.`,
    `${describeSample(sample)}.`,
    ...(small.length === 0 ? [] : [`Left out, with fewer than ${minUnits} units: ${small.join(', ')}.`]),
    ...notes,
  ];
}

function describe(report: ImpactReport): string {
  const rows = rowsOf(report);
  return `${sentences(report).join('\n')}${rows.length === 0 ? '' : `\n\n${table(head, rows)}`}`;
}

/** The report as a page; a picture each measure. */
export function renderFairness(report: ImpactReport): string {
  const names = [...new Set(report.impact.groups.flatMap(({ measures }) => measures.map(({ name }) => name)))];
  const figures = names.flatMap((measure) => {
    const svg = impactPlot(report.impact, { measure, title: `${measure}, of what the best group has` });
    return svg === undefined
      ? []
      : [{ svg, caption: 'Grey: four fifths and more. Bars: intervals that hold together. Of two columns together those that have least.' }];
  });
  return renderPage({ title: `What groups get from ${report.surface}`, says: sentences(report), figures, head, rows: rowsOf(report) });
}
