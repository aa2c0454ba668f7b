import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { lookAtSurface, type Looked, newestLook } from '../../activities/watch/watch-surface.ts';
import { signalText, signalTitle } from '../../experiments/watch/describe-alert.ts';
import { picture } from '../../experiments/watch/judge-hours.ts';
import { hourMs } from '../../experiments/watch/signal-history.ts';
import type { WatchLook } from '../../models/contracts/alert.ts';
import { taskQueues, watchWorkflowId, workflowNames } from '../../models/contracts/messages.ts';
import type { SignalName } from '../../models/contracts/signal.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { describeSchedule, putWatchSchedule, removeSchedule } from '../schedules.ts';
import { withTemporal } from '../temporal.ts';

type Options = { record?: boolean; schedule?: string | true; unschedule?: boolean; state?: string; json?: boolean };

/** Behind the hour, when what comes of its slates has come. */
const eachHour = '7 * * * *';

/** `understudy watch`: how a surface's signals stand against what is expected of them; now, or each hour. */
export function watchCommand(context: CommandContext): Command {
  return new Command('watch')
    .description('measure the signals of a surface and judge them by the weeks before: now, without writing anything, or on a schedule that opens alerts')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--record', 'have the look recorded, alerts opened and people told, as the schedule does')
    .option('--schedule [cron]', `do that on a schedule (UTC); "${eachHour}" where none is said`)
    .option('--unschedule', 'end the schedule')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(context: CommandContext, surface: string, { json = false, ...options }: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  if (options.unschedule === true) {
    await withTemporal(context, stateDir, (client) => removeSchedule(client, surface, `watch/${surface}`));
    return emit({ json, document: { surface, schedule: null }, text: `${surface} is not watched any more` });
  }
  if (options.schedule !== undefined) {
    const cron = options.schedule === true ? eachHour : options.schedule;
    const schedule = await withTemporal(context, stateDir, (client) => putWatchSchedule(client, { surface, cron }));
    return emit({ json, document: { surface, schedule }, text: `${surface} is watched at ${describeSchedule(schedule)}` });
  }
  if (options.record === true) {
    const step = progress(`watching ${surface}`);
    const look = (await withTemporal(context, stateDir, (client) =>
      client.workflow.execute(workflowNames.watch, {
        workflowId: watchWorkflowId(surface),
        taskQueue: taskQueues.control,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [{ surface }],
      }),
    )) as WatchLook;
    step.done();
    const text = `measured to ${iso(look.measuredToMs)}; opened: ${look.opened.map(({ alert }) => alert).join(', ') || 'none'}; closed: ${look.closed.join(', ') || 'none'}`;
    return emit({ json, document: look, text });
  }
  const state = openState(stateDir, context.env.kafka);
  try {
    const ahead = await lookAtSurface(state, { surface, look: 'dry-run', atMs: context.now() });
    // Where every hour that is over is recorded, the record says how things stand.
    const looked = ahead ?? (await newestLook(state, surface));
    if (looked === undefined) return emit({ json, document: { surface, standings: [] }, text: 'No hour of it is over yet' });
    const found = standings(looked);
    const would = ahead === undefined ? null : { open: ahead.state.opened, close: ahead.state.closed };
    emit({ json, document: { surface, measuredToMs: looked.state.measuredToMs, standings: found, would }, text: describe(looked, found, ahead !== undefined) });
  } finally {
    await state.close();
  }
}

const iso = (atMs: number) => new Date(atMs).toISOString();

type Standing = { signal: SignalName; part: string; value: number | null; expected: number | null; low: number | null; high: number | null; why: string };

/** Each signal in the newest hour. */
function standings({ state, fits, histories, clock, weeks }: Looked): Standing[] {
  const last = state.measuredToMs / hourMs - 1;
  return [...histories.values()].map(({ signal, part, history }) => {
    const fit = fits?.fits.find((one) => one.signal === signal && one.part === part);
    const none = { counting: 1, beyond: 0 };
    const [point] = picture(history, fit ?? none, { last, hours: 1, clock, weeks });
    const { value = null, expected = null, low = null, high = null } = point ?? {};
    const unjudged = fits?.unjudged.find((one) => one.signal === signal && one.part === part)?.why ?? (fits === null ? 'no hour was judged' : undefined);
    const open = state.detectors.find(({ key, open: alert }) => alert !== null && key.startsWith(`${signal}/${part}/`));
    const why = unjudged ?? (open === undefined ? 'as expected' : `ALERT ${open.open?.alert}`);
    return fit === undefined ? { signal, part, value, expected: null, low: null, high: null, why } : { signal, part, value, expected, low, high, why };
  });
}

function describe({ state }: Looked, found: readonly Standing[], isAhead: boolean): string {
  const shown = (signal: SignalName, value: number | null) => (value === null ? '-' : signalText(signal, value));
  const rows = found.map(({ signal, part, value, expected, low, high, why }) => [
    signal,
    part,
    shown(signal, value),
    shown(signal, expected),
    low === null ? '-' : `${shown(signal, low)} to ${shown(signal, high)}`,
    why,
  ]);
  const alerts = (isAhead ? state.opened : []).map(({ id, says, signal, part }) => `  ${id}: ${says || signalTitle(signal, part)}`);
  const hour = `The hour before ${iso(state.measuredToMs)}.`;
  return [
    rows.length === 0
      ? 'Nothing is logged of the hours that are over: there is no signal yet.'
      : table(['signal', 'of', 'last hour', 'expected', '95 of 100 hours', ''], rows),
    isAhead ? `${hour} Nothing was written; --record writes, --schedule does so each hour.` : `${hour} It is on record, as every hour that is over.`,
    ...(alerts.length === 0 ? [] : ['Would open:', ...alerts]),
  ].join('\n');
}
