import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { lookForCause } from '../../activities/root-cause/find-cause.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Diagnosis, diagnosis as diagnosisSchema, type RootCauseFacts, type RootCauseStatus, rootCauseFacts } from '../../models/contracts/root-cause.ts';
import { getDocument } from '../../stores/blobs.ts';
import { causeLooks } from '../../stores/cause-looks.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { digest, moment, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, say, table } from '../output.ts';
import { withTemporal } from '../temporal.ts';
import { describeDiagnosis, describeStatus } from './describe-diagnosis.ts';
import { diagnosisPage } from './diagnosis-page.ts';
import { type CauseOrder, decideMend, rootCauseStatus, startRootCause, untilDiagnosed } from './follow.ts';

const hourMs = 3_600_000;
const helpText = `
Without --from and --to, the last hour. It is held against the same hours of up to 28 days before. With a running system the look is a workflow: the mend that
it proposes waits for the people who decide on releases, or is done at once where the charter says so (\`rootCause.automatic\`); afterwards it is looked whether
the trouble is over. With --dry-run, or without a running system, it is looked once, here, and nothing is written.

Examples:
  understudy root-cause home
  understudy root-cause home --from 2026-11-20T08:00:00Z --to 2026-11-20T11:00:00Z --dry-run --html cause.html
  understudy root-cause approve root-cause/home/1795420800000/0a1b2c3d --by ann --why "the promotion of this morning"`;

type Options = { from?: number; to?: number; alert?: string; promotion?: string; by: string; dryRun?: boolean; html?: string; state?: string; json?: boolean };
type Decision = { by: string; why?: string; evidence?: string; state?: string; json?: boolean };
type Where = { state?: string; json?: boolean };

/** `understudy root-cause`: what is wrong, which layer it lies in, and the one step that would mend it. */
export function rootCauseCommand(context: CommandContext): Command {
  const common = (command: Command) => command.option('--state <dir>', 'state directory', someText).option('--json', 'one JSON document on stdout');
  const look = common(new Command('root-cause'))
    .enablePositionalOptions()
    .description('what is wrong with a surface: the layer, suspects with evidence, and one mend')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--from <moment>', 'when it began (ISO 8601)', moment)
    .option('--to <moment>', 'up to when it is looked at (default: now)', moment)
    .option('--alert <id>', 'the alert that asks', someText)
    .option('--promotion <what>', 'people had a reason to buy otherwise then', someText)
    .option('--by <name>', 'who asks; goes into the ledger', someText, 'cli')
    .option('--dry-run', 'look here and once, and write nothing')
    .option('--html <file>', 'write a page with the picture of the signal', someText)
    .addHelpText('after', helpText)
    .action((surface: string, options: Options) => run(context, surface, options));
  const id = (command: Command) => common(command).argument('<id>', 'as `list` shows it', someText);
  const vote = (decision: 'approve' | 'reject') =>
    id(new Command(decision))
      .requiredOption('--by <name>', "who decides: one of the charter's approvers", someText)
      .option('--evidence <digest>', 'the diagnosis that was looked at; without it, the one under decision now', digest);
  return look
    .addCommand(
      common(new Command('list').description('the looks that there were, from the ledger'))
        .argument('<surface>', 'name of the surface', surfaceArgument)
        .action((surface: string, options: Where) => list(context, surface, options)),
    )
    .addCommand(
      id(new Command('show').description('where one stands, and what was found'))
        .option('--html <file>', 'write a page with the picture of the signal', someText)
        .action((one: string, options: Where & { html?: string }) => show(context, one, options)),
    )
    .addCommand(
      vote('approve')
        .description('let the mend be done')
        .option('--why <reason>', 'a remark, kept in the ledger')
        .action((one: string, options: Decision) => decide(context, 'approve', one, options)),
    )
    .addCommand(
      vote('reject')
        .description('do not let the mend be done')
        .requiredOption('--why <reason>', 'the reason, kept in the ledger', someText)
        .action((one: string, options: Decision) => decide(context, 'reject', one, options)),
    );
}

type Found = { facts: RootCauseFacts; diagnosis: Diagnosis; status: RootCauseStatus | null };

