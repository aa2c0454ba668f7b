import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { checkConsistency, type Consistency, readServed, sampleServed } from '../../activities/features/check-consistency.ts';
import { featureSetOf, materializeFeatures } from '../../activities/features/materialize-features.ts';
import { registrationsOf } from '../../activities/features/register-view.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import type { FeatureView } from '../../models/contracts/feature.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { featureViewDigest } from '../../models/features/view-digest.ts';
import { isExpired, type OnlineFeatureStore } from '../../stores/features/online-features.ts';
import { openFeatures } from '../../stores/features/open-features.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machine, someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { currentData } from './current-data.ts';
import { expressionText, windowText } from './describe-feature.ts';
import { readServedFile } from './served-file.ts';
import { surfaceViews } from './surface-views.ts';
import { joinCommand, leaksCommand } from './training-table.ts';

type Options = { config?: string; view?: string; store?: string; state?: string; json?: boolean };
type Opened = { state: State; stateDir: string; views: FeatureView[] };

/** The options that every part of `understudy features` has. */
function part(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--config <file>', "the surface's understudy.config.ts: its `features` are registered first", someText)
    .option('--view <name>', 'only this one', machine)
    .option('--store <url>', 'the online store: redis://… (default: in the state directory)', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout');
}

async function open(context: CommandContext, surface: string, options: Options): Promise<Opened> {
  const stateDir = stateDirectory(context, options.state);
  const state = openState(stateDir);
  await currentCharter(state, surface);
  return { state, stateDir, views: await surfaceViews({ state, surface, cwd: context.cwd, config: options.config, view: options.view }) };
}

async function withStore<T>({ stateDir, url }: { stateDir: string; url: string | undefined }, use: (store: OnlineFeatureStore) => Promise<T>): Promise<T> {
  const store = await openFeatures({ stateDir, url });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function listCommand(context: CommandContext): Command {
  return part('list', 'the feature views of a surface, and what of them is served').action(async (surface: string, options: Options) => {
    const { stateDir, views } = await open(context, surface, options);
    const rows = await withStore({ stateDir, url: options.store }, (store) =>
      Promise.all(
        views.map(async (view) => {
          const online = (await store.current(featureSetOf(surface, view))) ?? null;
          return { view: view.name, version: view.version, entity: view.entity, owner: view.owner, features: view.features.length, online };
        }),
      ),
    );
    const served = ({ online }: (typeof rows)[number]) =>
      online === null
        ? 'no'
        : `generation ${online.generation} as of ${new Date(online.asOfMs).toISOString()}${isExpired(online, context.now()) ? ', EXPIRED' : ''}`;
    emit({
      json: options.json === true,
      document: { surface, views: rows },
      text: table(
        ['view', 'version', 'of', 'features', 'owner', 'served'],
        rows.map((row) => [row.view, String(row.version), row.entity, String(row.features), row.owner, served(row)]),
      ),
    });
  });
}

function showCommand(context: CommandContext): Command {
  return part('show', 'the definition of each view, and its versions').action(async (surface: string, options: Options) => {
    const { state, views } = await open(context, surface, options);
    const shown = await Promise.all(
      views.map(async (view) => ({ ...view, digest: featureViewDigest(view), versions: await registrationsOf(state, { surface, view: view.name }) })),
    );
    const texts = shown.map((view) =>
      [
        `${view.name} version ${view.version}, of a ${view.entity}, owner ${view.owner}, served for ${windowText(view.ttlMs)}`,
        `from ${view.source.kinds.join(', ')}${view.source.where === undefined ? '' : ', where conditions hold'}; ${view.digest}`,
        table(
          ['feature', 'is', 'within', 'type'],
          view.features.map((feature) => [feature.name, expressionText(feature.expression), windowText(feature.windowMs), feature.type]),
        ),
      ].join('\n'),
    );
    emit({ json: options.json === true, document: { surface, views: shown }, text: texts.join('\n\n') });
  });
}

/** The moment that `--as-of` says. @throws UND-INPUT */
function momentOf(given: string | undefined, nowMs: number): number {
  if (given === undefined) return nowMs;
  const atMs = Date.parse(given);
  if (Number.isNaN(atMs)) throw new UnderstudyError('UND-INPUT', `--as-of needs a moment such as 2026-03-01T00:00:00Z, not ${given}`);
  return atMs;
}

function materializeCommand(context: CommandContext): Command {
  return part('materialize', 'compute the views from the data and publish them in the online store')
    .option('--as-of <moment>', 'what was known before it (ISO 8601; default: now)', someText)
    .action(async (surface: string, options: Options & { asOf?: string }) => {
      const asOfMs = momentOf(options.asOf, context.now());
      const { state, stateDir, views } = await open(context, surface, options);
      const data = await currentData(state, surface);
      const made = await withStore({ stateDir, url: options.store }, async (store) => {
        const all = [];
        for (const view of views) {
          const step = progress(`computing ${view.name}`);
          const onBatch = ({ done, total }: { done: number; total: number }) => step.note(`${done} of ${total}`);
          all.push({
            view: view.name,
            version: view.version,
            ...(await materializeFeatures({ state, data, view, asOfMs, store, workDir: tmpdir(), onBatch })),
          });
          step.done();
        }
        return all;
      });
      emit({
        json: options.json === true,
        document: { surface, asOfMs, data: data.generation, views: made },
        text: table(
          ['view', 'version', 'generation', 'entities'],
          made.map((one) => [one.view, String(one.version), String(one.generation), one.alreadyThere ? 'published before' : String(one.entities)]),
        ),
      });
    });
}

type CheckOptions = Options & { log?: string; sample: number; seed: number };

function checkCommand(context: CommandContext): Command {
  return part('check', 'compare what is served with what the data say')
    .option('--log <file>', 'served rows that were logged, JSON lines of {entity, generation, atMs, values} (needs --view)', someText)
    .option('--sample <n>', 'so many rows of each view', wholeNumber, 1_000)
    .option('--seed <n>', 'which ones', wholeNumber, 1)
    .addHelpText('after', '\nExit code 0 when all are equal, 6 otherwise.')
    .action(async (surface: string, options: CheckOptions) => {
      if (options.log !== undefined && options.view === undefined) throw new UnderstudyError('UND-INPUT', '--log is about one view: --view NAME');
      const { state, stateDir, views } = await open(context, surface, options);
      const data = await currentData(state, surface);
      const input = { state, data, workDir: tmpdir() };
      const results: ({ view: string } & Consistency)[] = [];
      const draw = { size: options.sample, seed: options.seed };
      for (const view of views) {
        const served =
          options.log === undefined
            ? await withStore({ stateDir, url: options.store }, (store) => readServed({ ...input, ...draw, view, store, nowMs: context.now() }))
            : sampleServed(await readServedFile(resolve(context.cwd, options.log)), draw);
        results.push({ view: view.name, ...(await checkConsistency({ ...input, view, served })) });
      }
      const equal = results.every((result) => result.checked === result.equal);
      emit({ json: options.json === true, document: { surface, equal, views: results }, text: describeChecks(results) });
      if (!equal) process.exitCode = 6;
    });
}

function describeChecks(results: readonly ({ view: string } & Consistency)[]): string {
  const causes = (result: Consistency) => Object.entries(result.byCause).filter(([, rows]) => rows > 0);
  const totals = table(
    ['view', 'checked', 'equal', 'differ by'],
    results.map((result) => [
      result.view,
      String(result.checked),
      String(result.equal),
      causes(result)
        .map(([cause, rows]) => `${cause} ${rows}`)
        .join(', '),
    ]),
  );
  const differences = results.flatMap(({ view, first }) =>
    first.map((one) => [view, one.entity, one.feature ?? 'all', one.cause, String(one.served), String(one.offline)]),
  );
  return differences.length === 0 ? totals : `${totals}\n\n${table(['view', 'entity', 'feature', 'cause', 'served', 'the data say'], differences)}`;
}

export function featuresCommand(context: CommandContext): Command {
  return new Command('features')
    .description('feature views: the same values for training and serving')
    .addCommand(listCommand(context))
    .addCommand(showCommand(context))
    .addCommand(materializeCommand(context))
    .addCommand(checkCommand(context))
    .addCommand(joinCommand(context))
    .addCommand(leaksCommand(context));
}
