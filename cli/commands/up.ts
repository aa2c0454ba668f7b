import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { dataState } from '../../models/contracts/window.ts';
import { readLatest } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { playAfterwards } from '../demo/afterwards.ts';
import { checkStory, storyDocument, storyText, type Told } from '../demo/story-ending.ts';
import { type Ask, playStory } from '../demo/story.ts';
import { openAsker } from '../ask.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { calendarDay, portNumber, someText } from '../option-values.ts';
import { emit, progress, say } from '../output.ts';
import { openShop } from '../shoppers/shop.ts';
import { loadSurfaceConfig, type SurfaceConfig } from '../surface-config.ts';
import { type SystemFile, writeSystemFile } from '../system-file.ts';
import { startSystem } from '../system/start-system.ts';
import { withTemporal } from '../temporal.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { describeFates, runIngest } from './ingest.ts';
import { runRetrain } from './retrain.ts';

const example = fileURLToPath(new URL('../../examples/online-retail/understudy.config.ts', import.meta.url));

type UpOptions = { state?: string; once?: boolean; yes?: boolean; endsAt?: string; config?: string; story: boolean; json?: boolean; port?: number };
type Running = { config: SurfaceConfig; stateDir: string; addresses: SystemFile; signal: AbortSignal };
/** What a start does, one after the other: each takes servers, and a test puts its own in the place. */
export type Steps = {
  start: typeof startSystem;
  playExample: (context: CommandContext, options: UpOptions, running: Running) => Promise<Told>;
  firstRun: typeof firstRun;
};

export function upCommand(context: CommandContext, steps: Steps = { start: startSystem, playExample: loop, firstRun }): Command {
  return new Command('up')
    .description('start the system and, on the example, run the whole loop: data, training, evidence, approval, canary, promotion')
    .option('--config <file>', 'a surface of your own instead of the example: its data are read and its bootstrap candidate goes live', someText)
    .option('--state <dir>', 'state directory (default .understudy)', someText)
    .option('--once', 'stop when the loop is done: exit 0, or a coded error')
    .option('--yes', 'approve as `demo` instead of asking')
    .option('--no-story', 'start the system and nothing else')
    .option('--ends-at <day>', "the day that the example's data end on, about (YYYY-MM-DD; default yesterday)", calendarDay)
    .option('--port <port>', 'port of the serving tier (default 4600; moves when taken)', portNumber)
    .option('--json', 'one JSON document on stdout when the loop is done')
    .action((options: UpOptions) => up(context, options, steps));
}

async function up(context: CommandContext, options: UpOptions, steps: Steps): Promise<void> {
  const startedMs = context.now();
  const stateDir = stateDirectory(context, options.state);
  // Its mistakes come before a start that takes seconds.
  const config = await loadSurfaceConfig(options.config === undefined ? example : resolve(context.cwd, options.config));
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) return;
    say('\nStopping; what is under way goes on at the next start.');
    stopping.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const starting = progress('starting Temporal, MLflow, two workers and the serving tier');
  let started = false;
  const system = await steps.start({
    stateDir,
    temporalCli: context.env.UNDERSTUDY_TEMPORAL_CLI,
    temporalAddress: context.env.TEMPORAL_ADDRESS,
    temporalNamespace: context.env.TEMPORAL_NAMESPACE,
    mlflowPython: context.env.UNDERSTUDY_MLFLOW_PYTHON,
    mlflowUri: context.env.MLFLOW_TRACKING_URI,
    gpu: context.env.UNDERSTUDY_GPU,
    ports: options.port === undefined ? {} : { serving: options.port },
    say: (line) => (started ? say(line) : starting.note(line)),
  });
  const { temporalAddress, temporalUiUrl, mlflowUrl, servingUrl } = system;
  const addresses: SystemFile = { temporalAddress, temporalUiUrl, mlflowUrl, servingUrl, pid: process.pid };
  const seconds = () => (context.now() - startedMs) / 1000;
  let answered = false;
  try {
    starting.done();
    started = true;
    await writeSystemFile(stateDir, addresses);
    if (stopping.signal.aborted) return;
    // Whatever it waits for, a stop does not wait for it.
    const outcome = await Promise.race([
      run(context, options, { steps, running: { config, stateDir, addresses, signal: stopping.signal } }),
      stopped(stopping.signal),
    ]);
    if (outcome === undefined) return;
    emit({ json: options.json === true, document: { seconds: seconds(), ...addresses, ...outcome.document }, text: outcome.text(seconds()) });
    answered = true;
    outcome.check();
    if (options.once === true || stopping.signal.aborted) return;
    say(whatNext(addresses, { surface: config.charter.surface, stateDir, standard: resolve(context.cwd, '.understudy') }));
    await stopped(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    await system.stop();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    // The loop that was asked for is not done.
    if (options.once === true && stopping.signal.aborted) process.exitCode = 130;
    if (stopping.signal.aborted && !answered && options.json === true)
      emit({ json: true, document: { seconds: seconds(), ...addresses, stopped: true }, text: '' });
  }
}

type Outcome = { document: object; text: (seconds: number) => string; check: () => void };

