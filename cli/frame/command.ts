import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openState, readCharter, readLatest } from '../../activities/context.ts';
import { type FramingFacts, measureFraming } from '../../activities/framing/measure-framing.ts';
import { newestDays } from '../../activities/framing/open-framing.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { compareCharter } from '../../experiments/framing/compare-charter.ts';
import { framingPicture } from '../../experiments/framing/framing-picture.ts';
import { type MetricName, metricNames } from '../../experiments/framing/plan.ts';
import { recommend } from '../../experiments/framing/recommend.ts';
import type { Kpi } from '../../experiments/framing/recommend-objective.ts';
import { measuredDaysAtMost, sensitivity } from '../../experiments/framing/thresholds.ts';
import { unitsForSequential } from '../../experiments/framing/units-for-change.ts';
import { algorithms, checkCandidates } from '../../models/algorithms/registry.ts';
import { parseCharter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { dataState } from '../../models/contracts/window.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, say } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';
import { addDecayOptions, type DecayOptions, runDecay } from '../decay/command-part.ts';
import { loadSurfaceConfig, type SurfaceConfig } from '../surface-config.ts';
import { describeFraming, type Framed, type Goal, type MetricPlan, stepText } from './describe-framing.ts';
import { framedCharter } from './framed-charter.ts';
import { framedConfig } from './framed-config.ts';

type Options = DecayOptions & { decay?: boolean } & {
  kpi: Kpi[];
  config?: string;
  out?: string;
  force?: boolean;
  picture?: string;
  state?: string;
  json?: boolean;
};

const helpText = `
What is a goal: click (clicks an impression), dwell (ms a user), add-to-cart and purchase (share of users), revenue (minor units a user).

Example: the shop wants 3 % of its visitors to buy; what do the data say, and how well does the charter fit them?
  understudy frame home --kpi purchase=.03 --config understudy.config.ts --out framed.config.ts`;

/** `understudy frame`: what the data of a surface speak for, and a first charter with its reasons. */
export function frameCommand(context: CommandContext): Command {
  return addDecayOptions(new Command('frame'))
    .description(
      'what the data speak for: objective, reward, session or long-term, model families, window, or no recommender; writes a charter with its reasons',
    )
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--kpi <goal>', 'what the business is after, such as purchase=.03 or only purchase; several by giving it again, the first leads', kpi, [])
    .option('--config <file>', 'an understudy.config.ts: say which of its choices the data do not support', someText)
    .option('--out <file>', 'write a charter (TypeScript), each choice with its reasons', someText)
    .option('--force', 'write over a file that is there')
    .option('--picture <file>', 'write a picture (SVG) of the funnel, the time that answers take, and the days that metrics need', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action((surface: string, options: Options) => (options.decay === true ? runDecay(context, surface, options) : frame(context, surface, options)));
}

async function frame(context: CommandContext, surface: string, options: Options): Promise<void> {
  const state = openState(stateDirectory(context, options.state));
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const config = await configOf(context, surface, options);
  const out = options.out === undefined ? undefined : resolve(context.cwd, options.out);
  if (out !== undefined && out === config?.path)
    throw new UnderstudyError('UND-INPUT', `${out} is the configuration that is compared: name another file with --out, and take over what you want`);
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no events yet: run \`understudy ingest\` first`);
  const workDir = join(state.root, 'run', 'scratch');
  await mkdir(workDir, { recursive: true });
  const step = progress(`framing ${surface}`);
  const facts = await measureFraming({
    ...{ data: data.document, days: newestDays(data.document, measuredDaysAtMost), settings: charter, blobs: state.blobs, workDir, kpis: options.kpi },
    onCheck: (name) => step.note(name),
  });
  step.done();
  const recommended = recommend(facts, Object.keys(algorithms));
  const measuredAt = { generation: data.generation, from: facts.days.from, to: facts.days.to };
  const { charter: made, assumptions } = framedCharter({ charter: config?.charter ?? charter, recommended, measuredAt });
  const framed: Framed = {
    ...{ surface, generation: data.generation, facts, recommended, alpha: charter.release.canary.alpha },
    plans: plansOf(facts, charter.release.canary.alpha),
    goals: goalsOf(facts),
    compared: config === undefined ? null : compareCharter({ charter: config.charter, facts, recommended }),
  };
  if (options.picture !== undefined) await writePicture(resolve(context.cwd, options.picture), pictureOf(framed));
  if (out !== undefined) {
    parseCharter(made, checkCandidates(made));
    const measuredOn = `generation ${data.generation} of the data of ${surface}, ${facts.days.from} to ${facts.days.to}`;
    const source = config?.source === undefined ? undefined : { config: config.path, file: config.source.file };
    await writeOut({
      path: out,
      text: framedConfig({ folder: dirname(out), charter: made, recommended, measuredOn, source }),
      force: options.force === true,
    });
    say(`wrote ${out}`);
    if (source === undefined) say('  it names no source of events: those come in by the configuration that they came in by (--config takes its source over)');
  }
  emit({ json: options.json === true, document: { ...framed, assumptions, charter: made, written: out ?? null }, text: describeFraming(framed) });
}

/** @throws UND-INPUT when it is about another surface */
async function configOf(context: CommandContext, surface: string, { config: file }: Options): Promise<SurfaceConfig | undefined> {
  if (file === undefined) return undefined;
  const config = await loadSurfaceConfig(resolve(context.cwd, file));
  if (config.charter.surface !== surface) throw new UnderstudyError('UND-INPUT', `${config.path} is about ${config.charter.surface}, not about ${surface}`);
  return config;
}

/** @throws UND-INPUT when it is there and must not be written over, or cannot be written */
async function writeOut({ path, text, force }: { path: string; text: string; force: boolean }): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isThere ? 'is there already and is not written over: name another file, or say --force' : `cannot be written (${(cause as Error).message})`;
    throw new UnderstudyError('UND-INPUT', `${path} ${why}`, { cause });
  }
}

