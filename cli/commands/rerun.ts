import { Command } from 'commander';
import type { RerunResult } from '../../activities/api.ts';
import { openState } from '../../activities/context.ts';
import { compareRerun, readRun, requireRun } from '../../activities/registry/runs.ts';
import { describeOtherCode, recordedMaking, workByRecordedCode } from '../../activities/rerun/recorded-code.ts';
import { rerunWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText } from '../option-values.ts';
import { emit, progress, say, table } from '../output.ts';
import { withTemporal } from '../temporal.ts';

type Options = { check?: boolean; atRecordedCode?: boolean; state?: string; json?: boolean };

export function rerunCommand(context: CommandContext): Command {
  return new Command('rerun')
    .description('train and evaluate a past run again from its manifest, seed and parameters, and compare stage by stage')
    .argument('<run>', 'a run id of `understudy runs`', someText)
    .option('--check', 'exit 6 when the rerun differs')
    .option('--at-recorded-code', 'by the code of the commit that the run was made by, from this checkout; needs git, and no server')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action((runId: string, options: Options) => rerun(context, runId, options));
}

async function rerun(context: CommandContext, runId: string, options: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const atThen = options.atRecordedCode === true;
  if (!atThen) await sayOtherCode(stateDir, runId);
  const step = progress(`rerunning ${runId}`);
  const result = atThen ? await runAtRecordedCode(stateDir, runId) : await runRerun(context, stateDir, runId);
  step.done();
  emit({ json: options.json === true, document: result, text: describeRerun(result) });
  if (options.check === true && !result.equal)
    throw new UnderstudyError('UND-RERUN-DIFFERS', `${runId} differs at ${result.firstDifference}`, {
      details: { stage: result.difference?.stage, cause: result.difference?.cause },
    });
}

/** Before the work begins: the result may be another for this reason alone. Where the state directory is not here, the comparison says it after. */
async function sayOtherCode(stateDir: string, runId: string): Promise<void> {
  const state = openState(stateDir);
  const made = await requireRun({ state }, runId).then(
    (run) => recordedMaking(state, run),
    () => undefined,
  );
  const other = made === undefined ? undefined : await describeOtherCode(state, made);
  if (other !== undefined) say(`${runId} was ${other}. --at-recorded-code makes it by the code of then`);
}

export async function runRerun(context: CommandContext, stateDir: string, runId: string): Promise<RerunResult> {
  return withTemporal(
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
}

async function runAtRecordedCode(stateDir: string, runId: string): Promise<RerunResult> {
  const context = { state: openState(stateDir) };
  const record = await requireRun(context, runId);
  const inputs = await readRun(context, runId);
  const { unusable } = inputs;
  if (unusable !== undefined) return compareRerun(context, { runId, unusable });
  const { retrain, log } = inputs;
  return compareRerun(context, { runId, retrain, log, ...(await workByRecordedCode({ ...context, record, inputs })) });
}

const words: Record<RerunResult['stages'][number]['status'], string> = {
  equal: 'equal',
  differs: 'DIFFERS',
  'not-recorded': '-',
  'not-compared': '-',
};

/** A table of the stages; below it the first difference, its cause and what to do. */
export function describeRerun({ stages, difference, changed, firstDifference }: RerunResult): string {
  const lines = [
    table(
      ['stage', 'result', 'what'],
      stages.map(({ stage, status, detail }) => [stage, words[status], detail]),
    ),
    '',
  ];
  if (difference === null) {
    lines.push('equal');
    const other = Object.entries(changed ?? {}).filter(([, what]) => what !== '');
    if (other.length > 0) lines.push('though not all is as it was:', ...other.map(([cause, what]) => `  ${cause}: ${what}`));
    return lines.join('\n');
  }
  const { stage, cause, why, remedy, also, largest } = difference;
  lines.push(`DIFFERS at ${firstDifference}`, `cause       ${cause}: ${why}`);
  for (const one of also) lines.push(`also        ${one}`);
  if (largest !== null)
    lines.push(`how much    ${largest.what}; most at ${stage}${largest.path}: ${largest.first} became ${largest.again}, ${largest.difference} apart`);
  lines.push(`what to do  ${remedy}`);
  return lines.join('\n');
}
