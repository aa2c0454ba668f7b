import { Command } from 'commander';
import { inScratch, openState, readCharter, readLatest, type State } from '../../activities/context.ts';
import { batchesOf, readPastData } from '../../activities/events/past-data.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type IngestManifest } from '../../models/contracts/window.ts';
import { choiceOf, rowRules, sequenceRules } from '../../models/rules/registry.ts';
import { type Suggestion, suggestRules } from '../../models/rules/suggest-rules.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';

type Options = { source?: string; state?: string; json?: boolean };

/** `understudy rules`: what is asked of data, what came of it lately, and what the past would bear. */
export function rulesCommand(context: CommandContext): Command {
  const common = (command: Command) =>
    command
      .argument('<surface>', 'name of the surface', surfaceArgument)
      .option('--source <name>', 'of this file, or `log` (default: the source with most days)', someText)
      .option('--state <dir>', 'state directory', someText)
      .option('--json', 'one JSON document on stdout');
  return new Command('rules')
    .description('the rules that data are held against: what they are and what they found, and thresholds that the past proposes')
    .addCommand(
      common(new Command('list').description('each rule, what it does, and what it found in the last batch')).action((surface: string, options: Options) =>
        list(context, surface, options),
      ),
    )
    .addCommand(
      common(new Command('suggest').description('read the slices that there are and propose thresholds, each with its reason; you commit them')).action(
        (surface: string, options: Options) => suggest(context, surface, options),
      ),
    );
}

async function open(context: CommandContext, surface: string, options: Options): Promise<{ state: State; charter: Charter; data: DataState; source: string }> {
  const state = openState(stateDirectory(context, options.state));
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  if (data === undefined || data.document.slices.length === 0)
    throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet: run \`understudy ingest\` first`);
  const days = new Map<string, number>();
  for (const { source = '' } of data.document.slices) days.set(source, (days.get(source) ?? 0) + 1);
  const most = [...days].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
  const source = options.source ?? most;
  if (!days.has(source)) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has nothing of ${source}; it has ${[...days.keys()].join(', ')}`);
  return { state, charter, data: data.document, source };
}

type Found = { rule: string; does: string; limit: string; found: string };

async function list(context: CommandContext, surface: string, options: Options): Promise<void> {
  const { state, charter, source } = await open(context, surface, options);
  const last = (await batchesOf(state, { surface, source })).at(-1);
  const rows = [...recordRulesOf(charter, last), ...dataSetRulesOf(charter, last)];
  const text = table(
    ['rule', 'does', 'limit', `in the last batch of ${source}`],
    rows.map(({ rule, does, limit, found }) => [rule, does, limit, found]),
  );
  emit({ json: options.json === true, document: { surface, source, rules: rows }, text });
}

function recordRulesOf(charter: Charter, last: IngestManifest | undefined): Found[] {
  return [...rowRules, ...sequenceRules].map(({ name }) => {
    const { action, limit } = choiceOf(name, charter.data.recordRules);
    const aside = last?.quarantineByReason[name];
    const warned = last?.warnings.find(({ rule }) => rule === name)?.message;
    return { rule: name, does: action, limit: limit === 0 ? '' : String(limit), found: aside === undefined ? (warned ?? '') : `${aside} put aside` };
  });
}

function dataSetRulesOf(charter: Charter, last: IngestManifest | undefined): Found[] {
  return charter.data.rules.map(({ name, measure, column, min, max, action }) => ({
    rule: name,
    does: action,
    limit: `${measure}${column === undefined ? '' : ` of ${column}`}${min === undefined ? '' : ` >= ${min}`}${max === undefined ? '' : ` <= ${max}`}`,
    found: (last?.warnings ?? [])
      .filter(({ rule }) => rule === name)
      .map(({ message }) => message)
      .join('; '),
  }));
}

async function suggest(context: CommandContext, surface: string, options: Options): Promise<void> {
  const { state, charter, data, source } = await open(context, surface, options);
  const step = progress(`reading what ${source} of ${surface} was like`);
  const suggestions = await inScratch(state, 'rules', async (workDir) => suggestRules(await readPastData({ state, data, charter, source, workDir })));
  step.done();
  emit({
    json: options.json === true,
    document: { surface, source, generation: data.generation, ...asCharter(suggestions), reasons: suggestions.map(({ why }) => why) },
    text: describe(suggestions, charter),
  });
}

/** As they stand in a charter, under `data`. */
function asCharter(suggestions: readonly Suggestion[]) {
  const rules = suggestions.flatMap((one) => ('rule' in one ? [one.rule] : []));
  const recordRules = Object.assign({}, ...suggestions.map((one) => ('recordRule' in one ? one.recordRule : {}))) as object;
  return { rules, recordRules };
}

function describe(suggestions: readonly Suggestion[], charter: Charter): string {
  if (suggestions.length === 0) return 'There is too little past to propose anything from: a rule needs ten days, or three weeks.';
  const lines = suggestions.flatMap((one) => {
    const text =
      'rule' in one ? `${objectText(one.rule)},` : `${Object.entries(one.recordRule).map(([name, choice]) => `'${name}': ${objectText(choice as object)}`)},`;
    return [`    // ${one.why}`, `    ${text}`];
  });
  const cut = suggestions.filter((one) => 'rule' in one).length * 2;
  const records = lines.slice(cut);
  const own = charter.data.rules.length;
  return [
    'data: {',
    '  rules: [',
    ...lines.slice(0, cut),
    '  ],',
    ...(records.length === 0 ? [] : ['  recordRules: {', ...records, '  },']),
    '},',
    '',
    `Put into understudy.config.ts what you mean to hold the data to${own === 0 ? '' : `, beside the ${own} rules that it has`}.`,
  ].join('\n');
}

/** As a person writes it: `{ name: 'fresh', max: 2 }`. */
function objectText(value: object): string {
  const members = Object.entries(value).map(([name, one]) => `${name}: ${typeof one === 'string' ? `'${one}'` : String(one)}`);
  return `{ ${members.join(', ')} }`;
}
