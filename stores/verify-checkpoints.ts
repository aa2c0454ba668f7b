import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import { type LedgerCheckpoint, ledgerCheckpoint } from '../models/contracts/ledger-checkpoint.ts';
import type { KeyChain } from './ledger-keys.ts';
import { isConsistent, leafHash, treeHead } from './merkle.ts';
import { isSignedBy } from './signatures.ts';
import type { LedgerCopy, LedgerFault } from './verify-ledger.ts';

type Input = { copy: LedgerCopy; outside: readonly LedgerCheckpoint[]; keys: KeyChain };

/** What checkpoints, those of the copy and those from elsewhere, know otherwise; of records that follow each other. */
export function checkCheckpoints({ copy, outside, keys }: Input): LedgerFault | undefined {
  const leaves = copy.records.map((text) => leafHash(text ?? ''));
  const around = (number: number, why: string): LedgerFault => ({ record: null, what: 'altered', why: `checkpoint ${number} ${why}` });
  if (copy.says !== undefined && copy.says.checkpoints.length !== copy.checkpoints.length)
    return { record: null, what: 'altered', why: `the file says that it has ${copy.says.checkpoints.length} checkpoints, and has ${copy.checkpoints.length}` };
  let before: LedgerCheckpoint | undefined;
  for (const [place, text] of copy.checkpoints.entries()) {
    const number = place + 1;
    if (copy.says !== undefined && (text === null || digestBytes(text) !== copy.says.checkpoints[place]))
      return around(number, 'is not the one that the first line of the file names');
    const checkpoint = readCheckpoint(text);
    if (checkpoint === undefined || checkpoint.number !== number) return around(number, 'is not written as one is');
    const fault = unlikeBefore(checkpoint, before) ?? unsigned(checkpoint, keys);
    if (fault !== undefined) return around(number, fault);
    const other = otherwise({ checkpoint, leaves, surface: copy.surface, held: before?.size ?? 0 });
    if (other !== undefined) return other;
    before = checkpoint;
  }
  let held = 0;
  for (const checkpoint of [...outside].sort((a, b) => a.size - b.size)) {
    const fault = unsigned(checkpoint, keys);
    const other = otherwise({ checkpoint, leaves, surface: copy.surface, held });
    if (other !== undefined || fault !== undefined) return other ?? around(checkpoint.number, `from elsewhere ${fault}`);
    held = checkpoint.size;
  }
  return undefined;
}

/** Undefined where the text is not the canonical JSON of a checkpoint. */
export function readCheckpoint(text: string | null): LedgerCheckpoint | undefined {
  try {
    const parsed = ledgerCheckpoint.parse(JSON.parse(text ?? ''));
    return canonicalJson(parsed) === text ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function unlikeBefore({ previous, size, root }: LedgerCheckpoint, before: LedgerCheckpoint | undefined): string | undefined {
  if (previous === null || before === undefined) return previous === null && before === undefined ? undefined : 'does not follow the one before it';
  if (previous.size !== before.size || previous.root !== before.root) return 'does not follow the one before it';
  return isConsistent({ first: before, second: { size, root }, proof: previous.proof }) ? undefined : 'does not show that it holds the one before it';
}

function unsigned({ signed, ...document }: LedgerCheckpoint, { keys, keyFor }: KeyChain): string | undefined {
  if (signed === undefined) return keyFor(document.size) === undefined ? undefined : 'is not signed, and the ledger is';
  const by = keys.find(({ key }) => key === signed.key);
  return by !== undefined && isSignedBy({ document, signature: signed.signature, publicKey: by.publicKey })
    ? undefined
    : 'is not signed by a key of the ledger';
}

type Against = { checkpoint: LedgerCheckpoint; leaves: readonly string[]; surface: string /** So many records are known to be right. */; held: number };

function otherwise({ checkpoint: { surface: of, size, root, atMs }, leaves, surface, held }: Against): LedgerFault | undefined {
  const when = new Date(atMs).toISOString();
  if (of !== surface) return { record: null, what: 'rewritten', why: `a checkpoint is of the ledger of ${of}` };
  if (size > leaves.length) return { record: leaves.length + 1, what: 'cut-off', why: `there were ${size} records on ${when}, and there are ${leaves.length}` };
  if (treeHead(leaves.slice(0, size)) === root) return undefined;
  return { record: held + 1, what: 'rewritten', why: `this record, or one of those up to ${size}, was another one on ${when}` };
}