/** What was asked for once the system is up: nothing more, a first run of one's own surface, or the example's story. */
async function run(context: CommandContext, options: UpOptions, { steps, running }: { steps: Steps; running: Running }): Promise<Outcome> {
  const { surface } = running.config.charter;
  if (!options.story) return { document: {}, text: () => 'The system is up.', check: () => undefined };
  if (options.config !== undefined) {
    const live = await steps.firstRun(context, running.config, running.stateDir);
    return {
      document: { surface, champion: live.champion, generation: live.generation },
      text: () => `${surface} is live: generation ${live.generation}, artifact ${live.champion.slice(7, 19)}`,
      check: () => undefined,
    };
  }
  const told = await steps.playExample(context, options, running);
  return {
    document: { surface, ...storyDocument(told) },
    text: (seconds) => `\n${storyText(told)}\n\nThe loop took ${seconds.toFixed(0)} s.`,
    check: () => checkStory(told),
  };
}

function stopped(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** A surface of the user's own: its data, then the candidate that may go live without any to compare with. */
async function firstRun(context: CommandContext, config: SurfaceConfig, stateDir: string): Promise<{ champion: string; generation: number }> {
  const state = openState(stateDir);
  const { surface } = config.charter;
  if (config.source !== undefined && (await readLatest(state.generations, `data/${surface}`, dataState)) === undefined) {
    const step = progress(`reading ${config.source.file}`);
    const { counts, days } = await runIngest(context, { stateDir, config, file: undefined, endsAt: undefined });
    step.done(`${counts.input} rows: ${describeFates(counts)}; ${days} days`);
  } else await registerCharter(state, config.input, context.now());
  const before = await latestDeployment(state.generations, surface);
  if (before !== undefined) return before;
  const step = progress(`training ${config.charter.bootstrap}`);
  await runRetrain(context, { stateDir, surface, candidates: null, guest: null });
  for (const deadlineMs = context.now() + 60_000; ; await delay(100)) {
    const live = await latestDeployment(state.generations, surface);
    if (live !== undefined) {
      step.done('it is live');
      return live;
    }
    if (context.now() > deadlineMs) throw new UnderstudyError('UND-TIMEOUT', `${config.charter.bootstrap} is trained, but not live after a minute`);
  }
}

async function loop(context: CommandContext, options: UpOptions, running: Running): Promise<Told> {
  const { config, stateDir, addresses, signal } = running;
  const { surface } = config.charter;
  const state = openState(stateDir, context.env.kafka);
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  // The data of an earlier start stay: another end day would be another window, and the story would begin again.
  if (data === undefined || options.endsAt !== undefined) {
    const step = progress("reading the shop's events");
    const ingested = await runIngest(context, { stateDir, config, file: undefined, endsAt: options.endsAt ?? yesterday(context.now()) });
    step.done(`${ingested.counts.input} rows: ${describeFates(ingested.counts)}; ${ingested.days} days`);
  } else {
    await registerCharter(state, config.input, context.now());
  }
  const shop = openShop({ state, surface, servingUrl: addresses.servingUrl, charter: config.charter });
  try {
    return await withTemporal(context, stateDir, async (client) => {
      const input = { context, stateDir, surface, client, shop, ask: askOnTerminal(options), say, signal };
      const acts = await playStory(input);
      const isTold = acts.every(({ act, outcome }) => outcome === act.expected);
      return { acts, afterwards: isTold ? await playAfterwards({ ...input, charter: config.charter, servingUrl: addresses.servingUrl }) : [] };
    });
  } finally {
    shop.close();
  }
}

/** A person on a terminal decides; with `--yes`, `--once` under a script or no terminal, the demo does and says so. */
function askOnTerminal(options: UpOptions): Ask {
  if (options.yes === true || !process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return async (question, shown) => {
    say(`\n   ${shown}`);
    const asker = openAsker();
    try {
      for (;;) {
        const answer = (await asker.ask(`   ${question} [yes/no] `)).trim().toLowerCase();
        if (['y', 'yes'].includes(answer)) return 'approve';
        if (['n', 'no'].includes(answer)) return 'reject';
      }
    } finally {
      asker.close();
    }
  };
}

function yesterday(nowMs: number): string {
  return new Date(nowMs - 86_400_000).toISOString().slice(0, 10);
}

function whatNext(addresses: SystemFile, { surface, stateDir, standard }: { surface: string; stateDir: string; standard: string }): string {
  const state = stateDir === standard ? '' : ` --state ${stateDir}`;
  return `
serving    ${addresses.servingUrl}/docs
Temporal   ${addresses.temporalUiUrl ?? addresses.temporalAddress}
MLflow     ${addresses.mlflowUrl}

Try, in another terminal:
  npm run understudy -- ledger show ${surface}${state}
  npm run understudy -- runs ${surface}${state}
  npm run understudy -- retrain ${surface}${state}
  npm run understudy -- rollback ${surface} --by you --why "to see it happen"${state}
  curl -s ${addresses.servingUrl}/v1/recommend -H 'content-type: application/json' -d '{"surface":"${surface}","sessionId":"me"}'

Ctrl-C stops everything in order; the next start goes on from here.`;
}