/** Users and days for each metric; by the canary's own test where the metric is a share of users. */
function plansOf({ metrics, traffic }: FramingFacts, alpha: number): MetricPlan[] {
  const perDay = traffic.value;
  return metrics.map(({ metric, mean, days }) => {
    const isShareOfUsers = metric === 'purchase' || metric === 'add-to-cart';
    const canaryUsers = isShareOfUsers && mean.value !== null ? unitsForSequential({ rate: mean.value, ...sensitivity, alpha }) : null;
    return {
      metric,
      users: days.value === null || perDay === null ? null : Math.round(days.value * perDay),
      days: days.value,
      canaryUsers,
      canaryDays: canaryUsers === null || perDay === null ? null : canaryUsers / perDay,
    };
  });
}

function goalsOf({ kpis, metrics }: FramingFacts): Goal[] {
  return kpis.map(({ metric, target }) => {
    const measured = metrics.find((one) => one.metric === metric)?.mean.value ?? null;
    return { metric, target, measured, gap: target === null || measured === null || measured === 0 ? null : (target - measured) / measured };
  });
}

function pictureOf({ surface, facts, recommended }: Framed): string {
  const { recommender, objective } = recommended;
  const rateOf = (step: string) => {
    const found = facts.conversions.find(({ params }) => params.to === step);
    return found === undefined || found.value === null ? null : { value: found.value, of: stepText(String(found.params.from)) };
  };
  return framingPicture({
    title: `${surface}: ${facts.days.from} to ${facts.days.to}`,
    steps: facts.steps.filter(({ events }) => events > 0).map(({ step, pairs }) => ({ step: stepText(step), pairs, rate: rateOf(step) })),
    delays: facts.delayQuantiles,
    attributionMs: facts.attributionMs,
    metrics: facts.metrics.map(({ metric, days }) => ({ metric, days: days.value })),
    conclusion: recommender.choice ? `${objective.choice.objective}; ${recommender.says}` : recommender.says,
  });
}

function kpi(text: string, before: Kpi[] = []): Kpi[] {
  const [name = '', value, ...more] = text.split('=');
  const metric = metricNames.find((known): known is MetricName => known === name);
  const target = value === undefined ? null : Number(value);
  if (metric === undefined || more.length > 0 || value?.trim() === '' || (target !== null && !(target > 0 && Number.isFinite(target))))
    throw new InvalidArgumentError(`It must be one of ${metricNames.join(', ')}, with or without a target, such as purchase=.03.`);
  return [...before, { metric, target }];
}
