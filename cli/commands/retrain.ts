import { resolve } from 'node:path';
import { Command } from 'commander';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { RerunResult, RetrainResult } from '../../activities/api.ts';
import { openState } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { rerunWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { machineName } from '../../models/contracts/ids.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { emit, progress, table } from '../output.ts';
import { withTemporal } from '../temporal.ts';

type Retrain = { stateDir: string; surface: string; candidates: string[] | null; guest: { name: string; folder: string } | null };

/** Requests the work and waits for it. The same work asked for twice is done once. */
export async function runRetrain(context: CommandContext, input: Retrain): Promise<RetrainResult[]> {
  const charter = await currentCharter(openState(input.stateDir), input.surface);
  return withTemporal(context, input.stateDir, async (client) => {
    const ids = (await client.workflow.execute(workflowNames.requestRetrain, {
      workflowId: `request-retrain/${input.surface}/${context.now()}`,
      taskQueue: taskQueues.control,
      args: [{ surface: input.surface, candidates: input.candidates, guest: input.guest, charter }],
    })) as string[];
    return Promise.all(ids.map((id) => client.workflow.getHandle(id).result() as Promise<RetrainResult>));
  });
}

export function retrainCommand(context: CommandContext): Command {
  return new Command('retrain')
    .description("cut the newest window and train, evaluate and register the charter's candidates")
    .argument('<surface>')
    .option('--candidate <name...>', 'only these candidates')
    .option('--guest <folder>', 'a model folder of your own (see examples/bring-your-own)')
    .option('--name <name>', "the guest's name", 'guest')
    .option('--schedule <cron>', 'do it on this schedule instead of now (UTC), for example "0 4 * * *"')
    .option('--state <dir>', 'state directory')
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options) => {
      const stateDir = stateDirectory(context, options.state);
      const candidates: string[] | null = options.candidate ?? null;
      const guest = options.guest === undefined ? null : { name: guestName(options.name), folder: resolve(context.cwd, options.guest) };
      if (options.schedule !== undefined) {
        await schedule(context, { stateDir, surface, candidates, guest, cron: options.schedule });
        emit({ json: options.json === true, document: { surface, schedule: options.schedule }, text: `${surface} retrains at ${options.schedule} (UTC)` });
        return;
      }
      const step = progress(`retraining ${surface}`);
      const results = await runRetrain(context, { stateDir, surface, candidates, guest });
      step.done();
      emit({
        json: options.json === true,
        document: { surface, runs: results },
        text: table(
          ['candidate', 'gates', 'artifact', 'why'],
          results.map((one) => [one.candidate, one.passed ? 'passed' : 'REFUSED', one.artifact.slice(7, 19), one.reasons.join('; ')]),
        ),
      });
    });
}

function guestName(text: string): string {
  const parsed = machineName.safeParse(text);
  if (!parsed.success) throw inputError('UND-INPUT', '--name', parsed.error.issues);
  return parsed.data;
}

async function schedule(context: CommandContext, input: Retrain & { cron: string }): Promise<void> {
  await withTemporal(context, input.stateDir, async (client) => {
    const scheduleId = `retrain/${input.surface}`;
    await client.schedule
      .getHandle(scheduleId)
      .delete()
      .catch(() => undefined);
    await client.schedule.create({
      scheduleId,
      spec: { cronExpressions: [input.cron] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
      action: {
        type: 'startWorkflow',
        workflowType: workflowNames.requestRetrain,
        workflowId: `request-retrain/${input.surface}`,
        taskQueue: taskQueues.control,
        args: [{ surface: input.surface, candidates: input.candidates, guest: input.guest, charter: null }],
      },
    });
  });
}

export function rerunCommand(context: CommandContext): Command {
  return new Command('rerun')
    .description('train and evaluate a past run again from its manifest, seed and parameters, and compare')
    .argument('<run>', 'a run id of `understudy runs`')
    .option('--check', 'exit 6 when the rerun differs')
    .option('--state <dir>', 'state directory')
    .option('--json', 'one JSON document on stdout')
    .action(async (runId: string, options) => {
      const stateDir = stateDirectory(context, options.state);
      const step = progress(`rerunning ${runId}`);
      const result = await withTemporal(
        context,
        stateDir,
        async (client) =>
          (await client.workflow.execute(workflowNames.rerun, {
            workflowId: rerunWorkflowId(runId),
            taskQueue: taskQueues.control,
            workflowIdConflictPolicy: 'USE_EXISTING',
            args: [{ runId }],
          })) as RerunResult,
      );
      step.done();
      emit({
        json: options.json === true,
        document: result,
        text: result.equal ? `equal: artifact ${result.artifact.again}, metrics ${result.metrics.again}` : `DIFFERS at ${result.firstDifference}`,
      });
      if (options.check === true && !result.equal) throw new UnderstudyError('UND-RERUN-DIFFERS', `${runId} differs at ${result.firstDifference}`);
    });
}
