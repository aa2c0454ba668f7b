import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import type { Digest } from '../models/contracts/ids.ts';
import type { LedgerCheckpoint } from '../models/contracts/ledger-checkpoint.ts';
import { type LedgerEntry, ledgerEntry } from '../models/contracts/release.ts';
import { type KeyChain, keyChain } from './ledger-keys.ts';
import { checkCheckpoints } from './verify-checkpoints.ts';

/**
 * What was done to a ledger: to which record, by its sequence, the first one. Null: to what is around the records. `cut-off`: those from this one on are
 * missing; `rewritten`: the chain is whole, and is not the one that a checkpoint knows.
 */
export type LedgerFault = { record: number | null; what: 'altered' | 'removed' | 'reordered' | 'inserted' | 'unsigned' | 'cut-off' | 'rewritten'; why: string };

/** A ledger as it lies somewhere. A text is null where the bytes are no UTF-8. */
export type LedgerCopy = {
  surface: string;
  /** In the order in which they lie. */
  records: readonly (string | null)[];
  /** What an export says of itself. */
  says?: { entries: number; head: Digest | null; checkpoints: readonly Digest[] };
  checkpoints: readonly (string | null)[];
};

export type LedgerVerdict = {
  surface: string;
  ok: boolean;
  records: number;
  fault: LedgerFault | null;
  /** From this record on all are signed; null where none is. */
  signedFrom: number | null;
  keys: KeyChain['keys'];
  checkpoints: number;
  /** So many records are held by checkpoints that were kept elsewhere. */
  heldOutside: number;
};

type Known = { outside?: readonly LedgerCheckpoint[] /** Fingerprint of the key that whoever verifies trusts. */; trusted?: Digest | undefined };

/** Goes over every byte of a copy, and names the first record that is not as it was written. It needs nothing but the copy and what was kept elsewhere. */
export function verifyLedger(copy: LedgerCopy, { outside = [], trusted }: Known = {}): LedgerVerdict {
  const records = copy.records.map(readRecord);
  const keys = keyChain(trusted);
  const verdict = (fault: LedgerFault | null): LedgerVerdict => ({
    surface: copy.surface,
    ok: fault === null,
    records: records.length,
    fault,
    signedFrom: keys.keys[0]?.from ?? null,
    keys: keys.keys,
    checkpoints: copy.checkpoints.length,
    heldOutside: fault === null ? Math.max(0, ...outside.map(({ size }) => size)) : 0,
  });
  for (let place = 0; place < records.length; place += 1) {
    const fault = faultAt({ records, place, surface: copy.surface, keys, head: copy.says?.head ?? undefined });
    if (fault !== undefined) return verdict(fault);
  }
  const fault = unlike(copy, records) ?? keys.distrusted() ?? checkCheckpoints({ copy, outside, keys });
  return verdict(fault ?? null);
}

export type LedgerRecord = { text: string; digest: Digest; entry?: LedgerEntry; why?: string };

/** Bytes that are not the canonical JSON of an entry were not written by us. */
function readRecord(text: string | null): LedgerRecord {
  if (text === null) return { text: '', digest: digestBytes(''), why: 'its bytes are no UTF-8' };
  const digest = digestBytes(text);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { text, digest, why: 'it is no JSON' };
  }
  if (canonicalJson(document) !== text) return { text, digest, why: 'it is not written as a record is' };
  const parsed = ledgerEntry.safeParse(document);
  if (!parsed.success || canonicalJson(parsed.data) !== text) return { text, digest, why: 'it is not what a record is' };
  return { text, digest, entry: parsed.data };
}

type At = { records: readonly LedgerRecord[]; place: number; surface: string; keys: KeyChain; head: Digest | undefined };

function faultAt(at: At): LedgerFault | undefined {
  const { records, place, surface, keys } = at;
  const record = records[place] as LedgerRecord;
  const sequence = place + 1;
  if (record.entry === undefined) return { record: sequence, what: 'altered', why: record.why ?? '' };
  const { entry } = record;
  if (entry.sequence !== sequence) return misplaced(at, entry.sequence);
  if (entry.surface !== surface) return { record: sequence, what: 'inserted', why: `it is of the ledger of ${entry.surface}` };
  const unkeyed = keys.check(entry);
  if (unkeyed !== undefined) return { record: sequence, ...unkeyed };
  const before = records[place - 1];
  if (entry.previous === (before?.digest ?? null)) return undefined;
  if (before === undefined) return { record: 1, what: 'altered', why: 'it names a record before it, and is the first' };
  return unlinked(at, before);
}

/** Whether another record holds on to this one: the one behind it, or the export's own word of the last. */
function isHeld({ records, head }: At, place: number): boolean | undefined {
  const next = records[place + 1]?.entry;
  if (next !== undefined && next.sequence === place + 2) return next.previous === records[place]?.digest;
  return place === records.length - 1 && head !== undefined ? head === records[place]?.digest : undefined;
}

function unlinked(at: At, before: LedgerRecord): LedgerFault {
  const sequence = at.place + 1;
  const [own, earlier] = [
    { record: sequence, what: 'altered' },
    { record: sequence - 1, what: 'altered' },
  ] as const;
  // What is signed is known to be as it was.
  if (before.entry?.signed !== undefined) return { ...own, why: `it does not follow record ${sequence - 1}` };
  const held = isHeld(at, at.place);
  if (held === true) return { ...earlier, why: `record ${sequence} was written behind another one` };
  if (held === false) return { ...own, why: `it follows another record than ${sequence - 1}, and another one stood in its place` };
  return { ...earlier, why: `record ${sequence}, the last, follows another one: one of the two was altered` };
}

/** A record stands where another should. */
function misplaced({ records, place }: At, found: number): LedgerFault {
  const sequence = place + 1;
  const sequences = records.map(({ entry }) => entry?.sequence);
  const before = records[place - 1];
  const isThere = sequences.includes(sequence);
  const follows = records[place]?.entry?.previous === (before?.digest ?? null) || sequences[place + 1] === sequence + 1;
  if (!isThere && follows) return { record: sequence, what: 'altered', why: `it calls itself ${found}` };
  if (before?.entry?.sequence === found) return { record: found, what: 'inserted', why: `there are two records ${found}` };
  if (!isThere) return { record: sequence, what: found > sequence ? 'removed' : 'inserted', why: `record ${found} stands in its place` };
  const isOneMore = records.length > Math.max(...sequences.map((one) => one ?? 0));
  return { record: sequence, what: isOneMore ? 'inserted' : 'reordered', why: `a record ${found} stands in its place, and it comes later` };
}

/** What an export says of its records, against those that it has. */
function unlike({ says }: LedgerCopy, records: readonly LedgerRecord[]): LedgerFault | undefined {
  if (says === undefined) return undefined;
  const { entries, head } = says;
  const headIsAt = records.findIndex(({ digest }) => digest === head) + 1;
  if (entries > records.length) return { record: records.length + 1, what: 'removed', why: `the file says that it has ${entries} records` };
  if (entries < records.length) return { record: entries + 1, what: 'inserted', why: `the file says that it has ${entries} records` };
  if (headIsAt === entries || (entries === 0 && head === null)) return undefined;
  const last = records.at(-1)?.entry;
  if (last?.signed !== undefined || last === undefined)
    return { record: null, what: 'altered', why: 'the first line of the file does not say what its last record is' };
  return { record: entries, what: 'altered', why: 'it is not the one that the first line of the file names' };
}
