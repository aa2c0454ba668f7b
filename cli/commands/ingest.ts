import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { basename, resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import type { IngestResult } from '../../activities/api.ts';
import { ingestWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { putDocument } from '../../stores/blobs.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { emit, progress } from '../output.ts';
import { type SurfaceConfig, loadSurfaceConfig } from '../surface-config.ts';
import { withTemporal } from '../temporal.ts';

type Ingest = { stateDir: string; config: SurfaceConfig; file: string | undefined; endsAt: string | undefined };

/** Registers the charter and runs the ingest workflow; the same file with the same mapping is ingested once. */
export async function runIngest(context: CommandContext, input: Ingest): Promise<IngestResult & { workflowId: string; surface: string }> {
  const { config } = input;
  if (config.source === undefined)
    throw new UnderstudyError('UND-CHARTER', `${config.path} has no \`source\`: the events of ${config.charter.surface} come from elsewhere`);
  const path = input.file ?? config.source.file;
  const state = openState(input.stateDir);
  const { charter, digest } = await registerCharter(state, config.input, context.now());
  const mapping = await putDocument(state.blobs, config.source.mapping);
  const source = { path, name: basename(path), digest: await digestFile(path) };
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

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    throw new UnderstudyError('UND-FILE', `${path} cannot be read`, { cause });
  }
  return `sha256:${hash.digest('hex')}`;
}

export function ingestCommand(context: CommandContext): Command {
  return new Command('ingest')
    .description('validate a file into immutable day slices, with a reason for every row that does not fit')
    .requiredOption('--config <file>', "the surface's understudy.config.ts")
    .option('--file <file>', 'another file than the config names')
    .option('--ends-at <day>', 'shift the timestamps by whole weeks so that the file ends about this day (YYYY-MM-DD)')
    .option('--state <dir>', 'state directory')
    .option('--json', 'one JSON document on stdout')
    .action(async (options) => {
      const stateDir = stateDirectory(context, options.state);
      if (options.endsAt !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(options.endsAt)) throw new UnderstudyError('UND-INPUT', '--ends-at needs YYYY-MM-DD');
      const config = await loadSurfaceConfig(resolve(context.cwd, options.config));
      const file = options.file === undefined ? undefined : resolve(context.cwd, options.file);
      const step = progress(`ingesting ${config.charter.surface}`);
      const result = await runIngest(context, { stateDir, config, file, endsAt: options.endsAt });
      step.done();
      const { counts } = result;
      emit({
        json: options.json === true,
        document: result,
        text: `${counts.input} rows in: ${counts.accepted} accepted, ${counts.quarantined} quarantined, ${counts.duplicates} duplicates; ${result.days} days (data generation ${result.generation})`,
      });
    });
}
