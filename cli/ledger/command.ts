import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { currentCharter, listSurfaces } from '../../activities/registry/charters.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { checkpointLedger, listCheckpoints } from '../../stores/ledger-checkpoints.ts';
import { exportLedger, ledgerInState } from '../../stores/ledger-copies.ts';
import { keyInForceOf, readLedger, rotateLedgerKey } from '../../stores/ledger.ts';
import { signerOf, signingKey } from '../../stores/signatures.ts';
import { verifyLedger } from '../../stores/verify-ledger.ts';
import { type CommandContext, signingKeysOf, stateDirectory } from '../environment.ts';
import { moment, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, say, table } from '../output.ts';
import { verifyCommand } from './verify.ts';

type Common = { state?: string; json?: boolean };

/** `understudy ledger`: the record of decisions, for those who do not trust us. */
export function ledgerCommand(context: CommandContext): Command {
  return new Command('ledger')
    .description('the record of decisions: show it, verify it or a copy of it, export it, hand it over to another key')
    .addCommand(showCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(exportCommand(context))
    .addCommand(checkpointCommand(context))
    .addCommand(keyCommand(context))
    .addCommand(rotateCommand(context));
}

const common = (command: Command): Command => command.option('--state <dir>', 'state directory', someText).option('--json', 'one JSON document on stdout');

type Wanted = { action?: string; by?: string; since?: number };

function showCommand(context: CommandContext): Command {
  return common(
    new Command('show')
      .description('who decided what, when and why, oldest first; the hash chain is checked on the way')
      .argument('<surface>', 'name of the surface', surfaceArgument)
      .option('--action <start>', 'only actions that begin so, such as vote or alert', someText)
      .option('--by <name>', 'only what this person, release or workflow decided', someText)
      .option('--since <moment>', 'only from then on (ISO 8601)', moment),
  ).action(async (surface: string, { state: stateDir, json, action = '', by, since = 0 }: Common & Wanted) => {
    const state = openState(stateDirectory(context, stateDir));
    if (!(await listSurfaces(state)).includes(surface)) throw new UnderstudyError('UND-UNKNOWN-SURFACE', `There is no surface ${surface} here`);
    const all = await readLedger(state.generations, surface);
    const found = all.filter((entry) => entry.action.startsWith(action) && (by === undefined || entry.by === by) && entry.atMs >= since);
    const rows = found.map(({ sequence, atMs, action: what, by: who, releaseId, detail }) => [
      String(sequence),
      new Date(atMs).toISOString().slice(0, 19),
      what,
      who,
      String(detail.message ?? detail.why ?? detail.reason ?? (who === releaseId || releaseId === null ? '' : releaseId)).slice(0, 100),
    ]);
    const text = [table(['#', 'when (UTC)', 'what', 'by', 'why'], rows), `${found.length} of ${all.length} records`].join('\n');
    emit({ json: json === true, document: { surface, records: found }, text });
  });
}

function exportCommand(context: CommandContext): Command {
  return common(
    new Command('export')
      .description('the whole ledger as one file, which `understudy ledger verify FILE` checks anywhere')
      .argument('<surface>', 'name of the surface', surfaceArgument)
      .requiredOption('--out <file>', 'JSON lines: what the file holds, the entries, the checkpoints', someText),
  ).action(async (surface: string, { out, state, json }: Common & { out: string }) => {
    const copy = await ledgerInState({ stateDir: stateDirectory(context, state), surface });
    const verdict = verifyLedger(copy);
    await write(resolve(context.cwd, out), exportLedger(copy));
    if (!verdict.ok) say(`The copy is as the ledger is, and that is not as it was written: understudy ledger verify ${out}`);
    const signedBy = verdict.keys.at(-1)?.key ?? null;
    emit({
      json: json === true,
      document: { surface, out, records: verdict.records, checkpoints: verdict.checkpoints, signedBy, ok: verdict.ok },
      text: `${verdict.records} records and ${verdict.checkpoints} checkpoints of ${surface} in ${out}, ${signedBy === null ? 'not signed' : `signed by ${signedBy}`}`,
    });
  });
}

function checkpointCommand(context: CommandContext): Command {
  return common(
    new Command('checkpoint')
      .description('how the ledger stands now, in a few bytes: keep them elsewhere, and nothing that is in it can be cut off or rewritten unseen')
      .argument('<surface>', 'name of the surface', surfaceArgument)
      .option('--out <file>', 'write it there', someText),
  ).action(async (surface: string, { out, state: stateDir, json }: Common & { out?: string }) => {
    const { generations } = openState(stateDirectory(context, stateDir), undefined, signingKeysOf(context.env));
    await checkpointLedger(generations, { surface, nowMs: context.now(), isWanted: true }).catch((error) => {
      if (!(error instanceof UnderstudyError && error.code === 'UND-SIGNING-KEY')) throw error;
      say('The ledger is signed, and there is no key here: this is the newest checkpoint of the workers');
    });
    const checkpoint = (await listCheckpoints(generations, surface)).at(-1);
    if (checkpoint === undefined) throw new UnderstudyError('UND-UNKNOWN-SURFACE', `There is no ledger of ${surface} here`);
    if (out !== undefined) await write(resolve(context.cwd, out), `${canonicalJson(checkpoint)}\n`);
    emit({ json: json === true, document: checkpoint, text: canonicalJson(checkpoint) });
  });
}

function keyCommand(context: CommandContext): Command {
  return common(
    new Command('key').description('by which key each ledger is signed, and its fingerprint; of UNDERSTUDY_SIGNING_KEY, where that is set, the public key'),
  ).action(async ({ state: stateDir, json }: Common) => {
    const { generations, ...state } = openState(stateDirectory(context, stateDir));
    const own = context.env.UNDERSTUDY_SIGNING_KEY;
    const signer = own === undefined ? undefined : signerOf(signingKey(own));
    const surfaces: Record<string, string | null> = {};
    for (const surface of await listSurfaces({ generations, ...state })) surfaces[surface] = (await keyInForceOf(generations, surface)) ?? null;
    const lines = Object.entries(surfaces).map(
      ([surface, key]) => `${surface}: ${key ?? 'not signed: set UNDERSTUDY_SIGNING_KEY for the workers; `understudy keys` makes one'}`,
    );
    emit({
      json: json === true,
      document: { surfaces, own: signer === undefined ? null : { key: signer.key, publicKey: signer.publicKey } },
      text: [...lines, ...(signer === undefined ? [] : ['', `UNDERSTUDY_SIGNING_KEY is ${signer.key}`, pem(signer.publicKey)])].join('\n'),
    });
  });
}

const pem = (publicKey: string): string => `-----BEGIN PUBLIC KEY-----\n${publicKey}\n-----END PUBLIC KEY-----`;

function rotateCommand(context: CommandContext): Command {
  return common(
    new Command('rotate')
      .description('hand signed ledgers over from UNDERSTUDY_SIGNING_KEY to UNDERSTUDY_NEXT_SIGNING_KEY; workers that have both go on meanwhile')
      .argument('[surface]', 'only this one', surfaceArgument)
      .requiredOption('--by <name>', 'who decides it', someText)
      .requiredOption('--why <text>', 'why', someText)
      .option('--lost', 'the key before is lost and signs no more: whoever verifies must then name the next one as trusted'),
  ).action(async (surface: string | undefined, options: Common & { by: string; why: string; lost?: boolean }) => {
    const state = openState(stateDirectory(context, options.state), undefined, signingKeysOf(context.env));
    const next = signerOf(signingKey(context.env.UNDERSTUDY_NEXT_SIGNING_KEY ?? null, 'UNDERSTUDY_NEXT_SIGNING_KEY'));
    if (surface !== undefined) await currentCharter(state, surface);
    const rotated: { surface: string; record: number }[] = [];
    for (const one of surface === undefined ? await listSurfaces(state) : [surface]) {
      if (surface === undefined && (await keyInForceOf(state.generations, one)) === undefined) continue;
      const { by, why, lost: isLost = false } = options;
      const { sequence } = await rotateLedgerKey(state.generations, { surface: one, next, by, why, nowMs: context.now(), isLost });
      rotated.push({ surface: one, record: sequence });
    }
    emit({
      json: options.json === true,
      document: { key: next.key, rotated },
      text:
        rotated.length === 0
          ? 'No ledger is signed yet.'
          : rotated.map((one) => `${one.surface}: signed by ${next.key} behind record ${one.record}`).join('\n'),
    });
  });
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${path} cannot be written`, { cause });
  });
}
