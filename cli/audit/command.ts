import { resolve } from 'node:path';
import { Command } from 'commander';
import { concludeAudit, examineSurface } from '../../activities/audit/run-audit.ts';
import { followFinding } from '../../activities/audit/follow-up.ts';
import { openState, readLatest } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { type AuditReport, type AuditResult, auditReport, type Finding, findingList } from '../../models/contracts/audit.ts';
import { auditWorkflowId, taskQueues, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { type CommandContext, signingKeysOf, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress, say, table } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';
import { describeSchedule, putAuditSchedule, removeSchedule } from '../schedules.ts';
import { withTemporal } from '../temporal.ts';
import { renderAudit } from './render-audit.ts';

type Options = { dryRun?: boolean; show?: number | true; schedule?: string; unschedule?: boolean; by?: string; html?: string; state?: string; json?: boolean };

/** `understudy audit`: what the charter claims and promises, tested again. */
export function auditCommand(context: CommandContext): Command {
  return new Command('audit')
    .description(
      "test again what a surface's charter claims and promises: assumptions, retention, access, fairness, drift, ...; what does not hold is a finding",
    )
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--dry-run', 'audit in this process, and write nothing')
    .option('--show [number]', 'the last audit, or that one, instead of a new one', wholeNumber)
    .option('--by <name>', 'who asks', someText, 'command line')
    .option('--html <file>', 'write the report as a page, with its pictures', someText)
    .option('--schedule <cron>', 'audit on this schedule (UTC), for example "0 4 1 * *"; findings are followed up each day', someText)
    .option('--unschedule', 'end the schedule')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExit code 1 where something is broken. `understudy findings SURFACE` lists what is open, and records what was done about it.')
    .action((surface: string, options: Options) => run(context, surface, options));
}

async function run(context: CommandContext, surface: string, { json = false, ...options }: Options): Promise<void> {
  const stateDir = stateDirectory(context, options.state);
  const state = openState(stateDir, context.env.kafka, signingKeysOf(context.env));
  await currentCharter(state, surface);
  if (options.unschedule === true) {
    await withTemporal(context, stateDir, async (client) => {
      await removeSchedule(client, surface, `audit/${surface}`);
      await removeSchedule(client, surface, `audit-follow-up/${surface}`);
    });
    return emit({ json, document: { surface, schedule: null }, text: `${surface} is not audited on a schedule any more` });
  }
  if (options.schedule !== undefined) {
    const cron = options.schedule;
    const schedule = await withTemporal(context, stateDir, (client) => putAuditSchedule(client, { surface, cron }));
    return emit({ json, document: { surface, schedule }, text: `${surface} is audited at ${describeSchedule(schedule)}` });
  }
  const report =
    options.show !== undefined
      ? await shown(state, surface, options.show)
      : options.dryRun === true
        ? await tried(context, state, surface, options)
        : await asked(context, stateDir, state, surface, options);
  if (options.html !== undefined) await writePicture(resolve(context.cwd, options.html), renderAudit(report));
  emit({ json, document: report, text: describe(report) + (options.dryRun === true ? '\nNothing was written.' : '') });
  if (report.counts.broken > 0) process.exitCode = 1;
}

type State = ReturnType<typeof openState>;

async function shown(state: State, surface: string, which: number | true): Promise<AuditReport> {
  const series = `audit/${surface}`;
  const last = await readLatest(state.generations, series, auditReport);
  if (last === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has not been audited yet: run \`understudy audit ${surface}\``);
  return which === true ? last.document : parseGeneration(auditReport, { series, generation: which, document: await state.generations.read(series, which) });
}

async function tried(context: CommandContext, state: State, surface: string, { by = '' }: Options): Promise<AuditReport> {
  const step = progress(`auditing ${surface}`);
  const own = { state, now: context.now };
  const input = {
    surface,
    by,
    operationId: 'dry-run',
    keys: null,
    writes: false,
    signal: new AbortController().signal,
    onSection: (name: string) => step.note(name),
  };
  const { findingsGeneration: _, ...report } = await concludeAudit(own, await examineSurface(own, input));
  step.done();
  return report;
}

async function asked(context: CommandContext, stateDir: string, state: State, surface: string, { by = '' }: Options): Promise<AuditReport> {
  const step = progress(`auditing ${surface}`);
  const { generation } = (await withTemporal(context, stateDir, (client) =>
    client.workflow.execute(workflowNames.audit, {
      workflowId: auditWorkflowId(surface),
      taskQueue: taskQueues.control,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [{ surface, by }],
    }),
  )) as AuditResult;
  step.done();
  return shown(state, surface, generation);
}

const day = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

function describe(report: AuditReport): string {
  const { surface, generation, counts, sections, changes, findings } = report;
  const head = `Audit ${generation} of ${surface}: ${counts.broken} broken, ${counts.weakened} weakened, ${counts.holds} hold, ${counts['not-measured']} not measured`;
  const order = ['broken', 'weakened', 'not-measured', 'holds'];
  const lines = sections.flatMap(({ items }) => items).toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const changed =
    changes.length === 0 ? '' : `\nSince the last audit: ${changes.map(({ id, was, is }) => `${id} ${was ?? 'new'} -> ${is ?? 'gone'}`).join(', ')}\n`;
  const body = table(
    ['status', 'claim', 'what was found'],
    lines.map(({ status, claim, says }) => [status, claim, says]),
  );
  return `${head}\n\n${body}\n${changed}\n${describeFindings(surface, findings)}`;
}

function describeFindings(surface: string, findings: readonly Finding[]): string {
  const open = findings.filter(({ state }) => state !== 'closed');
  if (open.length === 0) return `${surface} has no open finding.`;
  return table(
    ['finding', 'status', 'owner', 'due', 'state', 'followed up'],
    open.map(({ id, status, owner, dueAtMs, state, followUp }) => [id, status, owner, day(dueAtMs), state, followUp.at(-1)?.what ?? 'not yet']),
  );
}

type FindingOptions = {
  follow?: string;
  accept?: string;
  until?: string;
  by?: string;
  why?: string;
  owner?: string;
  state?: string;
  json?: boolean;
  all?: boolean;
};

/** `understudy findings`: what audits found, whose it is, and what was done about it. */
export function findingsCommand(context: CommandContext): Command {
  return new Command('findings')
    .description('what audits of a surface found: whose it is, until when, and what was done about it')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--all', 'closed ones too')
    .option('--follow <id>', 'say with --by and --why what was done about this one, and with --owner whose it is from now on', someText)
    .option('--accept <id>', 'with --by, --why and --until: that it does not hold is accepted until that day', someText)
    .option('--owner <name>', 'the new owner', someText)
    .option('--until <day>', 'YYYY-MM-DD', someText)
    .option('--by <name>', 'who did so', someText)
    .option('--why <words>', 'what was done, or why it is accepted; kept in the ledger', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action((surface: string, options: FindingOptions) => runFindings(context, surface, options));
}

async function runFindings(context: CommandContext, surface: string, { json = false, ...options }: FindingOptions): Promise<void> {
  const state = openState(stateDirectory(context, options.state), context.env.kafka, signingKeysOf(context.env));
  await currentCharter(state, surface);
  const id = options.follow ?? options.accept;
  if (id !== undefined) {
    const { by, why: what, owner } = options;
    if (by === undefined || what === undefined) throw new UnderstudyError('UND-INPUT', 'Say with --by who did it, and with --why what was done');
    const acceptUntilMs = options.accept === undefined ? undefined : Date.parse(`${options.until ?? ''}T00:00:00Z`);
    if (Number.isNaN(acceptUntilMs)) throw new UnderstudyError('UND-INPUT', '--accept needs --until, a day: YYYY-MM-DD');
    const followed = await followFinding({ state, now: context.now, log: say }, { surface, id, by, what, owner, acceptUntilMs });
    return emit({ json, document: followed, text: `${followed.id}: ${followed.state}, ${followed.owner}'s, due ${day(followed.dueAtMs)}` });
  }
  const all = (await readLatest(state.generations, `findings/${surface}`, findingList))?.document.findings ?? [];
  const findings = options.all === true ? all : all.filter((one) => one.state !== 'closed');
  const text =
    options.all === true
      ? table(
          ['finding', 'status', 'owner', 'due', 'state', 'followed up'],
          findings.map(({ id: own, status, owner, dueAtMs, state: is, followUp }) => [
            own,
            status,
            owner,
            day(dueAtMs),
            is,
            followUp.at(-1)?.what ?? 'not yet',
          ]),
        )
      : describeFindings(surface, findings);
  emit({ json, document: { surface, findings }, text });
}
