import { resolve } from 'node:path';
import { Command } from 'commander';
import type { IngestResult, ReplayRequest } from '../../activities/api.ts';
import { inScratch, openState, readCharter, readLatest, type State } from '../../activities/context.ts';
import { readQuarantine } from '../../activities/events/read-quarantine.ts';
import { tryReplay } from '../../activities/events/replay-quarantine.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { type Dependent, dependentsOf } from '../../activities/windows/dependents.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { type Mend, mend as mendDocument } from '../../models/contracts/mend.ts';
import { replayWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type QuarantineEntry } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { withTemporal } from '../temporal.ts';
import { replaceEdit, setEdit } from './mend-options.ts';

type Common = { source?: string; reason?: string; state?: string; json?: boolean };
type MendOptions = Common & { set?: Mend['edits']; replace?: Mend['edits']; config?: string; by?: string; why?: string; dryRun?: boolean };

const mendHelp = `
Rows are mended in the order: --replace, then --set, then the mapping; then every rule is asked again. What fits goes into the slice of its own day, as a
new version; what does not stays where it is, as it came. Cells are those of the file, or of the event: \`understudy quarantine show SURFACE\` shows them.

Examples:
  understudy quarantine mend home --reason unknown-kind --replace action:buy=purchase --dry-run
  understudy quarantine mend home --reason unknown-kind --replace action:buy=purchase --by ann --why "the till was renamed"
  understudy quarantine mend home --reason out-of-scope-code --by ann --why "the charter lets them in now"`;

/** `understudy quarantine`: what is put aside, by reason; examples of it; and the way back. */
export function quarantineCommand(context: CommandContext): Command {
  const common = (command: Command) =>
    command
      .argument('<surface>', 'name of the surface', surfaceArgument)
      .option('--source <name>', 'only what came from this file, or `log`', someText)
      .option('--reason <reason>', 'only what is put aside for this reason', someText)
      .option('--state <dir>', 'state directory', someText)
      .option('--json', 'one JSON document on stdout');
  return new Command('quarantine')
    .description('rows that did not fit: list them by reason, look at them, mend them and let them in')
    .addCommand(
      common(new Command('list').description('how many rows are put aside, by source and reason')).action((surface: string, options: Common) =>
        list(context, surface, options),
      ),
    )
    .addCommand(
      common(new Command('show').description('examples, as they came'))
        .option('--limit <n>', 'so many at most', wholeNumber, 10)
        .action((surface: string, options: Common & { limit: number }) => show(context, surface, options)),
    )
    .addCommand(
      common(new Command('mend').description('change cells, or the mapping, and replay: what fits then enters the slice of its own day'))
        .option('--replace <column:from=to>', 'in rows whose cell is FROM; again for more', replaceEdit)
        .option('--set <column=value>', 'in all rows that are replayed; again for more', setEdit)
        .option('--config <file>', "the mapping of this understudy.config.ts instead of the source's own")
        .option('--by <name>', 'who decides it; goes into the ledger', someText)
        .option('--why <text>', 'why; goes into the ledger', someText)
        .option('--dry-run', 'say what would become of the rows, and change nothing')
        .addHelpText('after', mendHelp)
        .action((surface: string, options: MendOptions) => mendRows(context, surface, options)),
    );
}

async function open(
  context: CommandContext,
  surface: string,
  { source, reason, ...options }: Common,
): Promise<{ state: State; data: DataState; entries: QuarantineEntry[] }> {
  const state = openState(stateDirectory(context, options.state));
  await currentCharter(state, surface);
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet: run \`understudy ingest\` first`);
  const all = data.document.quarantine ?? [];
  const entries = all.filter((entry) => (source === undefined || entry.source === source) && (reason === undefined || (entry.reasons[reason] ?? 0) > 0));
  if (entries.length === 0 && (source !== undefined || reason !== undefined))
    throw new UnderstudyError(
      'UND-NOT-FOUND',
      `Nothing of ${surface} is put aside${source === undefined ? '' : ` of ${source}`}${reason === undefined ? '' : ` for ${reason}`}`,
    );
  return { state, data: data.document, entries };
}

async function list(context: CommandContext, surface: string, options: Common): Promise<void> {
  const { data, entries } = await open(context, surface, options);
  const rows = entries.flatMap(({ source, digest, reasons }) =>
    Object.entries(reasons)
      .filter(([reason]) => options.reason === undefined || reason === options.reason)
      .map(([reason, count]) => ({ source, reason, rows: count, quarantine: digest })),
  );
  const text = table(
    ['source', 'reason', 'rows', 'quarantine'],
    rows.map((row) => [row.source, row.reason, String(row.rows), row.quarantine.slice(7, 19)]),
  );
  const total = rows.reduce((sum, row) => sum + row.rows, 0);
  const next = `\n\n${total} rows. Look at some: understudy quarantine show ${surface} --reason REASON`;
  emit({
    json: options.json === true,
    document: { surface, generation: data.generation, rows },
    text: rows.length === 0 ? `Nothing of ${surface} is put aside` : text + next,
  });
}

