import { canonicalJson, digestJson } from '../models/contracts/digest.ts';
import type { Digest } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { keyIntroduced, type LedgerEntry, ledgerEntry } from '../models/contracts/release.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';
import type { Signer } from './signatures.ts';

export type NewEntry = Omit<LedgerEntry, 'kind' | 'sequence' | 'previous' | 'signed'>;
const seriesOf = (surface: string) => `ledger/${surface}`;

type Seen = { scannedTo: number; byOperation: Map<string, LedgerEntry> };
/** What this process has read of each ledger: entries never change, so each is read once. */
const seenOf = new WeakMap<GenerationStore, Map<string, Seen>>();

/**
 * Appends one decision to the surface's hash chain. A retry with the same `operationId` finds its own entry and adds none.
 * Writers race on the sequence number; the loser reads again. Where the process has a key it signs the entry, behind one that introduces the key.
 * @throws UND-SIGNING-KEY where the ledger is signed, and this process has no key, or another: then nothing is written
 */
export async function appendLedger(generations: GenerationStore, entry: NewEntry): Promise<LedgerEntry> {
  return append(generations, entry.surface, ({ last, byOperation, keyInForce }) => {
    const existing = byOperation.get(entry.operationId);
    if (existing !== undefined) return existing;
    const signer = signerFor(generations, entry.surface, keyInForce);
    if (signer === undefined) return { entry, sign: () => undefined };
    if (keyInForce !== undefined) return { entry, sign: signer.sign };
    const begin = keyEntry({
      surface: entry.surface,
      by: 'understudy',
      why: 'from here on entries are signed',
      atMs: entry.atMs,
      next: signer,
      replaces: null,
      last,
    });
    return { entry: begin, sign: signer.sign, goOn: true };
  });
}

/** The same of what stands already, and is recorded by whoever has the key where this process has none. @returns whether it is recorded */
export const appendLedgerIfPossible = (generations: GenerationStore, entry: NewEntry): Promise<boolean> =>
  unlessKeyless(() => appendLedger(generations, entry));

/** @returns whether it was done; false where a ledger is signed, and this process cannot sign. */
export async function unlessKeyless(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === 'UND-SIGNING-KEY') return false;
    throw error;
  }
}

type Rotation = { surface: string; next: Signer; by: string; why: string; nowMs: number /** The key before cannot sign any more. */; isLost?: boolean };

/**
 * Hands a signed ledger over to another key: an entry that both sign, or only the next one where the key before was lost, which whoever verifies the ledger
 * is told. Where the next key is in force already nothing is added.
 * @throws UND-INPUT where the ledger is not signed; UND-SIGNING-KEY where this process does not have the key in force
 */
export async function rotateLedgerKey(generations: GenerationStore, { surface, next, by, why, nowMs, isLost = false }: Rotation): Promise<LedgerEntry> {
  return append(generations, surface, ({ last, latest, keyInForce }) => {
    if (keyInForce === undefined || latest === undefined)
      throw new UnderstudyError('UND-INPUT', `The ledger of ${surface} is not signed: there is no key to take over from`);
    if (keyInForce === next.key) return latest;
    const entry = keyEntry({ surface, by, why, atMs: nowMs, next, replaces: keyInForce, last });
    if (isLost) return { entry, sign: next.sign };
    const current = signerFor(generations, surface, keyInForce) as Signer;
    return { entry, sign: (document) => ({ ...current.sign(document), also: next.sign(document) }) };
  });
}

function keyEntry(input: { surface: string; by: string; why: string; atMs: number; next: Signer; replaces: Digest | null; last: number }): NewEntry {
  const { surface, by, why, atMs, next, replaces, last } = input;
  const detail = { message: why, key: next.key, publicKey: next.publicKey, replaces };
  return { operationId: `${keyIntroduced}/${last + 1}`, atMs, surface, action: keyIntroduced, by, releaseId: null, detail };
}

/** The process's key for the next entry: the one in force, else its first. @throws UND-SIGNING-KEY where it does not have the one in force */
export function signerFor({ ledgerSigners = [] }: GenerationStore, surface: string, keyInForce: Digest | undefined): Signer | undefined {
  if (keyInForce === undefined) return ledgerSigners[0];
  const found = ledgerSigners.find(({ key }) => key === keyInForce);
  if (found !== undefined) return found;
  const own = ledgerSigners.map(({ key }) => key).join(' and ');
  const why = own === '' ? 'this process has no key' : `this process has ${own}: \`understudy ledger rotate\` hands it over`;
  throw new UnderstudyError('UND-SIGNING-KEY', `The ledger of ${surface} is signed by the key ${keyInForce}, and ${why}`);
}

