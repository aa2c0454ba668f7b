import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openState, readCharter, type State } from '../../activities/context.ts';
import { readMarks } from '../../activities/flags/read-marks.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { FlagChange } from '../../models/contracts/flag.ts';
import { byHand } from '../../models/contracts/guardrail.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type NewMarks, putMarks } from '../../stores/flags.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machine, machines, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit } from '../output.ts';
import { describeFlags, listFlags } from './list-flags.ts';

type Common = { surface: string; state?: string; json?: boolean };
type Owned = Common & { by: string; why: string };
type PutOptions = Owned & { source: string; asOf?: number };
type SetOptions = Owned & { flag: string[]; until?: number };
type ClearOptions = Owned & { flag?: string[]; source: string };

const putHelp = `
A CSV has the columns item_id, flags (names with | between), expires_at (ISO 8601) and one column a kind of harm, with scores from 0 to 1. JSON lines are
{"itemId": "1", "scores": {"violence": 0.2}, "flags": [], "expiresAtMs": 1790000000000}. What a source says of an item takes the place of all that it said of
it before. An item without flags and scores is one in which it found nothing: where the charter requires the source, only such items are shown.`;

/** `understudy flags`: what classifiers, teams and people say of items; live on every replica within a second. */
export function flagsCommand(context: CommandContext): Command {
  const part = (name: string, description: string): Command =>
    new Command(name)
      .description(description)
      .requiredOption('--surface <name>', 'name of the surface', surfaceArgument)
      .option('--state <dir>', 'state directory', someText)
      .option('--json', 'one JSON document on stdout');
  const owned = (name: string, description: string): Command =>
    part(name, description).requiredOption('--by <name>', 'who says it', someText).requiredOption('--why <text>', 'why', someText);
  return new Command('flags')
    .description('harm scores and policy flags of items: what the guardrails of a surface go by')
    .addCommand(
      owned('put', 'take in what a source says of items')
        .argument('<file>', 'CSV or JSON lines', someText)
        .requiredOption('--source <name>', 'one of the guardrails of the charter', machine)
        .option('--as-of <time>', 'when it looked at the items (ISO 8601; default: now)', timeAt)
        .addHelpText('after', putHelp)
        .action((file: string, options: PutOptions) => put(context, file, options)),
    )
    .addCommand(
      owned('set', 'flag an item by hand')
        .argument('<item>', 'id of the item', someText)
        .requiredOption('--flag <name>', 'the policy flag; again for more', machines)
        .option('--until <time>', 'it ends by itself then (ISO 8601)', timeAt)
        .action(async (item: string, { flag, until, ...options }: SetOptions) => {
          const mark = { itemId: item, scores: {}, flags: flag, ...(until === undefined ? {} : { expiresAtMs: until }) };
          await change(context, options, { source: byHand, mode: 'add', marks: [mark] });
        }),
    )
    .addCommand(
      owned('clear', 'take back what was said of an item')
        .argument('<item>', 'id of the item', someText)
        .option('--flag <name>', 'this flag alone; again for more', machines)
        .option('--source <name>', 'who said it', machine, byHand)
        .action(async (item: string, { flag = [], source, ...options }: ClearOptions) => {
          await change(context, options, { source, mode: 'clear', marks: [{ itemId: item, scores: {}, flags: flag }] });
        }),
    )
    .addCommand(
      part('list', 'what is held back, from whom, who said so and why; and how old what each source said is')
        .option('--item <id>', 'all that was said of one item', someText)
        .action(async ({ surface, item, ...options }: Common & { item?: string }) => {
          const { state, charter } = await open(context, { surface, ...options });
          const listed = await listFlags(state, { charter, itemId: item, nowMs: context.now() });
          emit({ json: options.json === true, document: listed, text: describeFlags(listed) });
        }),
    );
}

async function open(context: CommandContext, { surface, state: stateDir }: Common): Promise<{ state: State; charter: Charter }> {
  const state = openState(stateDirectory(context, stateDir));
  return { state, charter: await readCharter(state.blobs, await currentCharter(state, surface)) };
}

async function put(context: CommandContext, file: string, { source, asOf, ...options }: PutOptions): Promise<void> {
  const marks = await readMarks(resolve(context.cwd, file));
  await change(context, options, { source, mode: 'replace', marks, asOfMs: asOf });
}

async function change(context: CommandContext, options: Owned, said: Pick<NewMarks, 'source' | 'mode' | 'marks' | 'asOfMs'>): Promise<FlagChange> {
  const { surface, by, why } = options;
  const { state, charter } = await open(context, options);
  const sources = [byHand, ...(charter.guardrails?.sources ?? []).map(({ name }) => name)];
  if (!sources.includes(said.source))
    throw new UnderstudyError('UND-INPUT', `The charter of ${surface} has no source ${JSON.stringify(said.source)}: it takes ${sources.join(', ')}`);
  const written = await putMarks(state, { ...said, surface, by, why, operationId: `flags-${randomUUID()}`, nowMs: context.now() });
  const { generation, count, source, mode } = written;
  const what = mode === 'clear' ? 'taken back' : 'said';
  emit({
    json: options.json === true,
    document: { surface, generation, source, mode, items: count },
    text: `${count} ${count === 1 ? 'item' : 'items'}: ${what} by ${source}, number ${generation} of ${surface}. Every replica goes by it within a second.`,
  });
  return written;
}

function timeAt(text: string): number {
  const atMs = Date.parse(text);
  if (!Number.isSafeInteger(atMs) || atMs < 0) throw new InvalidArgumentError('It must be a time, such as 2026-11-28T12:00:00Z.');
  return atMs;
}
