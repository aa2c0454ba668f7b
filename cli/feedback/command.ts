import { resolve } from 'node:path';
import { Command } from 'commander';
import { measureFeedback } from '../../activities/audit/measure-feedback.ts';
import { openState, readCharter } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { percent } from '../../experiments/percent.ts';
import { feedbackPlot, figureTitles } from '../../experiments/pictures/feedback-plot.ts';
import { type FeedbackReport, feedbackFigures } from '../../models/contracts/audit-measures.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { describeSample, refuseEmpty, renderPage } from '../fairness/page.ts';
import { someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';

type Options = { days: number; minSlates: number; html?: string; state?: string; json?: boolean };
const dayMs = 86_400_000;

const helpText = `
Figures of each generation of the model (an artifact), with their change over generations
  coverage, gini, entropy   how exposure is spread over the catalog, on as many slates of each generation
  long tail                 share of exposure outside the head of what the first model learned from
  homogenization            how alike the slates of different users are: shared items by all items
  correlation               of exposure and engagement, over items
  last slot                 how often the last place is looked at, of the first; from what exploration drew
  amplification             share of exposure of what is most shown, by its share of demand. Demand is what was engaged with where exploration drew it,
                            by its propensity; else events that no slate led to
The verdict is on amplification: amplifying, where it grew by more than a tenth; stable, where it did not; or not enough evidence. Exit code 1 where it is amplifying.`;

/** `understudy feedback`: feedback loops. Reads the logs, needs no server. */
export function feedbackCommand(context: CommandContext): Command {
  return new Command('feedback')
    .description('whether what a surface shows moves away from what is wanted, from one generation of the model to the next')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--days <n>', 'that are looked at', wholeNumber, 365)
    .option('--min-slates <n>', 'of generations with fewer nothing is said', wholeNumber, 200)
    .option('--html <file>', 'write a page with pictures', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(context: CommandContext, surface: string, { days, minSlates, html, json = false, state: folder }: Options): Promise<void> {
  const state = openState(stateDirectory(context, folder), context.env.kafka);
  try {
    const charter = await readCharter(state.blobs, await currentCharter(state, surface));
    const step = progress(`reading the logs of ${surface}`, { announce: false });
    const toMs = context.now();
    const input = { surface, charter, fromMs: Math.max(0, toMs - days * dayMs), toMs, minSlates, signal: new AbortController().signal };
    const report = await measureFeedback({ state }, input);
    step.done(describeSample(report.sample));
    refuseEmpty(report);
    if (html !== undefined) await writePicture(resolve(context.cwd, html), renderFeedbackPage(report));
    emit({ json, document: report, text: describe(report) });
    if (report.feedback.verdict === 'amplifying') process.exitCode = 1;
  } finally {
    await state.close();
  }
}

const shortName = (name: string): string => (name.startsWith('sha256:') ? name.slice(7, 19) : name);
const figure = (one: Interval | null | undefined): string => (one == null ? '' : `${one.value.toFixed(3)} ±${((one.high - one.low) / 2).toFixed(3)}`);

const head = ['model', 'since', 'slates', ...feedbackFigures.map((name) => figureTitles[name])];
function rowsOf({ feedback }: FeedbackReport): string[][] {
  const rows = feedback.generations.map(({ name, fromMs, slates, figures }) => [
    shortName(name),
    new Date(fromMs).toISOString().slice(0, 10),
    String(slates),
    ...feedbackFigures.map((one) => figure(figures[one])),
  ]);
  const changes = feedbackFigures.map((name) => {
    const trend = feedback.trends.find((one) => one.figure === name);
    if (trend === undefined) return '';
    const { low, high } = trend.change;
    return name === 'amplification' ? `${percent(Math.expm1(low), 0)} to ${percent(Math.expm1(high), 0)}` : `${low.toFixed(3)} to ${high.toFixed(3)}`;
  });
  return feedback.trends.length === 0 ? rows : [...rows, ['change', '', '', ...changes]];
}

function sentences({ feedback, notes, sample }: FeedbackReport): string[] {
  const { verdict, says, leftOut, falseAlarms, slatesAlike } = feedback;
  return [
    `${verdict.replaceAll('-', ' ')}: ${says}.`,
    `Where amplification does not grow, ${percent(falseAlarms, 0)} of looks at most say that it does. Spread over the catalog is of ${slatesAlike} slates of each generation.`,
    `${describeSample(sample)}.`,
    ...(leftOut === 0 ? [] : [`${leftOut} generations with too few slates are left out.`]),
    ...notes,
  ];
}

function describe(report: FeedbackReport): string {
  const { generations, groups, groupDemand } = report.feedback;
  const parts = [sentences(report).join('\n')];
  if (generations.length > 0) parts.push(table(head, rowsOf(report)));
  const deciles = generations.at(-1)?.deciles;
  if (deciles != null)
    parts.push(
      table(
        ['popularity', 'exposure', 'demand', 'amplification'],
        deciles.map(({ exposure, demand }, place) => [
          `tenth ${place + 1}`,
          percent(exposure),
          demand === null ? '' : percent(demand),
          demand === null || demand === 0 ? '' : (exposure / demand).toFixed(2),
        ]),
      ),
    );
  if (groups.length > 0)
    parts.push(
      table(
        ['item group', 'items', 'exposure', 'engagement', 'rate', 'rate when drawn'],
        groups.map(({ group, items, exposureShare, engagementShare, rate, rateWhenDrawn }) => [
          group,
          String(items),
          percent(exposureShare),
          percent(engagementShare),
          rate === null ? '' : rate.toPrecision(3),
          rateWhenDrawn === null ? '' : rateWhenDrawn.toPrecision(3),
        ]),
      ),
    );
  if (groupDemand.some(({ ratio }) => ratio !== null))
    parts.push(
      table(
        ['item group', 'items', 'exposure', 'demand', 'exposure by demand'],
        groupDemand.map(({ group, items, exposureShare, demandShare, ratio }) => [
          group,
          String(items),
          percent(exposureShare),
          demandShare === null ? '' : percent(demandShare),
          ratio === null ? 'too little is known' : `${percent(ratio.value, 0)} (${percent(ratio.low, 0)} to ${percent(ratio.high, 0)})`,
        ]),
      ),
    );
  return parts.join('\n\n');
}

/** The report as a page, with a picture of all figures over generations. */
export function renderFeedbackPage(report: FeedbackReport): string {
  const svg = feedbackPlot(report.feedback, { surface: report.surface });
  return renderPage({
    title: `Feedback on ${report.surface}`,
    says: sentences(report),
    figures: [{ svg, caption: 'Bands: 95 % of each generation by itself.' }],
    head,
    rows: rowsOf(report),
  });
}
