import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { digestSource } from '../../activities/events/source-bytes.ts';
import { currentCharter, registerCharter } from '../../activities/registry/charters.ts';
import type { IngestResult, LogIngestRequest } from '../../activities/api.ts';
import { ingestLogWorkflowId, ingestWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { putDocument } from '../../stores/blobs.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { emit, progress } from '../output.ts';
import { type SurfaceConfig, loadSurfaceConfig } from '../surface-config.ts';
import { withTemporal } from '../temporal.ts';

type Answer = IngestResult & { workflowId: string; surface: string };
type Ingest = { stateDir: string; config: SurfaceConfig; file: string | undefined; endsAt: string | undefined };

/**
 * Registers the charter and runs the ingest workflow; the same files with the same mapping are ingested once. The worker looks for the files
 * again, and refuses when they are not the same.
 */
export async function runIngest(context: CommandContext, input: Ingest): Promise<Answer> {
  const { config } = input;
  if (config.source === undefined)
    throw new UnderstudyError('UND-CHARTER', `${config.path} has no \`source\`: the events of ${config.charter.surface} come from elsewhere`);
  const path = input.file ?? config.source.file;
  const source = { path, ...(await digestSource(path)) };
  const state = openState(input.stateDir);
  const { charter, digest } = await registerCharter(state, config.input, context.now());
  const mapping = await putDocument(state.blobs, config.source.mapping);
  const endsAt = input.endsAt ?? null;
  // Source, mapping and end name the work; a changed charter may change the rules, so it does too.
  const workflowId = ingestWorkflowId(charter.surface, digestJson({ source: source.digest, mapping, endsAt, data: charter.data, scope: charter.scope }));
  const result = await withTemporal(context, input.stateDir, (client) =>
    client.workflow.execute(workflowNames.ingest, {
      workflowId,
      taskQueue: taskQueues.control,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [{ surface: charter.surface, charter: digest, mapping, source, endsAt }],
    }),
  );
  return { ...(result as IngestResult), workflowId, surface: charter.surface };
}

/** Takes in what the serving tier logged and is not in the data yet. @throws UND-UNKNOWN-SURFACE */
export async function runIngestLog(context: CommandContext, { stateDir, surface }: { stateDir: string; surface: string }): Promise<Answer> {
  const charter = await currentCharter(openState(stateDir), surface);
  const workflowId = ingestLogWorkflowId(surface, context.now());
  const args: [LogIngestRequest] = [{ surface, charter, log: true }];
  const result = await withTemporal(context, stateDir, (client) =>
    client.workflow.execute(workflowNames.ingest, { workflowId, taskQueue: taskQueues.control, args }),
  );
  return { ...(result as IngestResult), workflowId, surface };
}

type Options = { config?: string; log?: boolean; file?: string; endsAt?: string; state?: string; json?: boolean };

export function ingestCommand(context: CommandContext): Command {
  return new Command('ingest')
    .description('validate a file, or what visitors did, into immutable day slices, with a reason for every row that does not fit')
    .argument('[surface]', 'with --log: whose events')
    .option('--config <file>', "a file's events: the surface's understudy.config.ts")
    .option('--file <file>', 'another file, folder or glob than the config names (quote a glob: "data/*.csv.gz")')
    .option('--ends-at <day>', 'shift the timestamps by whole weeks so that the file ends about this day (YYYY-MM-DD)')
    .option('--log', 'the events that the serving tier took at POST /v1/events, as far as they are not in the data yet')
    .option('--state <dir>', 'state directory')
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string | undefined, options: Options) => {
      const stateDir = stateDirectory(context, options.state);
      const result = options.log === true ? await fromLog(context, { stateDir, surface, options }) : await fromFile(context, { stateDir, surface, options });
      emit({
        json: options.json === true,
        document: result,
        text: `${result.counts.input} rows in: ${describeFates(result.counts)}; ${result.days} days (data generation ${result.generation})`,
      });
    });
}

/** What became of rows, as a sentence; what there was none of is left out where it is rare. */
export function describeFates({ accepted, quarantined, duplicates, withheld = 0, expired = 0 }: IngestResult['counts']): string {
  const rare = [
    ...(withheld === 0 ? [] : [`${withheld} withheld (no consent)`]),
    ...(expired === 0 ? [] : [`${expired} expired (older than the charter's retention keeps)`]),
  ];
  return [`${accepted} accepted`, `${quarantined} quarantined`, `${duplicates} duplicates`, ...rare].join(', ');
}

type Asked = { stateDir: string; surface: string | undefined; options: Options };

async function fromLog(context: CommandContext, { stateDir, surface, options }: Asked): Promise<Answer> {
  if (surface === undefined) throw new UnderstudyError('UND-INPUT', '--log needs a surface: understudy ingest SURFACE --log');
  const other = (['config', 'file', 'endsAt'] as const).find((name) => options[name] !== undefined);
  if (other !== undefined) throw new UnderstudyError('UND-INPUT', `--log reads the event log: --${other === 'endsAt' ? 'ends-at' : other} is for a file`);
  const step = progress(`ingesting the event log of ${surface}`);
  const result = await runIngestLog(context, { stateDir, surface });
  step.done();
  return result;
}

async function fromFile(context: CommandContext, { stateDir, surface, options }: Asked): Promise<Answer> {
  if (options.config === undefined) throw new UnderstudyError('UND-INPUT', 'Say what to ingest: --config FILE, or SURFACE --log');
  if (options.endsAt !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(options.endsAt)) throw new UnderstudyError('UND-INPUT', '--ends-at needs YYYY-MM-DD');
  const config = await loadSurfaceConfig(resolve(context.cwd, options.config));
  if (surface !== undefined && surface !== config.charter.surface)
    throw new UnderstudyError('UND-INPUT', `${config.path} is about ${config.charter.surface}, not about ${surface}`);
  const file = options.file === undefined ? undefined : resolve(context.cwd, options.file);
  const step = progress(`ingesting ${config.charter.surface}`);
  const result = await runIngest(context, { stateDir, config, file, endsAt: options.endsAt });
  step.done();
  return result;
}