async function show(context: CommandContext, surface: string, { limit, ...options }: Common & { limit: number }): Promise<void> {
  const { state, entries } = await open(context, surface, options);
  const rows = await readQuarantine({ entries, blobs: state.blobs, reason: options.reason, limit });
  const text = table(
    ['file', 'line', 'reason', 'as it came'],
    rows.map((row) => [row.file ?? row.source, String(row.line), row.reason, row.raw === '' ? '(not kept: it may name anybody)' : row.raw]),
  );
  emit({ json: options.json === true, document: { surface, rows }, text: rows.length === 0 ? `Nothing of ${surface} is put aside` : text });
}

async function mendRows(context: CommandContext, surface: string, options: MendOptions): Promise<void> {
  const { state, entries } = await open(context, surface, options);
  if (entries.length === 0) throw new UnderstudyError('UND-NOT-FOUND', `Nothing of ${surface} is put aside`);
  const { by, why, dryRun = false } = options;
  if (!dryRun && (by === undefined || why === undefined))
    throw new UnderstudyError('UND-INPUT', 'Say who decides it and why: --by NAME --why TEXT (or try it with --dry-run)');
  const charter = await currentCharter(state, surface);
  const mapping = options.config === undefined ? null : await mappingIn(state, resolve(context.cwd, options.config));
  const mend = mendDocument.parse({ kind: 'mend', edits: [...(options.replace ?? []), ...(options.set ?? [])], mapping });
  const reason = options.reason ?? null;
  const outcomes: Outcome[] = [];
  for (const { source, digest } of entries) {
    const step = progress(`${dryRun ? 'trying' : 'replaying'} ${source}`);
    const replay = { quarantine: digest, reason, mend: await putDocument(state.blobs, mend) };
    outcomes.push({
      source,
      ...(dryRun
        ? await tryOne(context, { state, surface, charter, mend, replay })
        : await replayOne(context, options, { surface, charter, by: by ?? '', why: why ?? '', replay })),
    });
    step.done();
  }
  const after = dryRun ? undefined : await readLatest(state.generations, `data/${surface}`, dataState);
  const dependents = after === undefined ? [] : await dependentsOf({ state, data: after.document });
  emit({ json: options.json === true, document: { surface, dryRun, outcomes, dependents }, text: describe({ surface, dryRun, outcomes, dependents }) });
}

async function mappingIn(state: State, path: string): Promise<string> {
  const { source } = await loadSurfaceConfig(path);
  if (source === undefined) throw new UnderstudyError('UND-CHARTER', `${path} has no \`source\`, and so no mapping`);
  return putDocument(state.blobs, source.mapping);
}

type Outcome = { source: string; counts: IngestResult['counts']; still: Record<string, number> | null; days: number | null };
type Try = { state: State; surface: string; charter: string; mend: Mend; replay: ReplayRequest['replay'] };

async function tryOne(context: CommandContext, { state, surface, charter, mend, replay }: Try): Promise<Omit<Outcome, 'source'>> {
  return inScratch(state, 'try', async (workDir) => {
    const tally = await tryReplay(
      { state, now: context.now, pseudonymKey: context.env.UNDERSTUDY_PSEUDONYM_KEY ?? null },
      { surface, charter: await readCharter(state.blobs, charter), mend, quarantine: replay.quarantine, reason: replay.reason, workDir },
    );
    return { counts: tally.counts, still: tally.quarantineByReason, days: null };
  });
}

async function replayOne(context: CommandContext, options: Common, request: ReplayRequest): Promise<Omit<Outcome, 'source'>> {
  const result = (await withTemporal(context, stateDirectory(context, options.state), (client) =>
    client.workflow.execute(workflowNames.ingest, {
      workflowId: replayWorkflowId(request.surface, digestJson(request.replay)),
      taskQueue: taskQueues.control,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      args: [request],
    }),
  )) as IngestResult;
  return { counts: result.counts, still: null, days: result.days };
}

type Described = { surface: string; dryRun: boolean; outcomes: readonly Outcome[]; dependents: readonly Dependent[] };

function describe({ surface, dryRun, outcomes, dependents }: Described): string {
  const lines = outcomes.map(({ source, counts, still, days }) => {
    const { input, accepted, quarantined, duplicates } = counts;
    const why = Object.entries(still ?? {}).map(([reason, rows]) => `${reason} ${rows}`);
    const where = days === null ? '' : ` into ${days} days`;
    const would = dryRun ? 'would be' : 'are';
    return `${source}: of ${input} rows ${accepted} ${would} accepted${where}, ${duplicates} ${would} duplicates, ${quarantined} ${would} still put aside${why.length === 0 ? '' : ` (${why.join(', ')})`}`;
  });
  if (dryRun) return [...lines, 'Nothing was changed.'].join('\n');
  if (dependents.length === 0) return [...lines, 'No run read these days as they were.'].join('\n');
  const runs = table(
    ['run', 'candidate', 'days that changed since', ''],
    dependents
      .slice(0, 20)
      .map(({ runId, candidate, changed, isChampion }) => [runId, candidate, daysText(changed.map(({ day }) => day)), isChampion ? 'serves now' : '']),
  );
  return [
    ...lines,
    '',
    `${dependents.length} run${dependents.length === 1 ? '' : 's'} read days that are not any more what they were:`,
    runs,
    '',
    `Train on them as they are now: understudy retrain ${surface}`,
  ].join('\n');
}

const daysText = (days: readonly string[]): string => (days.length <= 3 ? days.join(', ') : `${days.length}, ${days[0]} to ${days.at(-1)}`);
