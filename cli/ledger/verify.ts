import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { publishedCheckpoints } from '../../activities/provenance/publish-checkpoints.ts';
import type { LedgerCheckpoint } from '../../models/contracts/ledger-checkpoint.ts';
import { digestString, surfaceName } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { importLedger, ledgerInState } from '../../stores/ledger-copies.ts';
import { createMlflow } from '../../stores/mlflow/mlflow-client.ts';
import { fingerprintOf } from '../../stores/signatures.ts';
import { readCheckpoint } from '../../stores/verify-checkpoints.ts';
import { type LedgerCopy, type LedgerVerdict, verifyLedger } from '../../stores/verify-ledger.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText } from '../option-values.ts';
import { emit } from '../output.ts';
import { requireSystemFile } from '../system-file.ts';

type Options = { checkpoint?: string[]; mlflow?: boolean; publicKey?: string; state?: string; json?: boolean };
const several = (text: string, before: string[] = []): string[] => [...before, someText(text)];

/** `understudy ledger verify`: needs no server, and nobody's word. */
export function verifyCommand(context: CommandContext): Command {
  return new Command('verify')
    .description('go over every byte of a ledger and name the first record that was altered, removed, reordered or put in; exit 1 where one was')
    .argument('<ledger>', 'a file of `understudy ledger export`, or a surface of a state directory or of a copy of one', someText)
    .option('--checkpoint <file>', 'a checkpoint that was kept elsewhere; again for more', several)
    .option('--mlflow', 'by the checkpoints that MLflow has')
    .option('--public-key <key>', 'the key that you trust: its fingerprint (sha256:…), or a file with it as PEM', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nWhat was cut off behind the last record cannot be seen in the copy alone: hold it against a checkpoint from elsewhere (--checkpoint, --mlflow).\nA ledger that is not signed can be made anew as a whole by whoever can write there: only such a checkpoint shows that.',
    )
    .action(async (ledger: string, options: Options) => {
      const copy = await copyOf(context, ledger, options);
      const trusted = options.publicKey === undefined ? undefined : await fingerprint(context, options.publicKey);
      const verdict = verifyLedger(copy, { outside: await outsideOf(context, copy.surface, options), trusted });
      emit({ json: options.json === true, document: verdict, text: describe(verdict, trusted !== undefined) });
      const { fault } = verdict;
      if (fault !== null)
        throw new UnderstudyError(
          'UND-LEDGER',
          `${fault.record === null ? 'Around the records' : `Record ${fault.record}`} of ${copy.surface}: ${fault.what}: ${fault.why}`,
        );
    });
}

/** What is a surface's name is one, unless only a file has it. */
async function copyOf(context: CommandContext, ledger: string, { state }: Options): Promise<LedgerCopy> {
  if (surfaceName.safeParse(ledger).success) {
    const found = await ledgerInState({ stateDir: stateDirectory(context, state), surface: ledger }).catch((error) => error as UnderstudyError);
    if (!(found instanceof Error)) return found;
    if (found.code !== 'UND-UNKNOWN-SURFACE') throw found;
    const bytes = await readFile(resolve(context.cwd, ledger)).catch(() => undefined);
    if (bytes === undefined) throw found;
    return importLedger(bytes);
  }
  return importLedger(await read(context, ledger));
}

async function outsideOf(context: CommandContext, surface: string, { checkpoint = [], mlflow = false, state }: Options): Promise<LedgerCheckpoint[]> {
  const outside: LedgerCheckpoint[] = [];
  for (const file of checkpoint) {
    const found = readCheckpoint((await read(context, file)).toString('utf8').replace(/\n$/, ''));
    if (found === undefined) throw new UnderstudyError('UND-LEDGER', `${file} is no checkpoint of a ledger`);
    outside.push(found);
  }
  if (!mlflow) return outside;
  const trackingUri = context.env.MLFLOW_TRACKING_URI ?? (await requireSystemFile(stateDirectory(context, state))).mlflowUrl;
  return [...outside, ...(await publishedCheckpoints(createMlflow({ trackingUri, token: context.env.MLFLOW_TRACKING_TOKEN }), surface))];
}

/** @throws UND-INPUT where it is neither */
async function fingerprint(context: CommandContext, key: string): Promise<string> {
  if (digestString.safeParse(key).success) return key;
  try {
    return fingerprintOf(
      createPublicKey(await read(context, key))
        .export({ format: 'der', type: 'spki' })
        .toString('base64'),
    );
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    throw new UnderstudyError('UND-INPUT', `${key} is neither a fingerprint nor a file with a public key as PEM`, { cause });
  }
}

async function read(context: CommandContext, file: string): Promise<Buffer> {
  return readFile(resolve(context.cwd, file)).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${file} cannot be read`, { cause });
  });
}

function describe({ surface, records, fault, signedFrom, keys, checkpoints, heldOutside }: LedgerVerdict, isTrusted: boolean): string {
  if (fault !== null)
    return `${surface}: NOT AS IT WAS WRITTEN, ${fault.record === null ? 'around the records' : `record ${fault.record}`}: ${fault.what}\n  ${fault.why}`;
  const lines = [`${surface}: ${records} records, each follows the one before it; ${checkpoints} checkpoints agree`];
  if (signedFrom === null)
    lines.push(
      '  not signed: whoever can write there could have made all of it anew. Set UNDERSTUDY_SIGNING_KEY for the workers (`understudy keys` makes one)',
    );
  else if (signedFrom > 1) lines.push(`  records 1 to ${signedFrom - 1} are from before it was signed; those that follow hold on to them`);
  for (const { key, from, vouched } of keys)
    lines.push(
      `  from record ${from} on signed by ${key}${vouched ? '' : ', which the key before did not sign for'}${isTrusted ? '' : ': compare it with the one that you trust'}`,
    );
  lines.push(
    heldOutside > 0
      ? `  records 1 to ${heldOutside} are as checkpoints from elsewhere know them${heldOutside < records ? `; whether any was cut off behind record ${records} cannot be seen` : ''}`
      : `  whether any was cut off behind record ${records} cannot be seen without a checkpoint from elsewhere (--checkpoint, --mlflow)`,
  );
  return lines.join('\n');
}