async function run(context: CommandContext, surface: string, options: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const state = openState(stateDir, context.env.kafka);
  const toMs = options.to ?? context.now();
  const order = {
    ...{ surface, alert: options.alert ?? null, signal: null, promotion: options.promotion ?? null },
    ...{ fromMs: options.from ?? toMs - hourMs, toMs, by: options.by },
  };
  if (order.fromMs >= toMs || toMs > context.now()) throw new UnderstudyError('UND-INPUT', '--from must lie before --to, and --to not in the future');
  const step = progress(`looking at ${surface}`);
  const started = options.dryRun === true ? null : await inSystem(context, stateDir, order, step.note);
  if (started === null && options.dryRun !== true) say('No system runs on this state directory: it is looked here, and nothing is written.');
  const found =
    started === null ? { ...(await lookHere(context, state, order, step.note)), status: null } : { ...(await read(state, started)), status: started };
  step.done();
  await answer(context, found, options);
  await state.close();
}

/** Null where no system runs. */
async function inSystem(context: CommandContext, stateDir: string, order: CauseOrder, note: (text: string) => void): Promise<RootCauseStatus | null> {
  try {
    return await withTemporal(context, stateDir, async (client) => untilDiagnosed(client, await startRootCause(client, order), note));
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === 'UND-TEMPORAL') return null;
    throw error;
  }
}

function lookHere(context: CommandContext, state: State, { by: _by, ...order }: CauseOrder, note: (text: string) => void) {
  let beats = 0;
  const beat = () => {
    beats += 1;
    note(`${beats} parts read`);
  };
  const watching = { beat, signal: new AbortController().signal };
  return lookForCause({ state, featuresUrl: null }, { ...order, atMs: context.now(), exact: false }, watching);
}

/** @throws UND-NOT-FOUND where it ended before anything was found */
async function read({ blobs }: State, { id, facts, evidence, why }: RootCauseStatus): Promise<Omit<Found, 'status'>> {
  if (facts === null || evidence === null) throw new UnderstudyError('UND-NOT-FOUND', `${id} has no diagnosis: ${why}`);
  return { facts: await getDocument(blobs, facts, rootCauseFacts), diagnosis: await getDocument(blobs, evidence, diagnosisSchema) };
}

async function answer(context: CommandContext, { facts, diagnosis, status }: Found, options: { html?: string; json?: boolean }): Promise<void> {
  const decide = status?.phase === 'approval' ? `understudy root-cause approve ${status.id} --by NAME` : null;
  if (options.html !== undefined) {
    const path = resolve(context.cwd, options.html);
    await writeFile(path, diagnosisPage({ facts, diagnosis, decide })).catch((cause) => {
      throw new UnderstudyError('UND-FILE', `${path} cannot be written`, { cause });
    });
    say(`wrote ${path}`);
  }
  const text = describeDiagnosis(diagnosis, facts.missing);
  emit({
    json: options.json === true,
    document: { diagnosis, status, missing: facts.missing },
    text: status === null ? text : `${text}\n\n${describeStatus(status)}`,
  });
}

async function list(context: CommandContext, surface: string, options: Where): Promise<void> {
  const state = openState(stateDirectory(context, options.state));
  await currentCharter(state, surface);
  const looks = await causeLooks(state.generations, surface);
  const rows = looks.map(({ id, openedMs, cause, mend, last }) => [new Date(openedMs).toISOString().slice(0, 16), id, cause, mend, last]);
  emit({
    json: options.json === true,
    document: { surface, looks },
    text: looks.length === 0 ? `Nobody has looked at ${surface} yet` : table(['opened', 'id', 'cause', 'mend', 'stands'], rows),
  });
}

/** By its workflow where that can be reached, else by what the ledger and the store kept of it. */
async function show(context: CommandContext, id: string, options: Where & { html?: string }): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const state = openState(stateDir);
  const status = await withTemporal(context, stateDir, (client) => rootCauseStatus(client, id)).catch(() => null);
  if (status !== null) return answer(context, { ...(await read(state, status)), status }, options);
  const kept = (await causeLooks(state.generations, id.split('/')[1] ?? '')).find((one) => one.id === id)?.diagnosis;
  if (kept == null) throw new UnderstudyError('UND-NOT-FOUND', `No look at a root cause has the id ${id}`);
  const diagnosis = await getDocument(state.blobs, kept, diagnosisSchema);
  await answer(context, { diagnosis, facts: await getDocument(state.blobs, diagnosis.facts ?? '', rootCauseFacts), status: null }, options);
}

async function decide(context: CommandContext, decision: 'approve' | 'reject', id: string, { by, why = '', evidence, ...options }: Decision): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const result = await withTemporal(context, stateDir, (client) =>
    decideMend(client, { id, decision, by, why, evidence, key: context.env.UNDERSTUDY_APPROVER_KEY }),
  );
  emit({ json: options.json === true, document: result, text: `${result.message} (${id}): ${result.outcome}` });
}
