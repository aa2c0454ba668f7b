import { Command, InvalidArgumentError, Option } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { currentCharter, listSurfaces } from '../../activities/registry/charters.ts';
import { type Report, reportKinds, reportRequest, type Severity, severities, type ReportKind } from '../../models/contracts/escalation.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { fileReport, readFiled, waitingReports } from '../../stores/report-inbox.ts';
import { latestReport, readReports } from '../../stores/reports.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit } from '../output.ts';
import { withTemporal } from '../temporal.ts';
import { countsOf, describeList, describeReport, readText } from './describe-report.ts';
import { castStep } from './steps.ts';

type Common = { state?: string; json?: boolean };
const listable = ['open', 'acknowledged', 'resolved', 'rejected', 'duplicate'] as const;

/** `understudy escalations`: what was reported of a surface, whose it is, and until when. */
export function escalationsCommand(context: CommandContext): Command {
  const command = common(new Command('escalations'))
    .enablePositionalOptions()
    .description('reports of items, slates and patterns that wait for an answer: whose they are, and until when')
    .argument('[surface]', 'name of the surface; all where none is named', surfaceArgument)
    .addOption(new Option('--only <state>', 'those in this state, also where they are over').choices(listable))
    .option('--all', 'those that are over, too')
    .action((surface: string | undefined, options: Common & { only?: Report['state']; all?: boolean }) => list(context, surface, options));
  command.addCommand(showCommand(context)).addCommand(fileCommand(context));
  for (const kind of ['acknowledge', 'reassign', 'resolve', 'reject'] as const) command.addCommand(stepCommand(context, kind));
  return command;
}

const common = (command: Command): Command => command.option('--state <dir>', 'state directory', someText).option('--json', 'one JSON document on stdout');

async function list(context: CommandContext, surface: string | undefined, options: Common & { only?: Report['state']; all?: boolean }): Promise<void> {
  const state = openState(stateDirectory(context, options.state));
  const surfaces = surface === undefined ? await listSurfaces(state) : [surface];
  if (surface !== undefined) await currentCharter(state, surface);
  const isWanted = ({ state: is }: Report) =>
    options.only === undefined ? options.all === true || is === 'open' || is === 'acknowledged' : is === options.only;
  const reports: (Report & { reports: number })[] = [];
  for (const name of surfaces) {
    const all = await readReports(state.generations, name);
    const counts = countsOf(all);
    reports.push(...all.filter(isWanted).map((one) => ({ ...one, reports: counts.get(one.id) ?? 1 })));
  }
  const waiting = (await waitingReports(state.root)).filter((one) => surfaces.includes(one.surface)).length;
  emit({ json: options.json === true, document: { reports, waiting }, text: describeList(reports, { waiting, nowMs: context.now() }) });
}

function showCommand(context: CommandContext): Command {
  return common(new Command('show'))
    .description('one report: what was said, whose it is, and all that was done about it')
    .argument('<report>', 'its id', someText)
    .action(async (id: string, { state: stateDir, json }: Common) => {
      const state = openState(stateDirectory(context, stateDir));
      const report = await find(state, id);
      const text = await readText(state.blobs, report);
      emit({ json: json === true, document: { ...report, said: text }, text: describeReport(report, { said: text, nowMs: context.now() }) });
    });
}

type FileOptions = Common & { item?: string; slate?: string; pattern?: string; kind: ReportKind; words?: string; by: string; severity?: Severity };

