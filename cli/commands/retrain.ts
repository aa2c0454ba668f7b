import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { RetrainResult } from '../../activities/api.ts';
import { openState, readCharter } from '../../activities/context.ts';
import { currentCharter, registerCharter } from '../../activities/registry/charters.ts';
import { taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { readLedger } from '../../stores/ledger.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machine, machines, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { describeSchedule, putSchedule, removeSchedule } from '../schedules.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { withTemporal } from '../temporal.ts';
import { followTrainings } from '../training-progress.ts';

type Retrain = {
  stateDir: string;
  surface: string;
  candidates: string[] | null;
  guest: { name: string; folder: string } | null;
  /** Runs that are there already are evaluated and handed over again. */
  resubmit?: boolean;
};

/** Requests the work and waits for it. The same work asked for twice is done once. */
export async function runRetrain(context: CommandContext, input: Retrain, note: (text: string) => void = () => undefined): Promise<RetrainResult[]> {
  const charter = await currentCharter(openState(input.stateDir), input.surface);
  return withTemporal(context, input.stateDir, async (client) => {
    const ids = (await client.workflow.execute(workflowNames.requestRetrain, {
      workflowId: `request-retrain/${input.surface}/${context.now()}`,
      taskQueue: taskQueues.control,
      args: [{ surface: input.surface, candidates: input.candidates, guest: input.guest, charter, resubmit: input.resubmit ?? false }],
    })) as string[];
    return followTrainings<RetrainResult>(client, ids, note);
  });
}

type Options = {
  candidate?: string[];
  guest?: string;
  name: string;
  config?: string;
  resubmit?: boolean;
  schedule?: string;
  unschedule?: boolean;
  state?: string;
  json?: boolean;
};

export function retrainCommand(context: CommandContext): Command {
  return new Command('retrain')
    .description("cut the newest window and train, evaluate and register the charter's candidates")
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--candidate <name...>', 'only these candidates', machines)
    .option('--guest <folder>', 'a model folder of your own (see examples/bring-your-own)', someText)
    .option('--name <name>', "the guest's name", machine, 'guest')
    .option('--config <file>', 'take over the charter of this understudy.config.ts first', someText)
    .option('--resubmit', 'evaluate and hand over again what is trained already: after a release that expired, was superseded or aborted')
    .option('--schedule <cron>', 'do it on this schedule instead of now (UTC), for example "0 4 * * *"')
    .option('--unschedule', 'end the schedule')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action((surface: string, options: Options) => retrain(context, surface, options));
}

async function retrain(context: CommandContext, surface: string, options: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const json = options.json === true;
  if (options.unschedule === true) {
    if (options.schedule !== undefined) throw new UnderstudyError('UND-INPUT', 'Either --schedule or --unschedule');
    await withTemporal(context, stateDir, (client) => removeSchedule(client, surface));
    emit({ json, document: { surface, schedule: null }, text: `${surface} has no schedule any more` });
    return;
  }
  if (options.config !== undefined) await takeOver(context, { stateDir, surface, file: options.config });
  const candidates = options.candidate ?? null;
  const guest = options.guest === undefined ? null : { name: options.name, folder: resolve(context.cwd, options.guest) };
  const { schedule: cron } = options;
  if (cron !== undefined) {
    await checkScheduled({ stateDir, surface, candidates, guest });
    const schedule = await withTemporal(context, stateDir, (client) => putSchedule(client, { surface, candidates, guest, cron }));
    emit({ json, document: { surface, schedule }, text: `${surface} retrains at ${describeSchedule(schedule)}` });
    return;
  }
  const step = progress(`retraining ${surface}`);
  const since = context.now();
  const results = await runRetrain(context, { stateDir, surface, candidates, guest, resubmit: options.resubmit === true }, step.note);
  step.done();
  const decided = await decidedBefore(stateDir, { surface, results, since });
  emit({
    json,
    document: { surface, runs: results },
    text: `${table(
      ['candidate', 'gates', 'artifact', 'why'],
      results.map((one) => [one.candidate, one.passed ? 'passed' : 'REFUSED', one.artifact.slice(7, 19), one.reasons.join('; ')]),
    )}${decided.map((line) => `\n${line}`).join('')}`,
  });
}

/** What was trained, judged and decided already goes nowhere by itself: a line for each says so. */
async function decidedBefore(
  stateDir: string,
  { surface, results, since }: { surface: string; results: readonly RetrainResult[]; since: number },
): Promise<string[]> {
  const ledger = await readLedger(openState(stateDir).generations, surface);
  return results.flatMap(({ runId, candidate }) => {
    const last = ledger.findLast((entry) => entry.by === runId);
    if (last === undefined || last.atMs >= since || last.detail.disagreement === undefined) return [];
    return [`${candidate} was trained and decided before (${last.action.slice('release-'.length)}: ${last.detail.why}). To hand it over again: --resubmit`];
  });
}

/** Makes the file's charter the surface's current one. */
async function takeOver(context: CommandContext, { stateDir, surface, file }: { stateDir: string; surface: string; file: string }): Promise<void> {
  const config = await loadSurfaceConfig(resolve(context.cwd, file));
  if (config.charter.surface !== surface)
    throw new UnderstudyError('UND-INPUT', `${config.path} is the charter of ${config.charter.surface}, not of ${surface}`);
  await registerCharter(openState(stateDir), config.input, context.now());
}

/** What would fail at night is said now. */
async function checkScheduled({ stateDir, surface, candidates, guest }: Retrain): Promise<void> {
  const state = openState(stateDir);
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const known = charter.candidates.map(({ name }) => name);
  const unknown = (candidates ?? []).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UnderstudyError('UND-INPUT', `The charter has no candidate ${unknown.join(', ')}; it has ${known.join(', ')}`);
  if (guest !== null)
    await access(guest.folder).catch((cause) => {
      throw new UnderstudyError('UND-FILE', `The guest folder ${guest.folder} cannot be read`, { cause });
    });
}
