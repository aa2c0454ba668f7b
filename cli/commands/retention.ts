import { Command } from 'commander';
import type { RetentionResult } from '../../activities/api.ts';
import { openState, readCharter } from '../../activities/context.ts';
import { cutoffsOf } from '../../activities/privacy/cutoffs.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { retentionWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { describeSchedule, putRetentionSchedule, removeSchedule } from '../schedules.ts';
import { withTemporal } from '../temporal.ts';

type Options = { dryRun?: boolean; schedule?: string; unschedule?: boolean; state?: string; json?: boolean };

/** `understudy retention`: what is older than the charter keeps goes, now or each day. */
export function retentionCommand(context: CommandContext): Command {
  return new Command('retention')
    .description("erase what is older than the charter's `retention` keeps, by kind of event: now, or on a schedule")
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--dry-run', 'say from when on each kind is kept, and change nothing')
    .option('--schedule <cron>', 'do it on this schedule instead of now (UTC), for example "0 3 * * *"', someText)
    .option('--unschedule', 'end the schedule')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nWindows that held what is erased cannot be read any more: a rerun of what was trained on them says UND-ERASED.')
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(context: CommandContext, surface: string, { json = false, ...options }: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const state = openState(stateDir, context.env.kafka);
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  if (options.unschedule === true) {
    await withTemporal(context, stateDir, (client) => removeSchedule(client, surface, `retention/${surface}`));
    return emit({ json, document: { surface, schedule: null }, text: `${surface} has no schedule of retention any more` });
  }
  const { retention, timeZone } = charter;
  if (retention === undefined) throw new UnderstudyError('UND-CHARTER', `The charter of ${surface} has no \`retention\`: everything is kept`);
  if (options.dryRun === true) {
    const { events, ...others } = cutoffsOf({ retention, timeZone, nowMs: context.now() });
    const kept = Object.entries({ ...events, ...others }).map(([what, fromMs]) => ({ what, from: new Date(fromMs).toISOString() }));
    const text = table(
      ['what', 'kept from'],
      kept.map(({ what, from }) => [what, from]),
    );
    return emit({ json, document: { surface, kept }, text: `${text}\nNothing was changed.` });
  }
  if (options.schedule !== undefined) {
    const cron = options.schedule;
    if (state.logKind === 'kafka') throw new UnderstudyError('UND-LOG-KEPT', `The log of ${surface} is in a Kafka: sooner or later each day would be refused`);
    const schedule = await withTemporal(context, stateDir, (client) => putRetentionSchedule(client, { surface, cron }));
    return emit({ json, document: { surface, schedule }, text: `${surface} erases what is too old at ${describeSchedule(schedule)}` });
  }
  const step = progress(`erasing what ${surface} keeps for too long`);
  const result = (await withTemporal(context, stateDir, (client) =>
    client.workflow.execute(workflowNames.retention, {
      workflowId: retentionWorkflowId(surface),
      taskQueue: taskQueues.control,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [{ surface }],
    }),
  )) as RetentionResult;
  step.done();
  const removed = Object.entries(result.removed).map(([what, count]) => `${count} ${what}`);
  const text =
    removed.length === 0
      ? `${surface} keeps nothing for too long`
      : `${removed.join(', ')}: ${result.days} days have another version, or none, and ${result.blobs} blobs are gone`;
  emit({ json, document: result, text });
}