/** By which key the next entry must be signed; undefined where the ledger is not signed. */
export async function keyInForceOf(generations: GenerationStore, surface: string): Promise<Digest | undefined> {
  const latest = await generations.latest(seriesOf(surface));
  return latest === undefined ? undefined : keyAfter(parseGeneration(ledgerEntry, { series: seriesOf(surface), ...latest }));
}

/** For a process that will append to any of them: better told at its start. @throws UND-SIGNING-KEY naming the first ledger that it has no key for */
export async function requireLedgerKeys(generations: GenerationStore): Promise<void> {
  for (const series of await generations.series(seriesOf(''))) {
    const surface = series.slice(seriesOf('').length);
    signerFor(generations, surface, await keyInForceOf(generations, surface));
  }
}

const keyAfter = ({ signed }: LedgerEntry): Digest | undefined => (signed?.also ?? signed)?.key;

type Standing = Pick<Seen, 'byOperation'> & { last: number; latest: LedgerEntry | undefined; keyInForce: Digest | undefined };
/** `goOn`: it is asked again behind this entry. */
type Next = { entry: NewEntry; sign: (document: unknown) => LedgerEntry['signed']; goOn?: boolean };

/** Whether an operation has its line already. */
export async function hasEntry(generations: GenerationStore, { surface, operationId }: Pick<NewEntry, 'surface' | 'operationId'>): Promise<boolean> {
  return (await readNew(generations, surface)).byOperation.has(operationId);
}

/** What was added since this process looked last, and all that it knows with it. */
async function readNew(generations: GenerationStore, surface: string): Promise<Pick<Standing, 'byOperation' | 'last'> & { newest: Newest }> {
  const series = seriesOf(surface);
  const ledgers = seenOf.get(generations) ?? new Map<string, Seen>();
  seenOf.set(generations, ledgers);
  const seen = ledgers.get(series) ?? { scannedTo: 0, byOperation: new Map() };
  ledgers.set(series, seen);
  const newest = await generations.latest(series);
  const last = newest?.generation ?? 0;
  for (let sequence = seen.scannedTo + 1; sequence <= last; sequence += 1) {
    const read = await readEntry(generations, surface, sequence);
    seen.byOperation.set(read.operationId, read);
    seen.scannedTo = Math.max(seen.scannedTo, sequence);
  }
  return { newest, last, byOperation: seen.byOperation };
}
type Newest = Awaited<ReturnType<GenerationStore['latest']>>;

/** @param next what follows on what there is; or the entry that says it already */
async function append(generations: GenerationStore, surface: string, next: (standing: Standing) => LedgerEntry | Next): Promise<LedgerEntry> {
  const series = seriesOf(surface);
  for (;;) {
    const { newest, last, byOperation } = await readNew(generations, surface);
    const latest = newest && parseGeneration(ledgerEntry, { series, ...newest });
    const answer = next({ last, latest, byOperation, keyInForce: latest && keyAfter(latest) });
    if ('kind' in answer) return answer;
    const previous = newest === undefined ? null : digestJson(newest.document);
    const document = ledgerEntry.parse({ ...answer.entry, kind: 'ledger', sequence: last + 1, previous });
    const signed = answer.sign(document);
    const written = signed === undefined ? document : ledgerEntry.parse({ ...document, signed });
    try {
      await generations.create(series, written.sequence, written);
      if (answer.goOn !== true) return written;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

async function readEntry(generations: GenerationStore, surface: string, sequence: number): Promise<LedgerEntry> {
  return parseGeneration(ledgerEntry, { series: seriesOf(surface), generation: sequence, document: await generations.read(seriesOf(surface), sequence) });
}

/** All entries, oldest first. @throws UND-DIGEST when an entry does not name the digest of the one before it. */
export async function readLedger(generations: GenerationStore, surface: string): Promise<LedgerEntry[]> {
  const last = (await generations.latest(seriesOf(surface)))?.generation ?? 0;
  const entries: LedgerEntry[] = [];
  let previous: string | null = null;
  for (let sequence = 1; sequence <= last; sequence += 1) {
    const document = await generations.read(seriesOf(surface), sequence);
    const entry = parseGeneration(ledgerEntry, { series: seriesOf(surface), generation: sequence, document });
    if (entry.previous !== previous) throw new UnderstudyError('UND-DIGEST', `Ledger entry ${sequence} of ${surface} does not follow the one before it`);
    previous = digestJson(document);
    entries.push(entry);
  }
  return entries;
}

/** The entries' canonical JSON, oldest first: the leaves of the ledger's Merkle tree. */
export async function ledgerTexts(generations: GenerationStore, surface: string): Promise<string[]> {
  const last = (await generations.latest(seriesOf(surface)))?.generation ?? 0;
  const texts: string[] = [];
  for (let sequence = 1; sequence <= last; sequence += 1) texts.push(canonicalJson(await generations.read(seriesOf(surface), sequence)));
  return texts;
}