function fileCommand(context: CommandContext): Command {
  return common(new Command('file'))
    .description('report an item, a slate or a pattern; a worker takes it up within seconds')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--item <id>', 'it is about this item', someText)
    .option('--slate <requestId>', 'it is about this slate', someText)
    .option('--pattern <words>', 'it is about what these words say', someText)
    .addOption(new Option('--kind <kind>', 'what is wrong').choices(reportKinds).makeOptionMandatory())
    .option('--words <text>', 'what there is to say of it', someText)
    .requiredOption('--by <name>', 'who reports', someText)
    .addOption(new Option('--severity <severity>', 'instead of what the charter says of the kind').choices(severities))
    .action(async (surface: string, options: FileOptions) => {
      const state = openState(stateDirectory(context, options.state));
      await currentCharter(state, surface);
      const { kind, words = '', by, severity = null } = options;
      const parsed = reportRequest.safeParse({ surface, about: aboutOf(options), kind, words, reporter: { contact: by } });
      if (!parsed.success) throw inputError('UND-INPUT', 'The report', parsed.error.issues);
      const { id } = await fileReport({ root: state.root, generations: state.generations }, { ...parsed.data, severity, nowMs: context.now() });
      emit({ json: options.json === true, document: { surface, id }, text: `${id} is filed: \`understudy escalations show ${id}\` says how it stands` });
    });
}

/** @throws UND-INPUT where it is about nothing, or about several things */
function aboutOf({ item, slate, pattern }: FileOptions): object {
  const given = [
    ...(item === undefined ? [] : [{ of: 'item', itemId: item }]),
    ...(slate === undefined ? [] : [{ of: 'slate', requestId: slate }]),
    ...(pattern === undefined ? [] : [{ of: 'pattern', pattern }]),
  ];
  if (given.length !== 1 || given[0] === undefined) throw new UnderstudyError('UND-INPUT', 'Say what it is about by one of --item, --slate and --pattern');
  return given[0];
}

const stepHelp = {
  acknowledge: 'say that you have seen a report and it is yours',
  reassign: 'give a report to somebody else',
  resolve: 'end a report that was right: something was done about it; what was blocked stays blocked',
  reject: 'end a report that was not: what was blocked for it is shown again',
} as const;
type StepOptions = Common & { by: string; why: string; to?: string; tell?: string };

function stepCommand(context: CommandContext, kind: keyof typeof stepHelp): Command {
  const command = common(new Command(kind))
    .description(stepHelp[kind])
    .argument('<report>', 'its id', someText)
    .requiredOption('--by <name>', 'who does so: an owner or approver of the charter, or one of those to whom reports go', someText)
    .requiredOption('--why <words>', 'what was done, or why; kept in the ledger', someText);
  if (kind === 'reassign') command.requiredOption('--to <name>', 'whose it is from now on', someText);
  if (kind === 'resolve' || kind === 'reject') command.option('--tell <words>', 'what the reporter is told', sayable);
  return command.action(async (id: string, { state, json, ...said }: StepOptions) => {
    const stateDir = stateDirectory(context, state);
    const { surface } = await find(openState(stateDir), id);
    const { by, why, to, tell } = said;
    const step = { do: kind, by, why, ...(to === undefined ? {} : { to }), ...(tell === undefined ? {} : { tell }) };
    const key = context.env.UNDERSTUDY_APPROVER_KEY;
    const result = await withTemporal(context, stateDir, (client) => castStep(client, { surface, id, step, key }));
    emit({ json: json === true, document: result, text: result.message });
  });
}

/** @throws UND-NOT-FOUND; UND-NO-REQUEST while it waits to be taken up */
async function find(state: State, id: string): Promise<Report> {
  if (/^r-[0-9a-f]{32}$/.test(id))
    for (const surface of await listSurfaces(state)) {
      const found = await latestReport(state.generations, { surface, id });
      if (found !== undefined) return found;
      if ((await readFiled(state.root, { surface, id })) !== undefined)
        throw new UnderstudyError('UND-NO-REQUEST', `The report ${id} is filed and waits for a worker to take it up`);
    }
  throw new UnderstudyError('UND-NOT-FOUND', `There is no report ${id}`);
}

function sayable(text: string): string {
  if (text.trim() === '' || text.length > 1_000) throw new InvalidArgumentError('It must say something, in 1000 characters.');
  return text;
}
